"""Rewards as verdicts: how well they tell right solutions, and right steps, from wrong ones."""

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.aggregate import aggregate_lists
from multirm.evaluation.matching import check_labels
from multirm.evaluation.methods import Scorer
from multirm.evaluation.opening import Row, open_evaluation
from multirm.evaluation.pools import Category, read_categories
from multirm.evaluation.reward_lists import are_of_steps, of_lengths
from multirm.evaluation.step_metrics import step_metrics
from multirm.evaluation.verification_metrics import outcome_metrics
from multirm.files import check_folder
from multirm.sql import reading

logger = logging.getLogger(__name__)


@reading("--solutions, --rewards")
def evaluate_verification(
    solutions: list[str],
    output: Path,
    rewards: list[str] | None = None,
    aggregation: list[str] | None = None,
) -> None:
    """Say how well rewards tell right from wrong, per category: F1, areas under curves, calibration.

    What is correct is told by the answers or, where there is no reference answer, by the outcome
    label; a solution with neither is not judged.

    Args:
        solutions: As for `evaluate`, like all options but the output.
        output: Folder for the tables: verification, reliability (the calibration curves) and, of
            models with a reward for every step where steps are labelled, step_verification.
        rewards: MODEL=PATH.
        aggregation: MODEL=AGGREGATION.
    """
    check_folder(output)
    opened = open_evaluation(__name__, solutions, rewards, aggregation, selects=False)
    check_labels(opened.database)
    rows: dict[str, list[Row]] = {"verification": [], "reliability": [], "step_verification": []}
    for category in read_categories(opened.database, opened.models):
        unknown = int((~category.judged).sum())
        if unknown:
            logger.warning(
                "%s: %d solutions with neither a reference answer nor an outcome are not judged",
                category.name,
                unknown,
            )
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
    rewards = aggregate_lists(category.lists[scorer.model], scorer.aggregation)[category.judged]
    correct = category.correct[category.judged]
    metrics = asdict(outcome_metrics(rewards, correct, scorer.aggregation.is_probability))
    key = {
        "category": category.name,
        "model": scorer.model,
        "aggregation": str(scorer.aggregation),
    }
    bins = metrics.pop("reliability")
    return {**key, **metrics}, [{**key, **part} for part in bins]


def step_rows(category: Category, model: str) -> list[Row]:
    """A row of the step_verification table, or none where the rewards are not those of labelled steps."""
    labelled = pc.is_valid(category.step_labels)
    lists, labels = category.lists[model].filter(labelled), category.step_labels.filter(labelled)
    n_steps = pc.list_value_length(labels).to_numpy(zero_copy_only=False)
    if not are_of_steps(lists, n_steps):
        return []
    lists, fitting = of_lengths(lists, n_steps)
    if not fitting.all():
        logger.warning(
            "%s: %d solutions with other than one reward of %s per step are left out of the measures of steps",
            category.name,
            int((~fitting).sum()),
            model,
        )
    lists, labels = lists.filter(pa.array(fitting)), labels.filter(pa.array(fitting))
    rewards = lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    offsets = np.r_[0, np.cumsum(n_steps[fitting])]
    found = step_metrics(rewards, labels.flatten().to_numpy(), offsets)
    row: dict[str, Any] = {"category": category.name, "model": model}
    for part, scores in (("first_error", found.to_first_error), ("all", found.all_steps)):
        row |= _prefixed(part, asdict(scores))
    return [row | _prefixed("process_bench", asdict(found.process_bench))]


def _prefixed(part: str, values: Mapping[str, Any]) -> Row:
    return {f"{part}_{name}": value for name, value in values.items()}
