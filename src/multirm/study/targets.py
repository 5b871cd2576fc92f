"""What `snakemake all` makes of a study, stage by stage, and the names that its rules accept.

Intermediate files are targets, too. Snakemake deletes the earlier outputs of a job that fails, and does not remake
them as long as files made from them exist, unless they are requested by name.
"""

import re
from collections.abc import Iterable, Sequence

from multirm.study.datasets import DerivedDataset, MiniatureDataset, ReadDataset, SampledDataset
from multirm.study.evaluations import evaluations_of
from multirm.study.figures import FORMATS, drawn_of, figures_of
from multirm.study.files import (
    RESULTS,
    backbone_files,
    common_table,
    critique_table,
    critique_tables,
    generated_critiques,
    place_of,
    question_table,
    reference_of,
    reward_tables,
    table_of,
    training_solutions,
    weights_of_model,
)
from multirm.study.reward_models import DiscriminativeModel, PairwiseModel, ReadyModel
from multirm.study.runs import Run
from multirm.study.search_files import node_table, search_table
from multirm.study.study import Study
from multirm.study.tree_files import (
    count_table,
    outcome_rewards,
    training_preferences,
    tree_table,
)
from multirm.study.tree_options import is_counted
from multirm.tables.accuracy import Estimator
from multirm.tables.critiques import CritiqueStage
from multirm.tables.reward_models import Kind


def any_of(names: Iterable[str]) -> str:
    """A pattern for some names, possibly none."""
    return "|".join(map(re.escape, dict.fromkeys(names))) or "(?!)"


def categories(study: Study) -> str:
    """A pattern for the categories of all datasets."""
    return any_of(
        category for dataset in study.datasets for category in study.categories_of(dataset)
    )


def datasets_read_by(study: Study, *readers: str) -> str:
    """A pattern for the datasets with one of these readers."""
    return any_of(
        name
        for name, dataset in study.datasets.items()
        if isinstance(dataset, MiniatureDataset | ReadDataset) and dataset.reader in readers
    )


def datasets_read_with_labels(study: Study, with_labels: bool) -> str:
    """A pattern for the datasets read from files whose own labels a reward model learns, or for the others."""
    learned = _with_learned_labels(study)
    return any_of(
        name
        for name, dataset in study.datasets.items()
        if isinstance(dataset, ReadDataset) and (name in learned) is with_labels
    )


def _with_learned_labels(study: Study) -> set[str]:
    """The datasets whose labels tables are learned, and those from which noise makes such tables."""
    found = set()
    for run in trained_runs(study):
        learned = [*study.training_datasets_of(run.name), *study.validation_datasets_of(run.name)]
        for dataset in learned:
            name = study.labels_of(run.name, dataset)
            while name:
                found.add(name)
                settings = study.datasets[name]
                if isinstance(settings, DerivedDataset) and settings.noise:
                    name = study.labels_table_of(settings.from_, values=True)
                else:
                    name = None
    return found


def noisy_datasets_with_labels(study: Study) -> str:
    """A pattern for the datasets with noise that derive from one with a labels table."""
    return any_of(
        name
        for name, dataset in study.datasets.items()
        if isinstance(dataset, DerivedDataset)
        and dataset.noise
        and study.labels_table_of(name, values=True)
    )


def questions_read_by(study: Study, *readers: str) -> str:
    """A pattern for the sets of bare questions with one of these readers."""
    return any_of(name for name, each in study.questions.items() if each.reader in readers)


def sampled_datasets(study: Study) -> str:
    """A pattern for the datasets that a backbone samples."""
    return any_of(
        name for name, dataset in study.datasets.items() if isinstance(dataset, SampledDataset)
    )


def datasets_labelled_by(study: Study, source: str) -> str:
    """A pattern for the datasets whose step labels have a source: judge, monte_carlo, agree, trust or known."""
    return any_of(
        name
        for name, dataset in study.datasets.items()
        if isinstance(dataset, DerivedDataset) and dataset.label and source in dataset.label.sources
    )


def datasets_derived_by(study: Study, change: str) -> str:
    """A pattern for the datasets that derive from others by a change: noise, shuffle, take, label or augment."""
    return any_of(
        name
        for name, dataset in study.datasets.items()
        if isinstance(dataset, DerivedDataset) and getattr(dataset, change) is not None
    )


def models_of_kinds(study: Study, *kinds: Kind) -> str:
    """A pattern for the reward models of these kinds that are trained here."""
    return any_of(run.name for run in trained_runs(study) if run.kind in kinds)


