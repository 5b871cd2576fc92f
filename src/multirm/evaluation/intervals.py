"""95 % confidence intervals of means over questions.

A benchmark samples questions, within each category. The values averaged over them are in [0, 1] (how often a method
is right on a question) or, as differences of two such numbers, in [-1, 1]. For two reasons, the textbook interval
and the bootstrap are too narrow there. Near 0 and 1, the observed variance depends on the questions that happen to
be drawn, and is 0 if all of them are right. And over many small categories, each variance is estimated from few
questions, whatever their total.

So intervals of proportions are Wilson's, for the number of right-or-wrong questions with the observed variance (an
effective sample size, as for surveys: Korn & Graubard 1998; Franco et al. 2019), with Student's t for the uncertainty
of that variance (Welch 1947, for categories of different variances). They are never wider than for right-or-wrong
questions, which have the largest variance possible in [0, 1], and one pseudo-question of that kind keeps their width
above 0. Intervals of differences are Student's, with one pseudo-question of each sign (as in Agresti & Min 2005 for
matched proportions).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from multirm.tables.accuracy import IntervalNote

LEVEL = 0.95

# The largest variance of values in [0, 1]: half of them 0, half of them 1.
LARGEST_VARIANCE = 0.25

# Values in [-1, 1] with a smaller standard deviation are equal up to rounding.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Mean:
    """Means over questions, and over equally weighted categories, in columns.

    Attributes:
        value: float64 [columns].
        variance: float64 [columns], of `value` over samples of questions.
        df: float64 [columns], the degrees of freedom of `variance`.
        size: the equivalent number of questions in a single category.
        least: the same if all categories were as small as the smallest.
        n_free: number of questions minus number of categories.
        varies: bool [columns], whether values differ within any category.
        note: what all intervals rest on in addition; None if only on the variance over questions.
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
        """What each column's interval rests on besides the variance over questions."""
        return [
            self.note or (None if varies else IntervalNote.NO_SPREAD)
            for varies in self.varies.tolist()
        ]


def mean_of(values: Mapping[str, np.ndarray]) -> Mean:
    """The macro-average of some categories, or the mean of one.

    A category with a single question has no variance of its own. It is given the largest of a proportion, 1/4, or
    that of the other categories if larger (as is possible for differences).

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
    # Shrink towards the pooled variance by one question's weight: two equal questions are no evidence of no variance.
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
    """The degrees of freedom of a sum of variances, of which `parts` [categories, columns] are estimated.

    By Welch's (1947) formula, corrected for using estimates; at most the total, unless the rest of the sum is a bound,
    which has no error.
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
    """Wilson's interval for the number of right-or-wrong questions that have the observed variance.

    Args:
        value: float64 [columns], in [0, 1].
        variance, df: float64 [columns], of `value`, as in `Mean`; an unknown variance is NaN.
        size, least: as in `Mean`.

    Returns:
        low and high, float64 [columns], in [0, 1]; NaN where `value` is.
    """
    # Half a wrong and half a right question are added before comparing the variance with that of right-or-wrong
    # questions, because the rare questions that matter near 0 and 1 may not have been drawn.
    shrunk = (size * value + 0.5) / (size + 1)
    squares = (size - 1) * size * variance + size * (value - shrunk) ** 2
    squares += (shrunk**2 + (1 - shrunk) ** 2) / 2
    share = squares / (size + 1) / (shrunk * (1 - shrunk))
    # The smaller of the two, or the second if the first is unknown.
    scale = np.fmin(student(df) ** 2 * share / size, student(np.inf) ** 2 / least)
    middle = (value + scale / 2) / (1 + scale)
    half = np.sqrt(scale * value * (1 - value) + scale**2 / 4) / (1 + scale)
    # It always contains the value, except for rounding at 0 and 1.
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
        mean: mean of the differences.
        size_of_one: float64 [columns], as returned by `typical_size`.

    Returns:
        low and high, float64 [columns], in [-1, 1]; NaN if no category has two questions.
    """
    variance = mean.variance + (size_of_one / mean.size) ** 2
    half = student(mean.df) * np.sqrt(variance)
    if mean.n_free == 0:
        half = np.full_like(half, np.nan)
    return np.clip(mean.value - half, -1, 1), np.clip(mean.value + half, -1, 1)


def typical_size(differences: Mapping[str, np.ndarray]) -> np.ndarray:
    """The typical size of differences, float64 [columns]: the mean of |d| weighted by |d|; 1 if all are 0."""
    squares = np.mean([np.square(part).mean(axis=0) for part in differences.values()], axis=0)
    sizes = np.mean([np.abs(part).mean(axis=0) for part in differences.values()], axis=0)
    with np.errstate(invalid="ignore"):
        return np.where(sizes > 0, squares / sizes, 1.0)


def widened(
    value: np.ndarray,
    interval: tuple[np.ndarray, np.ndarray],
    error: np.ndarray,
    df: np.ndarray | int,
    bounds: tuple[float, float],
) -> tuple[np.ndarray, np.ndarray]:
    """Widen an interval to include another, independent error of the same value.

    Student's interval of that error is added in quadrature, separately on each side (the method of variance
    estimates recovery: Zou & Donner 2008).

    Args:
        value: float64 [columns], the value that the interval is for.
        interval: low and high, float64 [columns].
        error: float64 [columns], the standard error to include; 0 for none.
        df: the degrees of freedom of `error`, float64 [columns] or one number.
        bounds: the range of `value`.
    """
    low, high = interval
    half = student(np.maximum(df, 1)) * error
    return (
        np.clip(value - np.hypot(value - low, half), *bounds),
        np.clip(value + np.hypot(high - value, half), *bounds),
    )


def student(df: np.ndarray | float) -> np.ndarray:
    """The half-width of Student's interval in standard errors."""
    degrees, inverse = np.unique(np.asarray(df, dtype=np.float64), return_inverse=True)
    return np.array([_student(value) for value in degrees.tolist()])[inverse]


@cache
def _student(df: float) -> float:
    # Imported late: the paper's protocol has no intervals and does not need it.
    from scipy.special import stdtrit

    return float(stdtrit(df, (1 + LEVEL) / 2))
