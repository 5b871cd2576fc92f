"""Entry point `evaluate_verification`: how well rewards separate correct solutions and steps from incorrect ones."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation import shorter
from multirm.evaluation.f1_rows import (
    critique_rows,
    minimum_rows,
    step_threshold_rows,
    threshold_rows,
)
from multirm.evaluation.input_checks import check_labels
from multirm.evaluation.inputs import Row, open_evaluation
from multirm.evaluation.methods import Scorer
from multirm.evaluation.options import InputOptions
from multirm.evaluation.outcome_metrics import (
    Bounds,
    OutcomeMetrics,
    outcome_metrics,
    reliability,
)
from multirm.evaluation.pair_accuracy import pair_accuracy
from multirm.evaluation.pools import Category, read_categories, read_step_lengths
from multirm.evaluation.reward_lists import of_lengths
from multirm.evaluation.step_metrics import LabelledSteps, ProcessBench, StepScores, step_metrics
from multirm.reward_models.aggregate import aggregate_lists, ranking
from multirm.running.arguments import EvaluationFolder, entry
from multirm.running.numbers import Seed
from multirm.tables.accuracy import OVERALL, IntervalNote
from multirm.tables.f1 import F1_BY_CRITIQUES, MINIMUM_POSITIONS, STEP_THRESHOLDS, THRESHOLDS
from multirm.tables.response_accuracy import SHORTER
from multirm.tables.rewards import Scale, Unit
from multirm.tables.sql import reading
from multirm.tables.verification import RELIABILITY, STEP_VERIFICATION, VERIFICATION

logger = logging.getLogger(__name__)


@entry
@reading("--solutions, --rewards")
def evaluate_verification(
    options: InputOptions,
    output: EvaluationFolder,
    seed: Seed = 42,
) -> None:
    """Measure how well rewards predict correctness, per category: F1, areas under curves, calibration.

    A solution is correct if its parsed answer matches the reference answer; without a reference answer, the outcome
    label decides, and solutions with neither are left out. After the reward models stands what length alone would do:
    `shorter`, by which the shorter step or solution is the better one.

    Args:
        options: inputs.
        output: Folder for the tables: verification; reliability (calibration curves); thresholds and
            f1_by_critiques (F1 by threshold and by number of critiques); and for models with step rewards,
            minimum_positions and, if steps are labelled, step_verification and step_thresholds.
        seed: Seed of the random choices of critiques.
    """
    opened = open_evaluation(__name__, options, selects=False)
    check_labels(opened.database)
    categories = list(read_categories(opened.database, opened.types, opened.answers))
    for category in categories:
        _warn_of_unknown(category)
    lengths = {
        name: own
        for name, own in read_step_lengths(opened.database).items()
        if own.null_count < len(own)
    }
    of_solutions, of_bins = _outcomes(categories, opened.scorers, lengths)
    steps = {
        category.name: {
            model: found
            for model in opened.models
            if (found := labelled_steps(category, model)) is not None
        }
        for category in categories
    }
    of_steps = _step_rows(categories, steps, lengths)
    probabilities = {
        name: {
            model: found
            for model, found in own.items()
            if opened.types[model].scale is Scale.PROBABILITY
        }
        for name, own in steps.items()
    }
    opened.write(
        output,
        [
            (VERIFICATION, of_solutions),
            (RELIABILITY, of_bins),
            (STEP_VERIFICATION, of_steps),
            (THRESHOLDS, threshold_rows(categories, opened.scorers, opened.means)),
            (STEP_THRESHOLDS, step_threshold_rows(probabilities, opened.means)),
            (F1_BY_CRITIQUES, critique_rows(categories, opened.scorers, opened.means, seed)),
            (MINIMUM_POSITIONS, minimum_rows(categories, opened.models, opened.means)),
        ],
        seed=seed,
    )


def _warn_of_unknown(category: Category) -> None:
    unknown = int((~category.judged).sum())
    if unknown:
        logger.warning(
            "%s: left out %d solutions with neither a reference answer nor an outcome",
            category.name,
            unknown,
        )


def _outcomes(
    categories: Sequence[Category],
    scorers: Sequence[Scorer],
    lengths: Mapping[str, pa.ListArray],
) -> tuple[list[Row], list[Row]]:
    """The rows of the verification and reliability tables; the latter's Overall is over all solutions together.

    Args:
        lengths: the number of characters of each step, for the categories whose steps are known.
    """
    of_solutions: list[Row] = []
    of_bins: list[Row] = []
    for scorer in scorers:
        of_bins += pooled_bins(categories, scorer)
    for category in categories:
        for scorer in scorers:
            found, bins = outcome_rows(category, scorer)
            of_solutions.append(found)
            of_bins += bins
        if category.name in lengths:
            own = shorter.of_solutions(category, lengths[category.name])
            of_solutions.append(outcome_rows(own, shorter.STAND_IN)[0])
    return of_solutions, of_bins


def _step_rows(
    categories: Sequence[Category],
    steps: Mapping[str, Mapping[str, LabelledSteps]],
    lengths: Mapping[str, pa.ListArray],
) -> list[Row]:
    """The rows of the step_verification table.

    Args:
        steps: by category and reward model.
        lengths: as for `_outcomes`.
    """
    rows: list[Row] = []
    for category in categories:
        rows += [step_row(category, *each) for each in steps[category.name].items()]
        if category.name in lengths:
            own = shorter.of_steps(category, lengths[category.name])
            if found := labelled_steps(own, SHORTER):
                rows.append(step_row(own, SHORTER, found))
    return rows


def pooled_bins(categories: Sequence[Category], scorer: Scorer) -> list[Row]:
    """The reliability table's rows for a scorer and all solutions of all categories together."""
    known = categories[0].types[scorer.model].scale
    if known is not Scale.PROBABILITY or not scorer.aggregation.is_probability:
        return []
    rewards, correct, questions = (
        np.concatenate(parts)
        for parts in zip(
            *((*_judged(each, scorer), _question_names(each)) for each in categories), strict=True
        )
    )
    scored = ~np.isnan(rewards)
    _, numbers = np.unique(questions[scored], return_inverse=True)
    bins = reliability(rewards[scored], correct[scored], numbers)
    return [{"category": OVERALL, **scorer.columns, **asdict(part)} for part in bins]


