"""Reward models as figures show them, from rows of evaluation tables: labels and styles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from multirm.errors import escaped
from multirm.figures.palette import Style, styles, with_aggregation
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.reward_model_rows import (
    RewardModel,
    describe,
    from_names,
    labels_of_shown,
    read_rows,
)
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Schema, is_refused

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Shown:
    """Rows of an evaluation table about reward models that figures show.

    Attributes:
        dataset: the dataset that they are about.
        rows: the rows, in their order, each with the reward model's label as `method`.
        styles: the style of each label, in the order of the reward models.
    """

    dataset: str
    rows: Rows
    styles: Mapping[str, Style]


def read_shown(path: Path, schema: Schema, tables: Sequence[Path] = ()) -> Shown:
    """Read a table with columns `model` and `aggregation`; a mean over training runs replaces the runs.

    Args:
        tables: reward_models tables; without any, names tell the kinds of models and what is a run of what.
    """
    rows = parquet.read(path, schema).to_pylist()
    dataset = rows[0]["dataset"] if rows else path.parent.name
    labels = _labels(rows, dataset, tables)
    shown = [
        {**row, "category": escaped(row.get("category", "")), "method": labels[scorer_of(row)][0]}
        for row in rows
        if scorer_of(row) in labels
    ]
    return Shown(escaped(dataset), shown, dict(labels.values()))


def _labels(
    rows: Rows, dataset: str, tables: Sequence[Path]
) -> dict[tuple[str, str], tuple[str, Style]]:
    every = known_models([row["model"] for row in rows if row["model"]], dataset, tables)
    return labels_and_styles(rows, every, styles(every))


def known_models(names: Sequence[str], dataset: str, tables: Sequence[Path]) -> list[RewardModel]:
    """All reward models of a dataset in some reward_models tables, or what the names of some imply.

    Raises:
        InputError: a model is missing from the tables.
    """
    names = list(dict.fromkeys(names))
    if tables and names:
        describe(names, dataset, tables)
        return read_rows(dataset, tables)
    return with_kinds(from_names(names))


def interval_text(row: Mapping[str, Any], name: str, scale: float = 1, digits: int = 1) -> str:
    """The interval of a measure in words, for tooltips.

    Args:
        scale: what values are multiplied by, such as 100 for percent.
    """
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    if low is None or high is None:
        return "none"
    return f"{scale * low:.{digits}f} to {scale * high:.{digits}f}"


def sizes(groups: Rows) -> str:
    """How many solutions and questions a figure is over, from rows of the solution_groups table."""
    return f"{_overall(groups, 'n_solutions')} solutions to {n_questions(groups)} questions."


def n_questions(groups: Rows) -> int:
    """How many questions a figure is over, from rows of the solution_groups table."""
    return _overall(groups, "n_questions")


def _overall(groups: Rows, count: str) -> int:
    every = [row for row in groups if row["category"] == OVERALL and row["group"] == "all"]
    return sum(row[count] for row in every)


def with_kinds(models: Iterable[RewardModel]) -> list[RewardModel]:
    """Reward models of which names are all that is known: published ones are called `dPRM`, or `dPRM-14B`."""
    return [replace(each, kind=_kind(each.run_of.split("-")[0])) for each in models]


def _kind(word: str) -> Kind | None:
    return None if is_refused(lambda: Kind(word)) else Kind(word)


def scorer_of(row: Mapping[str, Any]) -> tuple[str, str]:
    """The model and the aggregation of a row."""
    return row["model"], row["aggregation"]


def labels_and_styles(
    rows: Rows, models: Sequence[RewardModel], looks: Mapping[str, Style]
) -> dict[tuple[str, str], tuple[str, Style]]:
    """Each model that is shown, with each of its aggregations: what people are shown, and its style."""
    found = {}
    for model, label in labels_of_shown(models).items():
        given = {row["aggregation"] for row in rows if row["model"] == model}
        for rank, way in enumerate(sorted(given, key=str)):
            name = f"{label} {way}" if len(given) > 1 else label
            found[model, way] = (escaped(name), with_aggregation(looks[model], rank))
    return found
