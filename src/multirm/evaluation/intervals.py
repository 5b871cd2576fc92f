"""How far means over questions would be from the truth with other questions: 95 % intervals.

Questions are what a benchmark samples, within each category. What is averaged over them is in [0, 1]
(how often a method is right on a question) or, as a difference of two such numbers, in [-1, 1]. Two
things make the textbook's interval, and the bootstrap's, too narrow there. Near 0 and 1 the observed
spread is that of the questions that happen to be drawn, and is 0 where all of them are right. And
over many small categories the spread is known from few questions, whatever their sum is.

So intervals of shares are Wilson's, for as many right-or-wrong questions as would vary like those
that are observed (an effective size, as for surveys: Korn & Graubard 1998; Franco et al. 2019), with
Student's t for what is known of that spread (Welch 1947, for categories of different spreads). They
are never wider than for questions that are simply right or wrong, which is the most that anything in
[0, 1] can vary, and one pseudo-question of that kind keeps them from having no width. Intervals of
differences are Student's, with one pseudo-question of each sign (as Agresti & Min 2005 for matched
proportions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from multirm.tables.accuracy import IntervalNote

LEVEL = 0.95

# The most that values in [0, 1] can vary: half of them 0, half of them 1.
LARGEST_VARIANCE = 0.25

# Values in -1..1 that vary less than this are the same but for rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Mean:
    """Means over questions, and over categories with the same weight each, in columns.

    Attributes:
        value: float64 [columns].
        variance: float64 [columns], of `value` with other questions.
        df: float64 [columns], the degrees of freedom that `variance` is known with.
        size: how many right-or-wrong questions in one category would be worth as much.
        least: the same, were all categories as small as the smallest.
        n_free: how many questions there are beyond the first of each category.
        varies: bool [columns], whether values differ within any category.
        note: what all intervals rest on besides; None where it is the spread over questions alone.
    """

    value: np.ndarray
    variance: np.ndarray
    df: np.ndarray
    size: float
    least: float
    n_free: int
    varies: np.ndarray
    note: IntervalNote | None

    @property
    def notes(self) -> list[IntervalNote | None]:
        """What each column's interval rests on besides the spread over questions."""
        return [
            self.note or (None if varies else IntervalNote.NO_SPREAD)
            for varies in self.varies.tolist()
        ]


def mean_of(values: Mapping[str, np.ndarray]) -> Mean:
    """The macro-average of some categories, or the mean of one.

    A category with a single question has no spread of its own. It is taken to have the largest that a
    share can have, 1/4, or that of the other categories, if it is larger (as it can be of differences).

    Args:
        values: for each category float64 [questions, columns]; a column with a NaN has no mean.
    """
    counts = np.array([len(part) for part in values.values()])
    several = counts > 1
    means = np.stack([part.mean(axis=0) for part in values.values()])
    spread = np.zeros_like(means)
    for k, part in enumerate(values.values()):
        if several[k]:
            spread[k] = part.var(axis=0, ddof=1)
    free = counts - 1
    n_free = int(free.sum())
    pooled = free @ spread / max(n_free, 1)
    # One question's part of it is that of all categories: two questions that agree are no evidence.
    spread += (pooled - spread) / counts[:, None]
    spread[~several] = np.maximum(LARGEST_VARIANCE, pooled)
    parts = spread / counts[:, None] / len(counts) ** 2
    variance = parts.sum(axis=0)
    return Mean(
        value=means.mean(axis=0),
        variance=np.where(np.isnan(means.sum(axis=0)), np.nan, variance),
        df=_degrees(variance, parts[several], free[several], bounded=not several.all()),
        size=float(len(counts) ** 2 / (1 / counts).sum()),
        least=float(len(counts) * counts.min()),
        n_free=n_free,
        varies=pooled > ROUNDING**2,
        note=_note(counts),
    )


def _note(counts: np.ndarray) -> IntervalNote | None:
    if counts.min() > 1:
        return None
    return IntervalNote.ONE_QUESTION if len(counts) == 1 else IntervalNote.SINGLE_QUESTIONS


