"""What the files of reward models say → the settings that they were trained and scored with."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.report.sheets import Row, Sheet, check_suffixes, in_parts, in_words, write_sheets
from multirm.running import provenance
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.hyper_parameters import HYPER_PARAMETERS, Stage
from multirm.tables.rewards import REWARDS
from multirm.tables.training import CURVES, EXAMPLES

# What is no setting: names, the shards of a job, and what was found while it ran.
_LEFT_OUT = {"name", "model", "weights", "shard", "shards", "learned_questions"}


@entry
def tabulate_hyper_parameters(
    models: list[Path],
    curves: list[Path],
    examples: list[Path],
    rewards: list[Path],
    output: list[OutputFile],
) -> None:
    """Tabulate what reward models were trained and scored with, as recorded in their files when they were made.

    Args:
        models: Folders of adapters that were trained here.
        curves: Tables of their learning curves, for the number of steps.
        examples: Tables of their examples, for the numbers used and left out.
        rewards: Tables of their rewards, one for each model.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
    """
    check_suffixes(output)
    trained = dict(map(_training, models))
    steps = parquet.read_all(curves, CURVES).to_pylist()
    counted = parquet.read_all(examples, EXAMPLES).to_pylist()
    for name, settings in trained.items():
        settings |= counts(name, steps, counted)
    scored = dict(map(_scoring, rewards))
    rows = [*setting_rows(Stage.TRAINING, trained), *setting_rows(Stage.SCORING, scored)]
    files = [folder / provenance.FILE for folder in models]
    origin = origin_of(__name__, {}, [*files, *curves, *examples, *rewards])
    write_sheets(output, HYPER_PARAMETERS, rows, sheets(rows), origin)


def _training(folder: Path) -> tuple[str, dict[str, Any]]:
    """The name and settings of a model, from the provenance in its folder."""
    found = provenance.read_from_folder(folder)
    if found is None or "name" not in found.parameters:
        raise InputError(
            folder,
            expected="a reward model trained by multirm",
            found="no provenance" if found is None else f"a {found.made}",
        )
    return found.parameters["name"], dict(found.parameters)


def _scoring(path: Path) -> tuple[str, dict[str, Any]]:
    """The name of the model that a table of rewards is of, and the settings in its footer."""
    footer = parquet.read_footer(path)
    if footer.schema != REWARDS.name or "model" not in footer.parameters:
        raise InputError(path, expected="rewards scored by multirm", found=f"{footer.schema}")
    return footer.parameters["model"], footer.parameters


def counts(name: str, curves: Iterable[Row], examples: Iterable[Row]) -> dict[str, int]:
    """How many examples a model learned from and how many were left out, and its number of steps."""
    own = [row for row in examples if row["model"] == name]
    return {
        "steps": max((row["step"] for row in curves if row["model"] == name), default=0),
        "examples": sum(row["n_used"] for row in own),
        "examples_too_long": sum(row["n_too_long"] for row in own),
        "examples_unlabelled": sum(row["n_unlabelled"] for row in own),
    }


def setting_rows(stage: Stage, settings: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Rows of the hyper_parameters table: every setting of every model that has a value.

    Args:
        settings: of each model, by their names.
    """
    return [
        {"model": model, "stage": str(stage), "setting": name, "value": _text(value)}
        for model, own in settings.items()
        for name, value in own.items()
        if value is not None and name not in _LEFT_OUT
    ]


def _text(value: object) -> str:
    """A value as text: `0.0001`, `true`, or the parts of a list."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return json.dumps(value)


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """Settings by model, as many models beside each other as fit; a dash where a model has none."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    return [
        _sheet(part, [row for row in rows if row["model"] in part]) for part in in_parts(models)
    ]


def _sheet(models: Sequence[str], rows: Sequence[Row]) -> Sheet:
    values = {(row["stage"], row["setting"], row["model"]): row["value"] for row in rows}
    lines = []
    for stage in Stage:
        names = dict.fromkeys(row["setting"] for row in rows if row["stage"] == stage)
        if names:
            lines.append([stage.capitalize(), *[""] * len(models)])
        for name in names:
            of_models = [values.get((stage, name, model), "–") for model in models]
            lines.append([in_words(name), *of_models])
    title = f"Settings of {', '.join(models)}, as recorded when they were trained and scored"
    return Sheet(title, ["setting", *models], lines)
