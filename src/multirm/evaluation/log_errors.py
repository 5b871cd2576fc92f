"""Entry point `measure_log_errors`: how far rewards are from the truth, by number of steps, where the truth is known.

If a solution is correct in every step, the true probability f that it is correct is 1. So the log-error of its reward
is Δ = ln(reward) - ln f = ln(reward), which is 0 or less. Theorems 4.1 to 4.3 of the paper (arXiv 2510.00492) say how
its mean square depends on the number of steps. If a step is incorrect, f is 0 and its logarithm is infinite, so nothing
is measured there: these are errors of one of two kinds. Short and long solutions may differ in other ways than in
length, which would change errors, too.

Scores without bounds have no logarithm, and models with such rewards are left out.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation import jackknife
from multirm.evaluation.estimates import Estimate, in_columns, rows_of, summaries
from multirm.evaluation.input_checks import check_labels
from multirm.evaluation.inputs import Opened, Row, open_evaluation
from multirm.evaluation.lengths import length_bins
from multirm.evaluation.methods import Scorer
from multirm.evaluation.options import InputOptions
from multirm.evaluation.pools import Category, read_categories
from multirm.evaluation.reward_lists import of_lengths
from multirm.evaluation.training_seeds import runs_of_means
from multirm.reward_models.aggregate import aggregate_lists
from multirm.running.arguments import EvaluationFolder, entry
from multirm.tables.accuracy import Aggregation
from multirm.tables.log_errors import LOG_ERROR_SLOPES, LOG_ERRORS
from multirm.tables.rewards import Scale, Unit
from multirm.tables.sql import reading

logger = logging.getLogger(__name__)

# Rewards below it are measured as it: a logarithm of at least -13.8.
LEAST = 1e-6

# The product is what the theorems are about; the other two are what evaluations use.
_OF_STEPS = (Aggregation.PROD, Aggregation.MIN, Aggregation.MEAN)


@dataclass(frozen=True)
class RightSolutions:
    """The solutions of one category that are correct in every step.

    Attributes:
        questions: int [solutions], from 0 without gaps.
        n_steps: int [solutions], at least 1.
        errors: for each scorer the log-error, float64 [solutions]; NaN where a reward is missing.
        clipped: for each scorer whether a reward was below LEAST, bool [solutions].
    """

    name: str
    questions: np.ndarray
    n_steps: np.ndarray
    errors: dict[Scorer, np.ndarray]
    clipped: dict[Scorer, np.ndarray]


Kept = Callable[[RightSolutions], np.ndarray]
"""Which solutions count, bool [solutions]."""

Measure = Callable[[np.ndarray], np.ndarray]
"""Maps sums over solutions of 1, T, T², Δ, TΔ and Δ², float64 [..., 6], to a value [...]; NaN if undefined."""


@entry
@reading("--solutions, --rewards")
def measure_log_errors(
    options: InputOptions,
    output: EvaluationFolder,
) -> None:
    """Measure log-errors of rewards by number of steps, on solutions whose step labels say that all are correct.

    Step rewards are also multiplied, unless the last one is a model's reward.

    Args:
        options: inputs.
        output: Folder for the tables: log_errors (mean and root mean square by number of steps) and log_error_slopes
            (by how much errors grow with each step).
    """
    opened = open_evaluation(__name__, options, selects=False)
    check_labels(opened.database)
    scorers = measured_scorers(opened)
    right = [
        found
        for category in read_categories(opened.database, opened.types, opened.answers)
        if len((found := right_solutions(category, scorers)).n_steps)
    ]
    if not right:
        logger.warning("No solution is labelled correct in every step: no log-errors are measured")
    opened.write(
        output,
        [
            (LOG_ERRORS, error_rows(right, opened)),
            (LOG_ERROR_SLOPES, slope_rows(right, opened)),
        ],
    )


def measured_scorers(opened: Opened) -> list[Scorer]:
    """The models with probabilities, each with its aggregations.

    Step rewards are also aggregated by product, minimum and mean, except for models whose reward is that of the last
    step: those are outcome reward models, whose other rewards mean nothing.
    """
    found = []
    for model in opened.models:
        own = [each.aggregation for each in opened.scorers if each.model == model]
        known = opened.types[model]
        if known.scale is not Scale.PROBABILITY:
            logger.warning("%s has scores instead of probabilities: it has no log-errors", model)
            continue
        is_process = known.unit is Unit.STEP and set(own) != {Aggregation.LAST}
        ways = dict.fromkeys((*(_OF_STEPS if is_process else ()), *own))
        found += [Scorer(model, each) for each in ways if each.is_probability]
    return found


def right_solutions(category: Category, scorers: Sequence[Scorer]) -> RightSolutions:
    """The solutions of a category that are correct in every step, and in their answer."""
    labels = category.step_labels
    lengths = pc.fill_null(pc.list_value_length(labels), 0).to_numpy(zero_copy_only=False)
    wrong = np.zeros(len(labels), dtype=bool)
    wrong[pc.list_parent_indices(labels).to_numpy()[labels.flatten().to_numpy() == 0]] = True
    kept = (lengths > 0) & ~wrong & category.judged & category.correct
    _, questions = np.unique(category.question_ids[kept].astype(str), return_inverse=True)
    errors, clipped = {}, {}
    for scorer in scorers:
        lists = category.lists[scorer.model].filter(pa.array(kept))
        if category.types[scorer.model].unit is Unit.STEP:
            lists, _ = of_lengths(lists, lengths[kept])
        errors[scorer], clipped[scorer] = log_errors(lists, scorer.aggregation)
    return RightSolutions(category.name, questions, lengths[kept], errors, clipped)


def log_errors(rewards: pa.ListArray, aggregation: Aggregation) -> tuple[np.ndarray, np.ndarray]:
    """ln(reward) of lists of rewards from 0 to 1, and whether rewards were clipped.

    Of a product, each factor is clipped, and it is missing if any factor is; else the aggregated reward is clipped.

    Returns:
        float64 [lists], NaN where missing; bool [lists].
    """
    if aggregation is not Aggregation.PROD:
        values = aggregate_lists(rewards, aggregation)
        return np.log(np.maximum(values, LEAST)), values < LEAST
    values = rewards.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    owners = pc.list_parent_indices(rewards).to_numpy()
    n_lists = len(rewards)
    sums = np.bincount(owners, np.log(np.maximum(values, LEAST)), minlength=n_lists)
    clipped = np.bincount(owners, values < LEAST, minlength=n_lists) > 0
    is_empty = np.bincount(owners, minlength=n_lists) == 0
    return np.where(is_empty, np.nan, sums), clipped


def error_rows(right: Sequence[RightSolutions], opened: Opened) -> list[Row]:
    """The log_errors table; a range of steps has the same ends in every category."""
    if not right:
        return []
    bins = length_bins(np.concatenate([part.n_steps for part in right]))
    ranges: list[Kept] = [_between(low, high) for low, high in bins]
    return [
        {
            "category": category,
            **scorer.columns,
            "steps_low": low,
            "steps_high": high,
            **row,
            "rms_low": None if row["rms_low"] is None else max(row["rms_low"], 0.0),
        }
        for category, scorer, rows in _rows(right, opened, _ERRORS, ranges)
        for (low, high), row in zip(bins, rows, strict=True)
    ]


def slope_rows(right: Sequence[RightSolutions], opened: Opened) -> list[Row]:
    """The log_error_slopes table."""
    return [
        {"category": category, **scorer.columns, **row}
        for category, scorer, rows in _rows(right, opened, {"slope": slope}, [_all])
        for row in rows
    ]


def _rows(
    right: Sequence[RightSolutions],
    opened: Opened,
    measures: Mapping[str, Measure],
    ranges: Sequence[Kept],
) -> Iterator[tuple[str, Scorer, list[Row]]]:
    """For each category and scorer, a row of measures for each range."""
    found = {
        part.name: {scorer: _in_ranges(part, scorer, measures, ranges) for scorer in part.errors}
        for part in right
    }
    scorers = list(right[0].errors) if right else []
    runs = runs_of_means(scorers, opened.means)
    for category, scorer, summary in summaries(found, runs, is_share=False):
        yield category, scorer, rows_of(list(measures), summary)


def _in_ranges(
    part: RightSolutions, scorer: Scorer, measures: Mapping[str, Measure], ranges: Sequence[Kept]
) -> Estimate:
    errors = part.errors[scorer]
    return in_columns(
        [
            [estimate(part, errors, kept(part), each) for kept in ranges]
            for each in measures.values()
        ],
        [_counts(part, scorer, kept(part)) for kept in ranges],
    )


def _all(part: RightSolutions) -> np.ndarray:
    return np.ones(len(part.n_steps), dtype=bool)


def _between(low: int, high: int) -> Kept:
    return lambda part: (part.n_steps >= low) & (part.n_steps <= high)


def _counts(part: RightSolutions, scorer: Scorer, kept: np.ndarray) -> dict[str, int]:
    missing = np.isnan(part.errors[scorer])
    return {
        "n_questions": len(np.unique(part.questions[kept])),
        "n_scored": int((kept & ~missing).sum()),
        "n_missing": int((kept & missing).sum()),
        "n_clipped": int((kept & ~missing & part.clipped[scorer]).sum()),
    }


def mean_error(sums: np.ndarray) -> np.ndarray:
    """The mean log-error."""
    return np.asarray(sums[..., 3] / sums[..., 0])


def root_mean_square(sums: np.ndarray) -> np.ndarray:
    """The root mean square log-error."""
    return np.sqrt(np.maximum(sums[..., 5], 0) / sums[..., 0])


def slope(sums: np.ndarray) -> np.ndarray:
    """By how much |log-error|, which is -log-error, grows with each step: a least-squares line's slope."""
    n, steps, squares, errors, products, _ = np.moveaxis(sums, -1, 0)
    spread = n * squares - steps**2
    return np.asarray(np.where(spread > 0, -(n * products - steps * errors) / spread, np.nan))


_ERRORS: Mapping[str, Measure] = {"mean": mean_error, "rms": root_mean_square}


def estimate(
    part: RightSolutions, errors: np.ndarray, kept: np.ndarray, measure: Measure
) -> Estimate:
    """A measure of some solutions, in one column, without counts.

    Args:
        errors: float64 [solutions]; solutions with NaN do not count.
        kept: bool [solutions].
    """
    kept = kept & ~np.isnan(errors)
    t, e = part.n_steps[kept].astype(np.float64), errors[kept]
    groups = jackknife.grouped(part.questions)
    n_groups = int(groups.max()) + 1
    moments = (np.ones_like(t), t, t**2, e, t * e, e**2)
    sums = np.stack([np.bincount(groups[kept], each, n_groups) for each in moments], axis=-1)
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, without = measure(total), measure(total - sums)
    return Estimate(
        np.array([float(value)]),
        without[:, None],
        sums[:, :1] > 0,
        np.array([jackknife.effective_size(np.bincount(part.questions[kept]))]),
        {},
    )
