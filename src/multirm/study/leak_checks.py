"""Checks that reward models, and the backbones behind them, are not trained on what is evaluated."""

from collections.abc import Iterator
from pathlib import Path

from multirm.formats.sources import local_files, places_of
from multirm.study.datasets import (
    MiniatureDataset,
    ReadDataset,
    SampledDataset,
)
from multirm.study.questions import MiniatureQuestions, ReadQuestions
from multirm.study.reward_models import (
    DiscriminativeModel,
    GenerativeModel,
    PairwiseModel,
)
from multirm.study.study import Study
from multirm.study.targets import used_datasets
from multirm.tables.questions import Split
from multirm.tables.solutions import Policy


def training_on_what_is_evaluated(study: Study) -> list[str]:
    """Training data that share questions with evaluated datasets, as far as settings tell."""
    return list(dict.fromkeys(_training_on_what_is_evaluated(study)))


def _learned(study: Study) -> Iterator[tuple[str, str, list[str]]]:
    """The key, name and categories of each dataset that a model of the study is trained on.

    Solutions that are shown as examples, where training data are sampled or continued, are learned with what is
    written after them.
    """
    trained = study.trained_models
    for name, model in trained.items():
        categories = study.training_categories_of(name)
        if isinstance(model, DiscriminativeModel):
            for dataset in model.datasets:
                yield f"models.{name}.dataset", dataset, study.trained_categories(name, dataset)
            watched = model.training.validation
            # The weights that are kept are chosen by them.
            for dataset in (
                study.validation_datasets_of(name) if watched and watched.patience else ()
            ):
                key = f"models.{name}.training.validation.dataset"
                yield key, dataset, study.trained_categories(name, dataset)
        elif isinstance(model, PairwiseModel):
            for preferences in model.preferences:
                key = f"trees.{study.preferences[preferences].trees}.dataset"
                dataset = study.merged_for(preferences)
                yield key, dataset, study.trained_categories(name, dataset)
        else:
            dataset = study.critiques[model.critiques].dataset
            yield f"critiques.{model.critiques}.dataset", dataset, categories
    backbones = [run.backbone for run in study.runs.values() if run.backbone]
    sets = (model.critiques for model in trained.values() if isinstance(model, GenerativeModel))
    generated = (study.critiques[study.generated_for(name)] for name in sets)
    backbones += [each.teacher for each in generated if each.teacher]
    learned = [
        dataset for dataset in used_datasets(study) if dataset not in study.evaluation.datasets
    ]
    backbones += [writer for dataset in learned if (writer := study.writer_of(dataset))]
    for dataset in learned:
        if shown := study.exemplars_of(dataset):
            key, examples = shown
            yield f"datasets.{dataset}.{key}.exemplars", examples, study.categories_of(dataset)
    for backbone in dict.fromkeys(backbones):
        pretraining = study.backbones[backbone].pretrain
        for dataset in pretraining.datasets if pretraining else []:
            yield f"backbones.{backbone}.pretrain.datasets", dataset, study.categories_of(dataset)


def _training_on_what_is_evaluated(study: Study) -> Iterator[str]:
    for key, learned, categories in _learned(study):
        for evaluated in study.evaluation.datasets:
            common = sorted({*categories} & {*study.categories_of(evaluated)})
            shared = _shared_source(study, learned, evaluated, common)
            if shared and evaluated not in study.evaluation.also_trained_on:
                yield (
                    f"{key}: models are trained on {learned}, and evaluation.datasets has "
                    f"{evaluated}, {shared}; choose other data, or allow it with "
                    f"evaluation.also_trained_on: [{evaluated}]"
                )

    for key, learned, categories in _learned(study):
        for name, search in study.searches.items():
            common = sorted({*categories} & {*study.categories_of_questions(search.questions)})
            asked = _asked_in(study.questions[search.questions])
            origin = study.origins_of(learned)[-1]
            shared = _shared_questions(study, _asked(study, origin), asked, common)
            if common and shared:
                yield (
                    f"{key}: models are trained on {learned}, and searches.{name} answers {search.questions}, "
                    f"{shared}; choose other questions"
                )


def _shared_source(study: Study, learned: str, evaluated: str, common: list[str]) -> str | None:
    """How two datasets come to share questions, as far as their settings tell; None if they do not.

    Args:
        common: the categories that are both learned and evaluated.
    """
    if not common:
        return None
    if learned == evaluated:
        return "the same"
    learned, evaluated = (study.origins_of(name)[-1] for name in (learned, evaluated))
    if learned == evaluated:
        return f"derived from the same dataset {learned}"
    return _shared_questions(study, _asked(study, learned), _asked(study, evaluated), common)


_Asked = Split | ReadDataset | ReadQuestions | None


def _shared_questions(study: Study, one: _Asked, other: _Asked, common: list[str]) -> str | None:
    """How questions come to be shared, if they are."""
    if isinstance(one, Split) and isinstance(other, Split):
        return f"of the same split {one}" if one is other else None
    if isinstance(one, ReadDataset | ReadQuestions) and isinstance(
        other, ReadDataset | ReadQuestions
    ):
        for category in common:
            same = _read_from(study, one, category) & _read_from(study, other, category)
            if same:
                return f"which is read from {min(same)} as well"
    return None


def _asked_in(questions: MiniatureQuestions | ReadQuestions) -> Split | ReadQuestions:
    return questions.split if isinstance(questions, MiniatureQuestions) else questions


def _asked(study: Study, dataset: str) -> _Asked:
    """Where the questions of a dataset are from: a split of the miniature, or what is read.

    None for the tutor's questions, which are drills that no other policy answers.
    """
    settings = study.datasets[dataset]
    if isinstance(settings, SampledDataset):
        return _asked_in(study.questions[settings.sample.questions])
    if isinstance(settings, MiniatureDataset):
        return None if settings.policy is Policy.TUTOR else settings.split
    return settings if isinstance(settings, ReadDataset) else None


def _read_from(study: Study, dataset: ReadDataset | ReadQuestions, category: str) -> set[str]:
    """The files and hub names from which a category is read."""
    places = places_of(dataset.reader, dataset.source, Path(study.data), f"{category}.json")
    hub = {place for place in places if isinstance(place, str)}
    return hub | {str(file.resolve()) for file in local_files(places)}