def adapters(study: Study) -> str:
    """A pattern for the reward models that are trained here as adapters."""
    return any_of(run.name for run in trained_runs(study) if not study.is_whole(run.name))


def discriminative_models(study: Study, whole: bool) -> str:
    """A pattern for the dORMs and dPRMs that are trained here as whole models, or for those that are adapters."""
    return any_of(
        run.name
        for run in trained_runs(study)
        if isinstance(run.settings, DiscriminativeModel) and study.is_whole(run.name) is whole
    )


def scored(study: Study, *kinds: Kind, in_shards: bool) -> str:
    """A pattern for the reward models of these kinds that score here in shards, or for the others."""
    return any_of(
        run.name
        for run in study.runs.values()
        if not run.is_external and run.kind in kinds and (run.scoring.shards > 1) is in_shards
    )


def external_models(study: Study) -> str:
    """A pattern for the reward models with external rewards."""
    return any_of(run.name for run in study.runs.values() if run.is_external)


def critique_sets(study: Study, external: bool) -> str:
    """A pattern for the sets of critiques that are external, or for those that are filtered here."""
    sets = study.critiques.items()
    return any_of(name for name, each in sets if (each.published is not None) is external)


def sets_with_teacher(study: Study) -> str:
    """A pattern for the sets of critiques that a teacher generates."""
    return any_of(name for name, each in study.critiques.items() if each.teacher)


def data_targets(study: Study) -> list[str]:
    """The tables that a study trains on and evaluates, with those that they are made from."""
    targets = []
    with_solutions = datasets_with_solutions(study)
    for name in sorted(used_datasets(study)):
        settings, categories = study.datasets[name], study.categories_of(name)
        folders = ["data"] if name in with_solutions else []
        if isinstance(settings, SampledDataset):
            questions = settings.sample.questions
            targets += [question_table(questions, category) for category in categories]
            folders.append("samples")
        if isinstance(settings, DerivedDataset) and (settings.label or settings.augment):
            folders.append("labels")
            folders += _replies(settings)
        targets += [table_of(folder, name, each) for folder in folders for each in categories]
    return list(dict.fromkeys(targets))


def _replies(dataset: DerivedDataset) -> list[str]:
    """The folders with what a backbone wrote to label a dataset's steps, or to write them anew."""
    if dataset.augment:
        return ["augmentations"]
    label = dataset.label
    folders = ["judgements"] if label and label.judge else []
    return [*folders, *(["continuations"] if label and label.monte_carlo else [])]


def used_datasets(study: Study) -> list[str]:
    """The datasets that a study evaluates, trains on and compares the labels of, and those that they are made with."""
    return _with_needed(study, [*_datasets_read(study), *_compared_datasets(study)])


def used_questions(study: Study) -> dict[str, list[str]]:
    """The bare questions that used datasets are sampled from and that searches answer, and their categories there."""
    found: dict[str, list[str]] = {}
    for name in used_datasets(study):
        if isinstance(dataset := study.datasets[name], SampledDataset):
            found.setdefault(dataset.sample.questions, []).extend(study.categories_of(name))
    for name in searched(study):
        found.setdefault(name, []).extend(study.categories_of_questions(name))
    return {name: list(dict.fromkeys(categories)) for name, categories in found.items()}


def datasets_with_solutions(study: Study) -> list[str]:
    """Those of the used datasets whose solutions are used, and not only their labels, to compare them with others.

    A judge whose replies cannot be read gives no solution labels: a result of the comparison, but not a dataset.
    """
    read = _with_needed(study, _datasets_read(study))
    needed = [each for name in used_datasets(study) for each in study.needed_datasets(name)]
    only_labels = {
        name
        for name in _compared_datasets(study)
        if study.labelled_from(name) and name not in read and name not in needed
    }
    return [name for name in used_datasets(study) if name not in only_labels]


def _datasets_read(study: Study) -> list[str]:
    """The datasets that a study evaluates and trains on."""
    datasets = [*study.evaluation.datasets]
    for run in trained_runs(study):
        datasets += [] if run.kind.is_generative else study.training_datasets_of(run.name)
        datasets += study.validation_datasets_of(run.name)
    datasets += [study.critiques[name].dataset for name, _ in used_critiques(study)]
    datasets += [each.exemplars for each in study.searches.values() if each.exemplars]
    return [*datasets, *_pretraining_datasets(study, _backbones_of_models(study))]


