"""Entry point `measure_error_depths`: rewards of right and wrong solutions by the depth of the first error.

Where step labels are known, so is the step at which an error enters. That tests what OpenPRM's Theorem 1 says of
outcome and process supervision (`error_propagation`): how well each model tells right from wrong solutions if the error
is early or late, how much of a step's error the next one has (α), and whether another model's errors are those of the
first one times a factor (β).

A right solution is correct in every step and in its answer; a wrong one has an incorrect step and a wrong answer. They
are compared within a question. The error of a step's reward is what it lacks to the mean reward of the category's right
solutions at the same step; where no right solution has so many steps, it is unknown.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multirm.evaluation import jackknife
from multirm.evaluation.error_propagation import persistence, total_error, total_weight
from multirm.evaluation.estimates import Estimate, in_columns, rows_of, summaries
from multirm.evaluation.input_checks import check_labels
from multirm.evaluation.inputs import Opened, Row, open_evaluation
from multirm.evaluation.known_errors import Errors, errors_of
from multirm.evaluation.lengths import length_bins
from multirm.evaluation.methods import Scorer
from multirm.evaluation.options import InputOptions
from multirm.evaluation.pools import read_categories
from multirm.evaluation.training_seeds import runs_of_means
from multirm.running.arguments import EvaluationFolder, entry
from multirm.tables.error_depths import ERROR_DEPTHS, ERROR_PERSISTENCE
from multirm.tables.sql import reading

logger = logging.getLogger(__name__)


@entry
@reading("--solutions, --rewards")
def measure_error_depths(options: InputOptions, output: EvaluationFolder) -> None:
    """Measure how rewards tell right from wrong solutions by the depth of the first error, and how errors carry over.

    The first model of --aggregation is the one that others are compared with, such as one trained on outcomes alone.

    Args:
        options: inputs; the solutions have step labels.
        output: Folder for the tables: error_depths and error_persistence.
    """
    opened = open_evaluation(__name__, options, selects=False)
    check_labels(opened.database)
    found = [
        errors_of(category, opened.scorers)
        for category in read_categories(opened.database, opened.types, opened.answers)
    ]
    found = [each for each in found if len(each.wrong)]
    if not found:
        logger.warning("No solution has an incorrect step and a wrong answer: nothing is measured")
    rows = [
        (ERROR_DEPTHS, depth_rows(found, opened)),
        (ERROR_PERSISTENCE, persistence_rows(found, opened)),
    ]
    opened.write(output, rows)


def _summed(
    part: Errors, owners: np.ndarray, columns: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Sums over items for each group of questions, float64 [groups, columns], and the items of each question.

    Args:
        owners: the solution that each item belongs to, int [items].
        columns: float64 [items] each.
    """
    n_groups = int(part.groups.max(initial=-1)) + 1
    sums = [np.bincount(part.groups[owners], each, n_groups) for each in columns]
    return np.stack(sums, axis=-1), np.bincount(part.questions[owners])


def _estimate(sums: np.ndarray, per_question: np.ndarray, measure: Any) -> Estimate:
    """A measure of sums, in one column; the first sum is of items."""
    total = sums.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        value, without = measure(total), measure(total - sums)
    size = np.array([jackknife.effective_size(per_question)])
    return Estimate(np.array([float(value)]), without[:, None], sums[:, :1] > 0, size, {})


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 1] / sums[..., 0])


def _ratio(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 1] / sums[..., 2])


def _mean_estimate(part: Errors, owners: np.ndarray, values: np.ndarray) -> Estimate:
    """The mean of known values of items; NaN are unknown."""
    known = ~np.isnan(values)
    sums, per_question = _summed(part, owners[known], [np.ones(known.sum()), values[known]])
    return _estimate(sums, per_question, _mean)


def _first_runs(scorers: Sequence[Scorer], opened: Opened) -> list[Scorer]:
    """The scorers that others are compared with: the first one, or all training runs of its model."""
    runs = runs_of_means(scorers, opened.means)
    return next((list(own) for own in runs.values() if scorers[0] in own), [scorers[0]])