def _degrees(
    variance: np.ndarray, parts: np.ndarray, free: np.ndarray, bounded: bool
) -> np.ndarray:
    """Of a sum of variances, of which `parts` [categories, columns] are estimated.

    Welch's (1947) formula allows for the error of the estimates in it; no more than all there are,
    unless the rest of the sum is a bound, which is known for sure.
    """
    squares = (parts**2 / (free[:, None] + 2)).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        degrees = variance**2 / squares - 2
    most = np.inf if bounded else float(free.sum())
    return np.where(squares > 0, np.minimum(degrees, most), most)


def of_share(
    value: np.ndarray,
    variance: np.ndarray,
    df: np.ndarray,
    size: float | np.ndarray,
    least: float | np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's interval for as many right-or-wrong questions as vary like those observed.

    Args:
        value: float64 [columns], in [0, 1].
        variance, df: float64 [columns], of `value`, as in `Mean`; a variance of NaN is not known.
        size, least: as in `Mean`.

    Returns:
        low and high, float64 [columns], in [0, 1]; NaN where `value` is.
    """
    # Half a question wrong and half a question right are added before the spread is compared with
    # that of right-or-wrong ones, since the rare ones that count near 0 and 1 may not be there.
    shrunk = (size * value + 0.5) / (size + 1)
    squares = (size - 1) * size * variance + size * (value - shrunk) ** 2
    squares += (shrunk**2 + (1 - shrunk) ** 2) / 2
    share = squares / (size + 1) / (shrunk * (1 - shrunk))
    # The smaller of the two, or the second where the first is not known.
    scale = np.fmin(student(df) ** 2 * share / size, student(np.inf) ** 2 / least)
    middle = (value + scale / 2) / (1 + scale)
    half = np.sqrt(scale * value * (1 - value) + scale**2 / 4) / (1 + scale)
    # Of itself it holds the value, but for rounding at 0 and 1.
    return (
        np.clip(np.minimum(middle - half, value), 0, 1),
        np.clip(np.maximum(middle + half, value), 0, 1),
    )


def of_shares(mean: Mean) -> tuple[np.ndarray, np.ndarray]:
    """`of_share` for means over questions."""
    return of_share(mean.value, mean.variance, mean.df, mean.size, mean.least)


def of_differences(mean: Mean, size_of_one: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Student's interval of differences in [-1, 1].

    Args:
        mean: of the differences.
        size_of_one: float64 [columns], as `typical_size` gives it.

    Returns:
        low and high, float64 [columns], in [-1, 1]; NaN where no category has two questions.
    """
    variance = mean.variance + (size_of_one / mean.size) ** 2
    half = student(mean.df) * np.sqrt(variance)
    if mean.n_free == 0:
        half = np.full_like(half, np.nan)
    return np.clip(mean.value - half, -1, 1), np.clip(mean.value + half, -1, 1)


def typical_size(differences: Mapping[str, np.ndarray]) -> np.ndarray:
    """How large differences are, float64 [columns]: the mean of |d| weighted by |d|; 1 where all are 0."""
    squares = np.mean([np.square(part).mean(axis=0) for part in differences.values()], axis=0)
    sizes = np.mean([np.abs(part).mean(axis=0) for part in differences.values()], axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(sizes > 0, squares / sizes, 1.0)


def widened(
    value: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray],
    error: np.ndarray,
    df: int,
    bounds: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """An interval for another, independent, error of the same value too.

    Student's interval of that error is added as deviations are, to each side by itself (the method of
    variance estimates recovery: Zou & Donner 2008).

    Args:
        value: float64 [columns], what the interval is of.
        interval: low and high, float64 [columns].
        error: float64 [columns], the standard error to allow for; 0 where there is none.
        df: the degrees of freedom that it is known with.
        bounds: where `value` can be.
    """
    low, high = interval
    half = student(max(df, 1)) * error
    return (
        np.clip(value - np.hypot(value - low, half), *bounds),
        np.clip(value + np.hypot(high - value, half), *bounds),
    )


def student(df: np.ndarray | float) -> np.ndarray:
    """How many standard errors Student's interval reaches to either side."""
    degrees, inverse = np.unique(np.asarray(df, dtype=np.float64), return_inverse=True)
    return np.array([_student(value) for value in degrees.tolist()])[inverse]


@cache
def _student(df: float) -> float:
    # Here and not above: the published protocol has no intervals, and need not wait for it.
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + LEVEL) / 2))
