"""The reward models of each data set as the page shows them: what they are called, and drawn like in the figures."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.charts.scorers import known_models, labels_and_styles, scorer_of
from multirm.tables.schema import Row


def scorers_of(dataset: str, rows: Sequence[Row], tables: Sequence[Path]) -> list[dict[str, Any]]:
    """Each reward model of one data set with each of its aggregations, ready for JSON.

    The mean over a model's training runs stands for the runs, if there is one.

    Args:
        rows: of any tables; rows without a model, and those of other data sets, are left out.
        tables: reward_models tables; without any, training runs are recognised by name.

    Returns:
        `model`, `aggregation`, `label`, `colour` (#RRGGBB), `shape` (a Vega symbol or path), `dash`, `is_filled`, and
        what is known of the model: `kind`, `backbone`, `learned_from`, `training_categories`.
    """
    own = [row for row in rows if row["dataset"] == dataset and row["model"]]
    models = known_models([row["model"] for row in own], dataset, tables)
    known = {each.model: each for each in models}
    order = {each.model: place for place, each in enumerate(models)}
    shown = labels_and_styles(own, models)
    found = dict.fromkeys(scorer_of(row) for row in own)
    return [
        {
            "model": model,
            "aggregation": aggregation,
            "label": shown[model, aggregation][0],
            "colour": shown[model, aggregation][1].colour,
            "shape": shown[model, aggregation][1].shape,
            "dash": shown[model, aggregation][1].dash,
            "is_filled": shown[model, aggregation][1].is_filled,
            "kind": known[model].kind,
            "backbone": known[model].backbone,
            "learned_from": known[model].learned_from,
            "training_categories": known[model].training_categories,
        }
        for model, aggregation in sorted(
            (each for each in found if each in shown), key=lambda each: order[each[0]]
        )
    ]


def labels_of(scorers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What each model is called, without its aggregation."""
    return {each["model"]: each["label"] for each in scorers}
