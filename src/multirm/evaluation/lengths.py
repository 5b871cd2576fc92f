"""F1 by length of solutions, and how a model's gain over the majority vote goes with the length of a category's."""

from collections.abc import Mapping, Sequence

import numpy as np

from multirm.evaluation import intervals
from multirm.evaluation.estimates import Estimate, estimate, in_columns, rows_of, summaries
from multirm.evaluation.inputs import Opened, Row
from multirm.evaluation.methods import Scorer, labels
from multirm.evaluation.outcome_metrics import THRESHOLD
from multirm.evaluation.solution_parts import Part
from multirm.evaluation.training_seeds import one_per_model, runs_of_means
from multirm.tables.accuracy import MAJORITY_VOTE_NAME

N_BINS = 5

# Categories that a correlation needs, and that its interval over categories needs.
_FEWEST, _FEWEST_FOR_INTERVAL = 3, 4


def length_rows(parts: Sequence[Part], opened: Opened) -> list[Row]:
    """The lengths table; a bin has the same ends in every category."""
    bins = length_bins(np.concatenate([part.n_steps[_countable(part)] for part in parts]))
    if not bins:
        return []
    found = {
        part.name: {scorer: _by_length(part, scorer, bins) for scorer in opened.scorers}
        for part in parts
    }
    return [
        {"category": name, **scorer.columns, "steps_low": low, "steps_high": high, **columns}
        for name, scorer, summary in summaries(found, runs_of_means(opened.scorers, opened.means))
        for (low, high), columns in zip(
            bins, rows_of(("f1", "f1_of_yes"), summary, without_interval=["f1_of_yes"]), strict=True
        )
    ]


def _by_length(part: Part, scorer: Scorer, bins: Sequence[tuple[int, int]]) -> Estimate:
    """F1 in each bin, then that of calling all its solutions correct."""
    rewards, correct, questions = part.rewards[scorer], part.category.correct, part.questions
    scored = ~np.isnan(rewards)
    inside = [
        _countable(part) & (part.n_steps >= low) & (part.n_steps <= high) for low, high in bins
    ]
    measures = [
        [f1(predicted, correct, questions, own & scored) for own in inside]
        for predicted in (is_predicted(rewards), np.ones_like(scored))
    ]
    counts = [
        {
            "n_questions": len(np.unique(questions[own])),
            "n_scored": int((own & scored).sum()),
            "n_missing": int((own & ~scored).sum()),
            "n_correct": int(correct[own].sum()),
        }
        for own in inside
    ]
    return in_columns(measures, counts)


def _countable(part: Part) -> np.ndarray:
    """Solutions of known length and correctness, bool [solutions]."""
    return part.category.judged & (part.n_steps >= 0)


def correlation_rows(
    parts: Sequence[Part], values: Mapping[str, Mapping[str, np.ndarray]], opened: Opened, n: int
) -> list[Row]:
    """The length_correlations table.

    Args:
        values: for each category and method, how often each question is answered correctly, as from `_values`.
    """
    names = labels(one_per_model(opened.scorers, opened.means))
    lengths = [_mean_per_question(part) for part in parts]
    rows = []
    for scorer, name in names.items():
        gains = [values[part.name][name] - values[part.name][MAJORITY_VOTE_NAME] for part in parts]
        rows.append(
            {
                **scorer.columns,
                "n": n,
                "n_categories": len(parts),
                **correlation(lengths, gains),
            }
        )
    return rows


def _mean_per_question(part: Part) -> np.ndarray:
    """The mean number of steps of each question's solutions, float64 [questions]; NaN if unknown."""
    n_steps = np.where(part.n_steps < 0, np.nan, part.n_steps)
    return np.bincount(part.questions, n_steps) / np.bincount(part.questions)


