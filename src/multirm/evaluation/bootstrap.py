"""How far accuracies and their differences would move with other questions: a stratified bootstrap.

Questions are what a benchmark samples, so questions are what is resampled: within each category, to
the category's own size. All columns (a column is one method at one N) see the same resamples, so
differences between columns are paired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.randomness import item_generator
from multirm.vocabulary import OVERALL

# Behind the intervals and p-values that are reported.
RESAMPLES = 10_000

# Bounds the memory of one block of resamples, to twice 64 MB. Blocks of a few rows only, which
# categories of 60,000 questions would get from a smaller bound, make the product ten times slower.
DRAWS_AT_ONCE = 8_000_000

# Means of values in 0..1 that are this close differ by rounding only. A difference of 0 has to be
# known as 0, since it counts for both tails of a p-value.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Comparison:
    """Paired differences, first column minus second, in the unit of the values.

    Attributes:
        difference: float64 [pairs], on the questions themselves.
        low, high: float64 [pairs], the percentile interval.
        p: float64 [pairs], two-sided, in (0, 1], not adjusted; NaN where a column is missing, and
            where all resamples agree on a difference other than 0 (as with a single question):
            without any variation there is nothing to judge it by.
    """

    difference: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def resampled_means(
    values_by_category: Mapping[str, np.ndarray], resamples: int, seed: int
) -> dict[str, np.ndarray]:
    """Means over resampled questions, of each category and, as `OVERALL`, of the macro-average.

    Args:
        values_by_category: for each category float64 [questions, columns], in 0..1: each question's
            expected correctness, or its score. A column with a NaN has no means: they are NaN.
        resamples: how many, 10,000 for published numbers.
        seed: the study's. A category's resamples depend on it, the category's name and its number
            of questions only.

    Returns:
        float64 [resamples, columns] for each category in its order, then for `OVERALL`: the mean of
        the categories' means, resample by resample.
    """
    means = {
        category: _means(values, resamples, item_generator(seed, "bootstrap", category))
        for category, values in values_by_category.items()
    }
    return {**means, OVERALL: np.asarray(sum(means.values()) / len(means))}


def interval(means: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The percentile interval of each column (Efron & Tibshirani 1993, section 13.3).

    With n questions it is narrower than it should be by about √((n - 1)/n): of no width with one.

    Args:
        means: float64 [resamples, columns].
        level: the coverage aimed at, in 0..1.

    Returns:
        low and high, float64 [columns], in the unit of `means`.
    """
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def compare(
    means: np.ndarray, estimates: np.ndarray, pairs: Sequence[tuple[int, int]]
) -> Comparison:
    """Differences between pairs of columns, with 95 % intervals and p-values.

    p = 2 min(P(d* ≤ 0), P(d* ≥ 0)), at most 1, over the resampled differences d*: the level at which
    the percentile interval just reaches 0. Each share counts one more resample, which is 0, so that
    p is never 0 (Davison & Hinkley 1997, equation 4.11).

    Args:
        means: float64 [resamples, columns], one entry of `resampled_means`.
        estimates: float64 [columns], the same columns' means over the questions themselves.
        pairs: (first, second) columns.
    """
    first, second = np.asarray(pairs, dtype=np.intp).reshape(-1, 2).T
    difference = estimates[first] - estimates[second]
    resampled = means[:, first] - means[:, second]
    low, high = interval(resampled)
    tails = [(resampled <= ROUNDING).sum(axis=0), (resampled >= -ROUNDING).sum(axis=0)]
    p = np.minimum(1, 2 * (1 + np.minimum(*tails)) / (len(resampled) + 1))
    constant = np.ptp(resampled, axis=0) <= ROUNDING
    judged = ~np.isnan(low) & (~constant | (np.abs(low) <= ROUNDING))
    return Comparison(difference, low, high, np.where(judged, p, np.nan))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values adjusted so that the chance of any false rejection in the family is held (Holm 1979).

    The family is what is passed: the caller says which questions are asked together. A missing
    p-value stays missing and does not count.

    Args:
        p: float64 [tests], in 0..1 or NaN.

    Returns:
        float64 [tests], in the order given, each at least its p and at most 1.
    """
    adjusted = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    stepped = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(stepped))
    return adjusted


def _means(values: np.ndarray, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Means of resampled questions: each resample is a row of how often each question was drawn.

    In float64 throughout: with float32, sums over 60,000 questions round at the size of one
    question, and equal columns would seem to differ.
    """
    questions, columns = values.shape
    sums = np.empty((resamples, columns))
    at_once = max(1, DRAWS_AT_ONCE // questions)
    for start in range(0, resamples, at_once):
        block = sums[start : start + at_once]
        np.matmul(_counts(len(block), questions, generator), values, out=block)
    return sums / questions


def _counts(resamples: int, questions: int, generator: np.random.Generator) -> np.ndarray:
    """Multinomial counts, float64 [resamples, questions]; numpy's own multinomial is eight times slower."""
    draws = generator.integers(questions, size=(resamples, questions))
    draws += np.arange(resamples)[:, None] * questions
    counts = np.bincount(draws.ravel(), minlength=draws.size)
    del draws
    return counts.astype(np.float64).reshape(resamples, questions)