def depth_rows(parts: Sequence[Errors], opened: Opened) -> list[Row]:
    """The error_depths table; a range of depths has the same ends in every category."""
    if not parts:
        return []
    bins = length_bins(np.concatenate([part.depths[part.wrong] for part in parts]))
    first = _first_runs(opened.scorers, opened)
    runs = runs_of_means(opened.scorers, opened.means)
    shares: dict[str, dict[Scorer, Estimate]] = {}
    others: dict[str, dict[Scorer, Estimate]] = {}
    for part in parts:
        counts = {scorer: _counts(part, scorer, bins) for scorer in opened.scorers}
        shares[part.name] = {
            scorer: in_columns([[_accuracy(part, scorer, each) for each in bins]], counts[scorer])
            for scorer in opened.scorers
        }
        others[part.name] = {
            scorer: in_columns(_other_measures(part, scorer, first, bins), counts[scorer])
            for scorer in opened.scorers
        }
    of_shares = {
        (name, scorer): rows_of(["accuracy"], summary)
        for name, scorer, summary in summaries(shares, runs)
    }
    rows = []
    names = ["difference", "total_error", "predicted"]
    for name, scorer, summary in summaries(others, runs, is_share=False):
        own = zip(
            bins, of_shares[name, scorer], rows_of(names, summary, ["predicted"]), strict=True
        )
        for (low, high), share, other in own:
            notes = "; ".join(filter(None, (share["note"], other["note"]))) or None
            key = {"category": name, **scorer.columns, "depth_low": low, "depth_high": high}
            rows.append({**key, **share, **other, "note": notes})
    return rows


def _within(part: Errors, depths: tuple[int, int]) -> np.ndarray:
    """Which pairs have a first error of some depth, bool [pairs]."""
    own = part.depths[part.pairs[:, 1]]
    return np.asarray((own >= depths[0]) & (own <= depths[1]))


def _counts(
    part: Errors, scorer: Scorer, bins: Sequence[tuple[int, int]]
) -> list[Mapping[str, int]]:
    missing = np.isnan(part.wins[scorer])
    found: list[Mapping[str, int]] = []
    for each in bins:
        kept = _within(part, each)
        questions = part.questions[part.pairs[kept, 1]]
        found.append(
            {
                "n_questions": len(np.unique(questions)),
                "n_pairs": int(kept.sum()),
                "n_missing": int((kept & missing).sum()),
            }
        )
    return found


def _accuracy(part: Errors, scorer: Scorer, depths: tuple[int, int]) -> Estimate:
    kept = _within(part, depths)
    return _mean_estimate(part, part.pairs[kept, 1], part.wins[scorer][kept])


def _other_measures(
    part: Errors, scorer: Scorer, first: Sequence[Scorer], bins: Sequence[tuple[int, int]]
) -> list[list[Estimate]]:
    """By measure, the estimates for each range: the difference, the total error, and that by Theorem 1."""
    base = np.mean([part.wins[each] for each in first], axis=0)
    differences = part.wins[scorer] - (np.nan if scorer in first else base)
    totals, predicted = part.totals(scorer), predicted_totals(part, scorer, first)
    found: list[list[Estimate]] = [[], [], []]
    for each in bins:
        kept = _within(part, each)
        found[0].append(_mean_estimate(part, part.pairs[kept, 1], differences[kept]))
        own = part.wrong[
            (part.depths >= each[0])[part.wrong] & (part.depths <= each[1])[part.wrong]
        ]
        for place, values in ((1, totals), (2, np.where(np.isnan(totals), np.nan, predicted))):
            found[place].append(_mean_estimate(part, own, values[own]))
    return found


