"""Which files the tables for readers and the page are made from, and which of these tables a study has."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from multirm.study.datasets import DerivedDataset, SampledDataset
from multirm.study.files import (
    RESULTS,
    reward_tables,
    solution_tables,
    table_of,
    weights_of_model,
)
from multirm.study.options import option
from multirm.study.owners import PAGE
from multirm.study.report_tables import FORMATS, REPORT_TABLES, ReportTable
from multirm.study.study import Study
from multirm.study.targets import (
    datasets_with_solutions,
    trained_runs,
    used_critiques,
    used_datasets,
)

Files = dict[str, list[str]]


def report_tables_of(study: Study) -> dict[str, ReportTable]:
    """The tables for readers that a study has something to put into."""
    return {
        name: table for name, table in REPORT_TABLES.items() if any(inputs_of(study, name).values())
    }


def report_targets(study: Study) -> list[str]:
    """The tables for readers of a study, and of each dataset that it evaluates, in each format."""
    return [
        f"{RESULTS}/tables/{name}/{of}.{format_}"
        for name, table in report_tables_of(study).items()
        for of in ([study.study] if table.of_study else _selected_from(study))
        for format_ in FORMATS
    ]


def _selected_from(study: Study) -> list[str]:
    """The datasets from which answers are selected."""
    return [dataset for dataset in study.evaluation.datasets if study.has_answers(dataset)]


def inputs_of(study: Study, name: str) -> Files:
    """What a table for readers is made from, by the command's options."""
    return _INPUTS[name](study)


def _solutions(study: Study) -> Files:
    used = datasets_with_solutions(study)
    return {
        "solutions": [
            table
            for dataset in study.datasets
            if dataset in used
            for table in solution_tables(study, dataset)
        ]
    }


def _models(study: Study) -> Files:
    runs = [run.name for run in trained_runs(study)]
    folders = [f"{RESULTS}/models/{run}" for run in runs]
    # The settings are the same in all categories and datasets.
    datasets = study.evaluation.datasets[:1]
    return {
        "models": [weights_of_model(study, run) for run in runs],
        "curves": [f"{folder}/curve.parquet" for folder in folders],
        "examples": [f"{folder}/examples.parquet" for folder in folders],
        "rewards": [reward_tables(study, run, dataset)[0] for run in runs for dataset in datasets],
    }


def _checks(study: Study) -> Files:
    return {
        "checks": [
            f"{RESULTS}/critiques/{name}/{kind}/checks.parquet"
            for name, kind in used_critiques(study)
        ]
    }


def _replies(study: Study) -> Files:
    compared = {
        name for known in study.evaluation.step_labels for name in study.compared_labels(known)
    }
    used = {*used_datasets(study), *compared}
    sampled, judged = [], []
    for name, settings in study.datasets.items():
        if name in used and isinstance(settings, SampledDataset):
            sampled.append(name)
        label = settings.label if isinstance(settings, DerivedDataset) else None
        if name in used and label and label.judge:
            judged.append(name)
    return {
        folder: [
            table_of(folder, name, category)
            for name in names
            for category in study.categories_of(name)
        ]
        for folder, names in (("samples", sampled), ("judgements", judged))
    }


def _augmentations(study: Study) -> Files:
    used = used_datasets(study)
    return {
        "augmentations": [
            table_of("augmentations", name, category)
            for name, settings in study.datasets.items()
            if name in used and isinstance(settings, DerivedDataset) and settings.augment
            for category in study.categories_of(name)
        ]
    }


def _evaluated(study: Study) -> Files:
    return _tables_for(REPORT_TABLES["rewards"]) if _selected_from(study) else {}


def _grouped(study: Study) -> Files:
    tables = _tables_for(REPORT_TABLES["gains"])
    has_gains = study.evaluation.category_groups and study.runs and _selected_from(study)
    return tables if has_gains else {table: [] for table in tables}


def _tables_for(table: ReportTable) -> Files:
    """The tables of one dataset's evaluation that a table for readers is made from."""
    folder = f"{RESULTS}/evaluation/{{dataset}}"
    return {name: [f"{folder}/{name}.parquet"] for name in table.inputs}


_INPUTS: dict[str, Callable[[Study], Files]] = {
    "dataset_statistics": _solutions,
    "hyper_parameters": _models,
    "filtering": _checks,
    "reply_counts": _replies,
    "augmentation_counts": _augmentations,
    "rewards": _evaluated,
    "gains": _grouped,
}


def report_words(names: Iterable[str], wildcards: object, input: Any) -> list[str]:
    """A job's inputs as options: models by their folders, counts of critiques and replies after the name of their set
    or dataset."""
    words = []
    for name in names:
        files = [Path(file) for file in input[name]]
        if name == "models":
            given = [str(file.parent) for file in files]
        elif name in ("samples", "judgements"):
            given = [f"{file.parts[-2]}={file}" for file in files]
        elif name == "checks":
            given = [f"{file.parts[-3]}={file}" for file in files]
        else:
            given = list(map(str, files))
        words += option(f"--{name.replace('_', '-')}", *given)
    return words


def page_targets(study: Study) -> list[str]:
    """The page of a study that evaluates answers; there is none about step labels alone."""
    has_accuracies = any(map(study.has_answers, study.evaluation.datasets))
    return [f"{RESULTS}/{PAGE}"] if has_accuracies else []


def tables_on_page(study: Study, targets: Iterable[str]) -> Files:
    """The tables that the page of a study shows, by the command's options.

    Args:
        targets: everything else that the study makes.
    """
    settings = report_tables_of(study).get("hyper_parameters")
    learned = [*_models(study)["curves"], *_models(study)["examples"]] if settings else []
    critiques = _critiques(study)
    made = dict.fromkeys([*targets, *learned])
    beside = [critiques[file] for file in made if file in critiques]
    tables = [file for file in [*made, *beside] if file.endswith(".parquet")]
    evaluations = [file for file in tables if file.startswith(f"{RESULTS}/evaluation/")]
    return {
        "evaluations": evaluations,
        "tables": [file for file in tables if file not in set(evaluations)],
    }


def _critiques(study: Study) -> dict[str, str]:
    """The table of critiques that scoring writes beside each table of rewards of a generative model.

    Rewards that come from elsewhere have none.
    """
    return {
        table: table.removesuffix("parquet") + "critiques.parquet"
        for model, run in study.runs.items()
        if run.kind.is_generative and not run.is_external
        for dataset in study.datasets
        for table in reward_tables(study, model, dataset)
    }


def page_places(files: Iterable[str]) -> list[str]:
    """Tables as a job names them: `FOLDER/{law,math}.parquet` for several in one folder, as a command line has no room
    for thousands of names. Folders are not named alone: in them, other studies may have tables, too."""
    stems: dict[Path, list[str]] = {}
    for file in map(Path, files):
        stems.setdefault(file.parent, []).append(file.stem)
    return [
        f"{folder}/{{{','.join(own)}}}.parquet" if len(own) > 1 else f"{folder}/{own[0]}.parquet"
        for folder, own in stems.items()
    ]
