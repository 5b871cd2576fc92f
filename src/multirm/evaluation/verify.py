"""Rewards as verdicts: how well they tell right solutions, and right steps, from wrong ones."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.aggregate import aggregate_lists
from multirm.evaluation.methods import Scorer
from multirm.evaluation.opening import Row, open_evaluation
from multirm.evaluation.pools import Category, read_categories
from multirm.evaluation.step_metrics import step_metrics
from multirm.evaluation.verification_metrics import outcome_metrics


def evaluate_verification(
    solutions: list[str],
    output: Path,
    rewards: list[str] | None = None,
    aggregation: list[str] | None = None,
) -> None:
    """Say how well rewards tell right from wrong, per category: F1, areas under curves, calibration.

    Args:
        solutions: As for `evaluate`, like all options but the output.
        output: Folder for the tables: verification, reliability (the calibration curves) and, of
            models with a reward for every step where steps are labelled, step_verification.
        rewards: MODEL=PATH.
        aggregation: MODEL=AGGREGATION.
    """
    opened = open_evaluation(solutions, rewards, aggregation)
    rows: dict[str, list[Row]] = {"verification": [], "reliability": [], "step_verification": []}
    for category in read_categories(opened.database, opened.models):
        for scorer in opened.scorers:
            found, bins = outcome_rows(category, scorer)
            rows["verification"].append(found)
            rows["reliability"] += bins
        for model in opened.models:
            rows["step_verification"] += step_rows(category, model)
    for table, found_rows in rows.items():
        opened.write(output, table, found_rows)


def outcome_rows(category: Category, scorer: Scorer) -> tuple[Row, list[Row]]:
    """A row of the verification table, and those of the reliability table, for one scorer."""
    rewards = aggregate_lists(category.lists[scorer.model], scorer.aggregation)
    metrics = asdict(outcome_metrics(rewards, category.correct, scorer.aggregation.is_probability))
    key = {
        "category": category.name,
        "model": scorer.model,
        "aggregation": str(scorer.aggregation),
    }
    bins = metrics.pop("reliability")
    return {**key, **metrics}, [{**key, **part} for part in bins]


def step_rows(category: Category, model: str) -> list[Row]:
    """A row of the step_verification table, or none where the rewards are not those of labelled steps."""
    lists, labels = category.lists[model], category.step_labels
    labelled = pc.is_valid(labels)
    lists, labels = lists.filter(labelled), labels.filter(labelled)
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    if (
        len(lengths) == 0
        or (lengths != pc.list_value_length(labels).to_numpy(zero_copy_only=False)).any()
    ):
        return []
    rewards = lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    offsets = np.r_[0, np.cumsum(lengths)]
    found = step_metrics(rewards, labels.flatten().to_numpy(), offsets)
    row: dict[str, Any] = {"category": category.name, "model": model}
    for part, scores in (("first_error", found.to_first_error), ("all", found.all_steps)):
        row |= _prefixed(part, asdict(scores))
    return [row | _prefixed("process_bench", asdict(found.process_bench))]


def _prefixed(part: str, values: Mapping[str, Any]) -> Row:
    return {f"{part}_{name}": value for name, value in values.items()}