def predicted_totals(part: Errors, scorer: Scorer, first: Sequence[Scorer]) -> np.ndarray:
    """The sums of errors by Theorem 1, float64 [solutions]; NaN for solutions that are not wrong, or if α is unknown.

    α is the first model's, and so is ε, the size of an error where it enters: the one with which sums are those
    measured, by least squares. Other models have their own factor β.
    """
    totals = np.mean([part.totals(each) for each in first], axis=0)
    alpha = float(np.mean([_persistence(part, each).value[0] for each in first]))
    found = np.full(len(part.depths), np.nan)
    known = part.wrong[~np.isnan(totals[part.wrong])]
    if np.isnan(alpha) or not len(known):
        return found
    weights = total_weight(alpha, part.n_steps - np.maximum(part.depths, 1) + 1)[known]
    error = float((weights * totals[known]).sum() / np.square(weights).sum())
    factor = 1.0 if scorer in first else float(_factor(part, scorer, first).value[0])
    kinds, places = np.unique(
        np.stack([part.depths, part.n_steps], axis=1)[part.wrong], axis=0, return_inverse=True
    )
    sums = [
        total_error(error * (np.arange(1, n + 1) == depth), alpha, factor=factor)
        for depth, n in kinds.tolist()
    ]
    found[part.wrong] = np.array(sums)[places.ravel()]
    return found


def persistence_rows(parts: Sequence[Errors], opened: Opened) -> list[Row]:
    """The error_persistence table, of models with rewards of steps."""
    scorers = [each for each in opened.scorers if parts and each in parts[0].steps]
    first = _first_runs(opened.scorers, opened)
    runs = {
        mean: own
        for mean, own in runs_of_means(opened.scorers, opened.means).items()
        if set(own) <= set(scorers)
    }
    found = {
        part.name: {
            scorer: in_columns(
                [[_persistence(part, scorer)], [_factor(part, scorer, first)]],
                [_step_counts(part, scorer)],
            )
            for scorer in scorers
        }
        for part in parts
    }
    return [
        {"category": name, **scorer.columns, **row}
        for name, scorer, summary in summaries(found, runs, is_share=False)
        for row in rows_of(["alpha", "factor"], summary)
    ]


def _carried(part: Errors, scorer: Scorer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps of wrong solutions from the first incorrect one on that have a next one.

    Returns:
        the solution of each, int [steps]; their errors and those of the next steps, float64 [steps].
    """
    errors = part.steps[scorer]
    place = np.arange(1, errors.shape[1])
    first, n_steps = part.depths[:, None], part.n_steps[:, None]
    owners, here = np.nonzero((first > 0) & (place >= first) & (place < n_steps))
    return owners, errors[owners, here], errors[owners, here + 1]


def _persistence(part: Errors, scorer: Scorer) -> Estimate:
    """α of a scorer."""
    if scorer not in part.steps:
        nothing = np.zeros(0)
        owners, here, after = nothing.astype(int), nothing, nothing
    else:
        owners, here, after = _carried(part, scorer)
    known = ~np.isnan(here) & ~np.isnan(after)
    owners, here, after = owners[known], here[known], after[known]
    moments = [np.ones_like(here), here, after, here**2, here * after]
    sums, per_question = _summed(part, owners, moments)
    return _estimate(sums, per_question, persistence)


def _factor(part: Errors, scorer: Scorer, first: Sequence[Scorer]) -> Estimate:
    """β of a scorer: its sum of errors as a share of that of the first model."""
    base = np.mean([part.totals(each) for each in first], axis=0)
    own = part.totals(scorer)
    known = ~np.isnan(own) & ~np.isnan(base)
    if scorer in first or part.scales[scorer] is not part.scales[first[0]]:
        known &= False
    owners = np.flatnonzero(known)
    sums, per_question = _summed(part, owners, [np.ones(len(owners)), own[owners], base[owners]])
    return _estimate(sums, per_question, _ratio)


def _step_counts(part: Errors, scorer: Scorer) -> dict[str, int]:
    owners, here, after = _carried(part, scorer)
    return {
        "n_questions": len(np.unique(part.questions[owners])),
        "n_steps": len(owners),
        "n_missing": int((np.isnan(here) | np.isnan(after)).sum()),
    }
