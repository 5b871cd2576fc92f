"""The reward models of each data set as the page shows them: what they are called, and drawn like in the figures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multirm.charts.scorers import known_models, labels_and_styles, scorer_of
from multirm.errors import escaped
from multirm.tables.reward_model_rows import labels_of_shown
from multirm.tables.schema import Row


def scorers_of(dataset: str, rows: Sequence[Row], tables: Sequence[Path]) -> list[dict[str, Any]]:
    """Each reward model of one data set with each of its aggregations, ready for JSON.

    The mean over a model's training runs stands for the runs, if there is one.

    Args:
        rows: of any tables; rows without a model, and those of other data sets, are left out.
        tables: reward_models tables; without any, training runs are recognised by name.

    Returns:
        `model`, `aggregation`, `label` of both, `model_label`, `colour` (#RRGGBB), `shape` (a Vega symbol or path),
        `dash`, `is_filled`, and what is known of the model: `kind`, `backbone`, `learned_from`, `training_categories`.
    """
    own = [row for row in rows if row["dataset"] == dataset and row["model"]]
    models = known_models([row["model"] for row in own], dataset, tables)
    known = {each.model: each for each in models}
    order = {each.model: place for place, each in enumerate(models)}
    shown = labels_and_styles(own, models)
    labels = labels_of_shown(models)
    found = dict.fromkeys(scorer_of(row) for row in own)
    counts = Counter(label for label, _ in shown.values())
    return [
        {
            "model": model,
            "aggregation": aggregation,
            "label": _unique(shown[model, aggregation][0], model, aggregation, counts),
            "model_label": escaped(labels[model]),
            **asdict(shown[model, aggregation][1]),
            "kind": known[model].kind,
            "backbone": known[model].backbone,
            "learned_from": known[model].learned_from,
            "training_categories": known[model].training_categories,
        }
        for model, aggregation in sorted(
            (each for each in found if each in shown), key=lambda each: order[each[0]]
        )
    ]


def _unique(label: str, model: str, aggregation: str | None, counts: Mapping[str, int]) -> str:
    """A label that no other one is equal to: a model `a` by `min` and a model `a min` would look the same."""
    return label if counts[label] == 1 else f"{label} ({escaped(model)}, {aggregation})"


def labels_of(scorers: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What each model is called, without its aggregation."""
    return {each["model"]: each["model_label"] for each in scorers}