def length_bins(n_steps: np.ndarray, n_bins: int = N_BINS) -> list[tuple[int, int]]:
    """Ranges of numbers of steps, both ends included, with about as many solutions in each.

    Args:
        n_steps: int [solutions].
        n_bins: how many ranges at most; fewer if many solutions have the same number of steps.

    Returns:
        ranges that together cover all numbers from the smallest to the largest, in order. Solutions with equally many
        steps are never apart, so the solutions that are left after a full range are shared among the others.
    """
    ordered = np.sort(n_steps)
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(ordered):
        wanted = -(-(len(ordered) - start) // (n_bins - len(found)))
        high = int(ordered[start + wanted - 1])
        found.append((found[-1][1] + 1 if found else int(ordered[0]), high))
        start = int(np.searchsorted(ordered, high, side="right"))
    return found


def f1(
    predicted: np.ndarray, correct: np.ndarray, questions: np.ndarray, kept: np.ndarray
) -> Estimate:
    """F1 of predicting that solutions are correct; undefined if none is correct or predicted to be.

    Args:
        predicted, correct: bool [solutions].
        questions: int [solutions], from 0 without gaps.
        kept: bool [solutions], which ones count.
    """
    weights = predicted.astype(np.float64) + correct
    return estimate(_f1, 2 * correct + predicted, questions, kept, 4, weights)


def _f1(counts: np.ndarray) -> np.ndarray:
    _, fp, fn, tp = np.moveaxis(counts, -1, 0)
    return np.asarray(2 * tp / (2 * tp + fp + fn))


def is_predicted(rewards: np.ndarray) -> np.ndarray:
    """Which solutions are predicted to be correct, bool [solutions]; those without a reward are not."""
    return np.asarray(rewards >= THRESHOLD)


def mean_steps(n_steps: np.ndarray, questions: np.ndarray, kept: np.ndarray) -> Estimate:
    """The mean number of steps of some solutions.

    Args:
        n_steps: int [solutions], at least 0 where `kept`.
        questions: int [solutions], from 0 without gaps.
        kept: bool [solutions].
    """
    n_kinds = int(n_steps.max(initial=0)) + 1
    numbers = np.arange(n_kinds)

    def measure(counts: np.ndarray) -> np.ndarray:
        return np.asarray(counts @ numbers / counts.sum(axis=-1))

    return estimate(measure, n_steps, questions, kept, n_kinds)


def correlation(
    lengths: Sequence[np.ndarray], gains: Sequence[np.ndarray]
) -> Mapping[str, float | None]:
    """Pearson's correlation over categories between mean length and mean gain, with two 95 % intervals.

    Fisher's z = artanh(r) is about normal. Its variance over questions of these categories is a jackknife's,
    stratified by category; that over categories is 1 / (categories - 3) (Fisher 1921).

    Means over few questions are noisy, which draws r towards 0. So the ends of the interval over questions are moved
    away from 0 by Spearman's (1904) factor: 1 / √(reliability of the lengths · reliability of the gains). In
    simulations, this interval contains the correlation of noiseless means 91 to 99 % of the time; without the factor,
    76 % where noise prevails.

    Args:
        lengths: for each category float64 [questions], the mean number of steps of each question's solutions.
        gains: for each category float64 [questions], the gain on each.

    Returns:
        `correlation`, and its low and high ends over questions and over categories; None where undefined.
    """
    names = ("correlation", "correlation_low", "correlation_high")
    found: dict[str, float | None] = dict.fromkeys((*names, "categories_low", "categories_high"))
    x, y = (np.array([part.mean() for part in parts]) for parts in (lengths, gains))
    r = float(pearson(x, y)) if len(x) >= _FEWEST else np.nan
    if np.isnan(r):
        return found
    found["correlation"] = r
    variance = _variance_of_z(lengths, gains, x, y)
    if not np.isnan(variance):
        low, high = _around(r, variance)
        reliability = _reliability(lengths, x) * _reliability(gains, y)
        factor = 1 / np.sqrt(reliability) if reliability else np.inf
        found["correlation_low"] = float(max(-1.0, min(low, low * factor)))
        found["correlation_high"] = float(min(1.0, max(high, high * factor)))
    if len(x) >= _FEWEST_FOR_INTERVAL:
        found["categories_low"], found["categories_high"] = _around(r, 1 / (len(x) - 3))
    return found


def pearson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's correlation along the last axis; NaN if either is constant."""
    x, y = (part - part.mean(axis=-1, keepdims=True) for part in (x, y))
    # Differences of rounding are none.
    x, y = (np.where(np.abs(part) < intervals.ROUNDING, 0.0, part) for part in (x, y))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = (x * y).sum(axis=-1) / np.sqrt((x**2).sum(axis=-1) * (y**2).sum(axis=-1))
    return np.asarray(np.clip(r, -1, 1))


def _variance_of_z(
    lengths: Sequence[np.ndarray], gains: Sequence[np.ndarray], x: np.ndarray, y: np.ndarray
) -> float:
    """NaN if a category has a single question, or the correlation is undefined or perfect without some question."""
    total = 0.0
    for k, (length, gain) in enumerate(zip(lengths, gains, strict=True)):
        count = len(length)
        if count < 2:
            return float("nan")
        without_x, without_y = np.tile(x, (count, 1)), np.tile(y, (count, 1))
        without_x[:, k] = (length.sum() - length) / (count - 1)
        without_y[:, k] = (gain.sum() - gain) / (count - 1)
        with np.errstate(divide="ignore"):
            z = np.arctanh(pearson(without_x, without_y))
        with np.errstate(invalid="ignore"):
            total += (count - 1) / count * float(np.square(z - z.mean()).sum())
    return total


def _reliability(parts: Sequence[np.ndarray], means: np.ndarray) -> float:
    """The share of the variance of means over questions that is not due to their questions, from 0 to 1."""
    noise = np.mean([part.var(ddof=1) / len(part) for part in parts])
    return float(max(1 - noise / means.var(ddof=1), 0.0))


def _around(r: float, variance: float) -> tuple[float, float]:
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    half = float(intervals.student(np.inf)) * np.sqrt(variance)
    return float(np.tanh(z - half)), float(np.tanh(z + half))