def _compared_datasets(study: Study) -> list[str]:
    known = study.evaluation.step_labels
    return [name for each in known for name in (each, *study.compared_labels(each))]


def _with_needed(study: Study, datasets: Sequence[str]) -> list[str]:
    """Some datasets and those that they are made with, each once."""
    waiting, found = [*datasets], list[str]()
    while waiting:
        name = waiting.pop(0)
        if name not in found:
            found.append(name)
            waiting += study.needed_datasets(name)
            writer = study.writer_of(name)
            waiting += _pretraining_datasets(study, [writer] if writer else [])
    return found


def _pretraining_datasets(study: Study, backbones: Iterable[str]) -> list[str]:
    settings = (study.backbones[backbone].pretrain for backbone in backbones)
    return [dataset for each in settings if each for dataset in each.datasets]


def used_backbones(study: Study) -> list[str]:
    """The backbones of a study's reward models, its teachers, and those that write or label its datasets, each once."""
    writers = [study.writer_of(name) for name in used_datasets(study)]
    return list(dict.fromkeys([*_backbones_of_models(study), *(each for each in writers if each)]))


def backbones_run_here(study: Study) -> list[str]:
    """The backbones whose weights the jobs of a study read; the others run on servers or at batch services."""
    backbones = [run.backbone for run in study.runs.values() if run.backbone]
    backbones += [each.policy for each in study.searches.values()]
    for name, _ in used_critiques(study):
        critiques = study.critiques[study.generated_for(name)]
        if critiques.teacher and not critiques.engine.is_remote:
            backbones.append(critiques.teacher)
    for name in used_datasets(study):
        writer = study.writer_of(name)
        if writer and not study.writing_of(name).engine.is_remote:
            backbones.append(writer)
    return list(dict.fromkeys(backbones))


def _backbones_of_models(study: Study) -> list[str]:
    """The backbones of reward models, of teachers, and of searches."""
    backbones = [run.backbone for run in study.runs.values() if run.backbone]
    backbones += [each.policy for each in study.searches.values()]
    for name, _ in used_critiques(study):
        teacher = study.critiques[study.generated_for(name)].teacher
        backbones += [teacher] if teacher else []
    return backbones


def trained_runs(study: Study) -> list[Run]:
    """The training runs of a study."""
    return [run for run in study.runs.values() if run.is_trained]


def ready_models(study: Study) -> list[str]:
    """The folders and hub names of the reward models that are not trained here, each once.

    A backbone that is pretrained here is not yet anywhere.
    """
    found: list[str] = []
    for model in study.models.values():
        if isinstance(model, ReadyModel):
            found += [] if _is_pretrained(study, model) else [place_of(study, model)]
            found += reference_of(model)
    return list(dict.fromkeys(found))


def _is_pretrained(study: Study, model: ReadyModel) -> bool:
    return model.backbone is not None and study.backbones[model.backbone].pretrain is not None


def used_critiques(study: Study) -> list[tuple[str, Kind]]:
    """The sets and kinds of critiques that a study's reward models are trained on, each once."""
    generative = [run for run in trained_runs(study) if run.kind.is_generative]
    return sorted({(study.critique_set_of(run.name), run.kind) for run in generative})


def critique_targets(study: Study) -> list[str]:
    """The tables of critiques that a study's reward models are trained on, at each stage."""
    files = []
    for name, kind in used_critiques(study):
        categories = study.criticised_categories(name, kind)
        stages = [CritiqueStage.SHORTENED]
        if not study.critiques[name].published:
            files += [generated_critiques(study, name, kind, category) for category in categories]
            stages = [CritiqueStage.FILTERED, *stages]
        files += [
            critique_table(name, kind, category, stage)
            for stage in stages
            for category in categories
        ]
        files.append(f"{RESULTS}/critiques/{name}/{kind}/checks.parquet")
    return list(dict.fromkeys(files))


def search_targets(study: Study) -> list[str]:
    """The questions and the tables of a study's searches, and what compares searches of the same questions."""
    files = []
    for name, settings in study.searches.items():
        for category in study.categories_of_questions(settings.questions):
            files += [
                question_table(settings.questions, category),
                search_table(name, category),
                node_table(name, category),
                *(f"{RESULTS}/figures/search_tree/{name}/{category}.{each}" for each in FORMATS),
            ]
    for questions in searched(study):
        folder = f"{RESULTS}/evaluation/{questions}"
        files += [f"{folder}/search_accuracy.parquet", f"{folder}/search_gains.parquet"]
        files += [f"{RESULTS}/figures/search_accuracy/{questions}.{format_}" for format_ in FORMATS]
    return list(dict.fromkeys(files))


