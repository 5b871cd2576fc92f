"""Entry point `evaluate_verification`: how well rewards separate correct solutions and steps from incorrect ones."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.aggregate import aggregate_lists, ranking
from multirm.evaluation.input_checks import check_labels
from multirm.evaluation.inputs import Row, open_evaluation
from multirm.evaluation.methods import Scorer
from multirm.evaluation.outcome_metrics import Bounds, OutcomeMetrics, outcome_metrics
from multirm.evaluation.pools import Category, read_categories
from multirm.evaluation.reward_lists import of_lengths
from multirm.evaluation.step_metrics import ProcessBench, StepScores, step_metrics
from multirm.running.arguments import EvaluationFolder, Place, entry
from multirm.tables.accuracy import IntervalNote
from multirm.tables.rewards import Scale, Unit
from multirm.tables.sql import reading
from multirm.tables.verification import RELIABILITY, STEP_VERIFICATION, VERIFICATION
from multirm.text.answer_rules import AnswerRule

logger = logging.getLogger(__name__)


@entry
@reading("--solutions, --rewards")
def evaluate_verification(
    solutions: list[Place],
    output: EvaluationFolder,
    rewards: list[Place] | None = None,
    aggregation: list[str] | None = None,
    unit: list[str] | None = None,
    scale: list[str] | None = None,
    answers: AnswerRule = AnswerRule.MEANING,
    reward_models: Path | None = None,
) -> None:
    """Measure how well rewards predict correctness, per category: F1, areas under curves, calibration.

    A solution is correct if its parsed answer matches the reference answer; without a reference answer, the outcome
    label decides, and solutions with neither are left out.

    Args:
        solutions: As for `evaluate`, like all options except the output.
        output: Folder for the tables: verification, reliability (calibration curves) and, for models with step
            rewards and solutions with step labels, step_verification.
        rewards: MODEL=PATH.
        aggregation: MODEL=AGGREGATION.
        unit: MODEL=UNIT.
        scale: MODEL=SCALE.
        answers: When two answers are equal, `meaning` or `strict`.
        reward_models: Table of reward models.
    """
    opened = open_evaluation(
        __name__,
        solutions,
        rewards,
        aggregation,
        selects=False,
        answers=answers,
        unit=unit,
        scale=scale,
        reward_models=reward_models,
    )
    check_labels(opened.database)
    of_solutions: list[Row] = []
    of_bins: list[Row] = []
    of_steps: list[Row] = []
    for category in read_categories(opened.database, opened.types):
        unknown = int((~category.judged).sum())
        if unknown:
            logger.warning(
                "%s: left out %d solutions with neither a reference answer nor an outcome",
                category.name,
                unknown,
            )
        for scorer in opened.scorers:
            found, bins = outcome_rows(category, scorer)
            of_solutions.append(found)
            of_bins += bins
        for model in opened.models:
            of_steps += step_rows(category, model)
    opened.write(
        output,
        [(VERIFICATION, of_solutions), (RELIABILITY, of_bins), (STEP_VERIFICATION, of_steps)],
    )


def outcome_rows(category: Category, scorer: Scorer) -> tuple[Row, list[Row]]:
    """A row of the verification table, and those of the reliability table, for one scorer."""
    lists = category.lists[scorer.model]
    found = outcome_metrics(
        aggregate_lists(lists, scorer.aggregation)[category.judged],
        category.correct[category.judged],
        category.question_ids.astype(str)[category.judged],
        scorer.aggregation.is_probability
        and category.types[scorer.model].scale is Scale.PROBABILITY,
        ranking(lists, scorer.aggregation)[category.judged],
    )
    key = {
        "category": category.name,
        "model": scorer.model,
        "aggregation": str(scorer.aggregation),
    }
    bins = [{**key, **asdict(part)} for part in found.reliability]
    return {**key, **_columns(found)}, bins


def step_rows(category: Category, model: str) -> list[Row]:
    """A row of the step_verification table, or none without step rewards or step labels."""
    labelled = pc.is_valid(category.step_labels)
    lists, labels = category.lists[model].filter(labelled), category.step_labels.filter(labelled)
    n_steps = pc.list_value_length(labels).to_numpy(zero_copy_only=False)
    if category.types[model].unit is not Unit.STEP or not len(labels):
        return []
    lists, fitting = of_lengths(lists, n_steps)
    if not fitting.all():
        logger.warning(
            "%s: left out %d solutions without exactly one reward by %s per step from the step measures",
            category.name,
            int((~fitting).sum()),
            model,
        )
    lists, labels = lists.filter(pa.array(fitting)), labels.filter(pa.array(fitting))
    rewards = lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    offsets = np.r_[0, np.cumsum(n_steps[fitting])]
    questions = category.question_ids.astype(str)[labelled.to_numpy(zero_copy_only=False)][fitting]
    scale = category.types[model].scale
    found = step_metrics(rewards, labels.flatten().to_numpy(), offsets, questions, scale)
    row: dict[str, Any] = {"category": category.name, "model": model}
    parts = (
        ("first_error", found.to_first_error),
        ("all", found.all_steps),
        ("process_bench", found.process_bench),
    )
    for part, scores in parts:
        row |= {f"{part}_{name}": value for name, value in _columns(scores).items()}
    return [row]


def _columns(found: OutcomeMetrics | StepScores | ProcessBench) -> Row:
    """Measures as columns, each with `_low` and `_high`, null if undefined.

    The column `note` lists the measures whose interval rests on one question.
    """
    columns = asdict(found)
    columns.pop("reliability", None)
    bounds: Bounds = columns.pop("intervals")
    for name, (low, high) in bounds.items():
        columns |= {f"{name}_low": low, f"{name}_high": high}
    alone = columns.pop("on_one_question")
    columns["note"] = f"{IntervalNote.ONE_QUESTION}: {', '.join(alone)}" if alone else None
    return columns
