"""Reward models as figures show them: which ones, what they are called and what they look like."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from multirm.charts.palette import Style, styles, with_aggregation
from multirm.errors import escaped
from multirm.tables.reward_model_rows import (
    RewardModel,
    describe,
    from_names,
    labels_of_shown,
    read_rows,
)
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row, is_refused

Rows = Sequence[Row]


def known_models(names: Iterable[str], dataset: str, tables: Sequence[Path]) -> list[RewardModel]:
    """All reward models of a dataset in some reward_models tables, or what the names of some imply.

    Raises:
        InputError: a model is missing from the tables.
    """
    names = list(dict.fromkeys(names))
    if not tables:
        return with_kinds(from_names(names))
    describe(names, dataset, tables)
    return read_rows(dataset, tables)


def with_kinds(models: Iterable[RewardModel]) -> list[RewardModel]:
    """Reward models of which names are all that is known: published ones are called `dPRM`, or `dPRM-14B`."""
    return [replace(each, kind=_kind(each.run_of.split("-")[0])) for each in models]


def _kind(word: str) -> Kind | None:
    return None if is_refused(lambda: Kind(word)) else Kind(word)


def scorer_of(row: Row) -> tuple[str, str | None]:
    """The model and the aggregation of a row; some tables have no aggregations."""
    return row["model"], row.get("aggregation")


def labels_and_styles(
    rows: Rows, models: Sequence[RewardModel]
) -> dict[tuple[str, str | None], tuple[str, Style]]:
    """Each model that is shown, with each of its aggregations: what people are shown, and its style.

    The mean over a model's training runs is shown instead of the runs, if there are rows of it.

    Args:
        models: all that are known, in the order in which they are shown.
    """
    looks = styles(models)
    found = {row["model"] for row in rows}
    candidates = [each for each in models if not each.is_mean or each.model in found]
    shown = {}
    for model, label in labels_of_shown(candidates).items():
        ways = {scorer_of(row)[1] for row in rows if row["model"] == model}
        for rank, way in enumerate(sorted(ways, key=str)):
            name = f"{label} {way}" if len(ways) > 1 else label
            shown[model, way] = (escaped(name), with_aggregation(looks[model], rank))
    return shown
