"""The files of the jobs that sample solutions, label their steps and write variants of them."""

from pathlib import Path

from multirm.formats.sources import local_files, places_of
from multirm.study.datasets import DerivedDataset, SampledDataset
from multirm.study.files import (
    RESULTS,
    Places,
    backbone_files,
    backbone_model,
    question_table,
    solution_table,
    source_table,
    table_of,
    without_braces,
)
from multirm.study.labelling import Augmentation, Labelling, MonteCarlo, Sample
from multirm.study.questions import ReadQuestions
from multirm.study.study import Study


def sampled_questions(study: Study, dataset: str, category: str) -> str:
    """The table of bare questions that a sampled dataset's category answers."""
    settings = study.datasets[dataset]
    if not isinstance(settings, SampledDataset):
        raise TypeError(f"{dataset} is not sampled")
    return question_table(settings.sample.questions, category)


def exemplars(study: Study, dataset: str, category: str) -> list[str]:
    """The table of worked examples for a dataset's category; none if its prompts have none."""
    writing = study.writing_of(dataset)
    name = writing.exemplars if isinstance(writing, Sample | MonteCarlo) else None
    return [solution_table(name, category)] if name else []


def writer(study: Study, dataset: str) -> str:
    """The folder or hub name of the backbone that samples, judges, continues or rewrites a dataset's solutions."""
    return backbone_model(study, _writer(study, dataset))


def writer_files(study: Study, dataset: str) -> list[str]:
    """The files of the backbone that writes something for a dataset; none for a hub name."""
    return backbone_files(study, _writer(study, dataset))


def _writer(study: Study, dataset: str) -> str:
    name = study.writer_of(dataset)
    if name is None:
        raise TypeError(f"no backbone writes anything for {dataset}")
    return name


def judge_template(study: Study, dataset: str, templates: str) -> str:
    """The prompt template of the judge of a dataset's steps.

    Args:
        templates: the folder of the package's own templates.
    """
    judge = _labelling(study, dataset).judge
    if judge is None:
        raise TypeError(f"no judge labels {dataset}")
    own = "judge" if judge.reference else "judge_without_reference"
    return judge.template or f"{templates}/{own}.txt"


def augment_template(study: Study, dataset: str, templates: str) -> str:
    """The prompt template with which a dataset's variants of solutions are asked for.

    Args:
        templates: the folder of the package's own templates.
    """
    settings = study.writing_of(dataset)
    if not isinstance(settings, Augmentation):
        raise TypeError(f"{dataset} has no variants of solutions")
    return f"{templates}/{settings.kind}.txt"


def agreeing_labels(study: Study, dataset: str, category: str) -> list[str]:
    """The tables of labels that a dataset's labels must agree with."""
    return [table_of("labels", name, category) for name in _labelling(study, dataset).agree or []]


def source_labels(study: Study, dataset: str, category: str) -> str:
    """The table of labels of the solutions that a dataset with noise derives from.

    Raises:
        TypeError: there is none.
    """
    settings = study.datasets[dataset]
    found = None
    if isinstance(settings, DerivedDataset):
        found = study.labels_table_of(settings.from_, values=True)
    if found is None:
        raise TypeError(f"{dataset} does not derive from a dataset with a table of labels")
    return table_of("labels", found, category)


def compared_solutions(study: Study, dataset: str) -> list[str]:
    """The tables of the solutions whose step labels are compared with a dataset's."""
    origin = study.labelled_from(dataset) or dataset
    return [solution_table(origin, category) for category in study.categories_of(dataset)]


def known_labels(study: Study, dataset: str) -> list[str]:
    """The tables of a dataset's labels that are known to be right; none if its solutions have them."""
    if study.labelled_from(dataset) is None:
        return []
    return [table_of("labels", dataset, category) for category in study.categories_of(dataset)]


def continued_solutions(study: Study, dataset: str) -> list[str]:
    """The tables of the solutions whose steps were continued for a dataset's labels."""
    return [source_table(study, dataset, category) for category in study.categories_of(dataset)]


def continued_labels(study: Study, dataset: str) -> list[str]:
    """The tables of a dataset's labels."""
    return [table_of("labels", dataset, category) for category in study.categories_of(dataset)]


def continuation_tables(study: Study, dataset: str) -> list[str]:
    """The tables of the continuations from which a dataset's labels are made."""
    return [
        table_of("continuations", dataset, category) for category in study.categories_of(dataset)
    ]


def compared_labels(study: Study, dataset: str) -> list[str]:
    """The tables of labels that are compared with those of a dataset."""
    known = study.categories_of(dataset)
    return [
        table_of("labels", name, category)
        for name in study.compared_labels(dataset)
        for category in study.categories_of(name)
        if category in known
    ]


def trusted_rewards(study: Study, dataset: str, category: str) -> str:
    """The table of rewards that a dataset's labels must not contradict."""
    trust = _labelling(study, dataset).trust
    if trust is None:
        raise TypeError(f"the labels of {dataset} are not compared with rewards")
    origin = study.needed_datasets(dataset)[0]
    return f"{RESULTS}/rewards/{trust.model}/{origin}/{category}.parquet"


def _labelling(study: Study, dataset: str) -> Labelling:
    settings = study.datasets[dataset]
    if not isinstance(settings, DerivedDataset) or settings.label is None:
        raise TypeError(f"{dataset} has no labels of its own")
    return settings.label


def question_places(study: Study, questions: str, category: str) -> Places:
    """The places from which a category of bare questions is read.

    Raises:
        TypeError: the questions are generated rather than read.
    """
    settings = study.questions[questions]
    if not isinstance(settings, ReadQuestions):
        raise TypeError(f"{questions} are not read from anywhere")
    return places_of(settings.reader, settings.source, Path(study.data), f"{category}.json")


def question_sources(study: Study, questions: str, category: str) -> list[str]:
    """The local files from which a category of bare questions is read."""
    return without_braces(local_files(question_places(study, questions, category)))