def _judged(category: Category, scorer: Scorer) -> tuple[np.ndarray, np.ndarray]:
    """The rewards of the solutions whose correctness is known, and which are correct."""
    rewards = aggregate_lists(category.lists[scorer.model], scorer.aggregation)
    return rewards[category.judged], category.correct[category.judged]


def _question_names(category: Category) -> np.ndarray:
    """The questions of the same solutions, as names that no other category has."""
    names = category.question_ids.astype(str)[category.judged]
    return np.char.add(f"{category.name}/", names)


def outcome_rows(category: Category, scorer: Scorer) -> tuple[Row, list[Row]]:
    """A row of the verification table, and those of the reliability table, for one scorer."""
    lists = category.lists[scorer.model]
    rewards, correct = _judged(category, scorer)
    questions = category.question_ids.astype(str)[category.judged]
    ranks = ranking(lists, scorer.aggregation)[category.judged]
    found = outcome_metrics(
        rewards,
        correct,
        questions,
        scorer.aggregation.is_probability
        and category.types[scorer.model].scale is Scale.PROBABILITY,
        ranks,
    )
    key = {"category": category.name, **scorer.columns}
    bins = [{**key, **asdict(part)} for part in found.reliability]
    pairs = pair_accuracy(ranks, correct, questions)
    if pairs.interval:
        found = replace(found, intervals={**found.intervals, "pair_accuracy": pairs.interval})
    if pairs.rests_on_one_question:
        found = replace(found, on_one_question=[*found.on_one_question, "pair_accuracy"])
    columns = {"n_pairs": pairs.n_pairs, "pair_accuracy": pairs.value, **_columns(found)}
    return {**key, **columns}, bins


def labelled_steps(category: Category, model: str) -> LabelledSteps | None:
    """The model's step rewards of labelled solutions; None without step rewards or step labels."""
    labelled = pc.is_valid(category.step_labels)
    lists, labels = category.lists[model].filter(labelled), category.step_labels.filter(labelled)
    n_steps = pc.list_value_length(labels).to_numpy(zero_copy_only=False)
    if category.types[model].unit is not Unit.STEP or not len(labels):
        return None
    lists, fitting = of_lengths(lists, n_steps)
    if not fitting.all():
        logger.warning(
            "%s: left out %d solutions without exactly one reward by %s per step from the step measures",
            category.name,
            int((~fitting).sum()),
            model,
        )
    lists, labels = lists.filter(pa.array(fitting)), labels.filter(pa.array(fitting))
    questions = category.question_ids.astype(str)[labelled.to_numpy(zero_copy_only=False)]
    return LabelledSteps(
        lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False),
        labels.flatten().to_numpy(),
        np.r_[0, np.cumsum(n_steps[fitting])],
        np.unique(questions, return_inverse=True)[1][fitting],
    )


def step_row(category: Category, model: str, steps: LabelledSteps) -> Row:
    """A row of the step_verification table."""
    scale = category.types[model].scale
    found = step_metrics(steps.rewards, steps.labels, steps.offsets, steps.questions, scale)
    row: dict[str, Any] = {"category": category.name, "model": model}
    parts = (
        ("first_error", found.to_first_error),
        ("all", found.all_steps),
        ("process_bench", found.process_bench),
    )
    for part, scores in parts:
        row |= {f"{part}_{name}": value for name, value in _columns(scores).items()}
    return row


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