def searched(study: Study) -> list[str]:
    """The sets of questions that a study's searches answer, each once."""
    return list(dict.fromkeys(each.questions for each in study.searches.values()))


def used_preferences(study: Study) -> list[str]:
    """The sets of pairs that a study's reward models are trained on, each once."""
    trained = [run.settings for run in trained_runs(study)]
    pairwise = [each for each in trained if isinstance(each, PairwiseModel)]
    return list(dict.fromkeys(name for each in pairwise for name in each.preferences))


def tree_targets(study: Study) -> list[str]:
    """The trees and pairs that a study's reward models are trained on, with the rewards and the counts of trees."""
    files = []
    for name in used_preferences(study):
        trees, dataset = study.preferences[name].trees, study.merged_for(name)
        for category in study.categories_of(dataset):
            files += [*outcome_rewards(study, trees, category), tree_table(trees, category)]
        files += [count_table(name)] if is_counted(study, name) else []
    for run in trained_runs(study):
        if run.kind is Kind.PAIRWISE:
            files += training_preferences(study, run.name)
    return list(dict.fromkeys(files))


def training_targets(study: Study) -> list[str]:
    """The backbones that a study pretrains, and its reward models."""
    pretrained = [each for each in sorted(used_backbones(study)) if study.backbones[each].pretrain]
    return [
        *(file for backbone in pretrained for file in backbone_files(study, backbone)),
        *(weights_of_model(study, run.name) for run in trained_runs(study)),
    ]


def scoring_targets(study: Study) -> list[str]:
    """The tables of all reward models' rewards on the datasets that a study evaluates."""
    return [
        table
        for model in study.runs
        for dataset in study.evaluation.datasets
        for table in reward_tables(study, model, dataset)
    ]


def learned_tables(study: Study) -> dict[str, list[str]]:
    """The solutions and the filtered critiques that a study's reward models are trained on."""
    learned = (training_solutions(study, run.name) for run in trained_runs(study))
    return {
        "learned": list(dict.fromkeys(table for tables in learned for table in tables)),
        "critiques": [
            table
            for name, kind in used_critiques(study)
            for table in critique_tables(study, name, kind)
        ],
    }


def evaluation_targets(study: Study) -> list[str]:
    """The tables of each dataset that a study evaluates, and those that are the same for all datasets."""
    of_datasets = [
        f"{RESULTS}/evaluation/{dataset}/{table}"
        for dataset in study.evaluation.datasets
        for table in _evaluation_tables(study, dataset)
    ]
    agreements = [
        f"{RESULTS}/evaluation/{known}/label_agreement.parquet"
        for known in study.evaluation.step_labels
    ]
    shares = [
        f"{RESULTS}/evaluation/{dataset}/continuation_shares.parquet"
        for dataset in used_datasets(study)
        if study.is_continued(dataset)
    ]
    simulated = [common_table("log_error_simulation")] if study.evaluation.datasets else []
    return [*of_datasets, *agreements, *shares, *simulated]


_BY_PROTOCOL = {
    Estimator.PAPER: ("accuracy.parquet", "best_of_n.csv", "weighted_vote.csv"),
    Estimator.VERSAPRM: ("accuracy_over_seeds.parquet", "accuracy_over_seeds.csv"),
    Estimator.OPENPRM: ("accuracy.parquet",),
}


def _evaluation_tables(study: Study, dataset: str) -> list[str]:
    by_protocols = [
        f"{protocol}/{file}"
        for protocol in study.evaluation.protocols
        for file in _BY_PROTOCOL[protocol]
    ]
    return [
        "reward_models.parquet",
        *(
            f"{table}.parquet"
            for each in evaluations_of(study, dataset)
            for table in each.tables_of(study)
        ),
        *(by_protocols if study.has_answers(dataset) else ()),
        *(("changes.parquet",) if dataset in study.shuffled_from() else ()),
        *(("step_counts.parquet", "length_shift.parquet") if trained_runs(study) else ()),
    ]


def figure_targets(study: Study) -> list[str]:
    """The figures of each dataset that a study evaluates, and of all of them, in each format."""
    used = used_datasets(study)
    return [
        f"{RESULTS}/figures/{name}/{of}.{format_}"
        for name, figure in figures_of(study).items()
        for of in drawn_of(study, figure)
        if figure.of_study or of in used
        for format_ in FORMATS
    ]
