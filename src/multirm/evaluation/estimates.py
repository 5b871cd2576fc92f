"""Measures of items that belong to questions: in one category, on average over categories and over training runs.

A measure is a function of counts of items, such as a share or F1. Its variance over samples of questions is a
jackknife's (`jackknife`), so measures are averaged together with their values without each question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import intervals, jackknife

Measure = Callable[[np.ndarray], np.ndarray]
"""Maps counts of items, float64 [..., kinds of items], to a value [...]; NaN if undefined."""


@dataclass(frozen=True)
class Estimate:
    """A measure of one category's items.

    Attributes:
        value: of all items; NaN if undefined.
        without: float64 [groups], without each group of questions.
        has_items: bool [groups], which groups have any items.
        size: the equivalent number of equally weighted questions.
    """

    value: float
    without: np.ndarray
    has_items: np.ndarray
    size: float

    @property
    def n_groups(self) -> int:
        return int(self.has_items.sum())

    @property
    def variance(self) -> float:
        """Over samples of questions; NaN if unknown."""
        return jackknife.variance(self.without[self.has_items])


@dataclass(frozen=True)
class Summary:
    """A measure and its 95 % interval over questions; None where undefined."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Summary(None, None, None)


def estimate(
    measure: Measure,
    items: np.ndarray,
    questions: np.ndarray,
    kept: np.ndarray,
    n_kinds: int,
    weights: np.ndarray | None = None,
) -> Estimate:
    """A measure of some of a category's items.

    Args:
        items: the kind of each item, int [items], below `n_kinds`.
        questions: the question of each, int [items], from 0 without gaps.
        kept: bool [items], which items are measured. Estimates of different items of the same category have the same
            groups, so they can be averaged.
        n_kinds: the number of kinds of items.
        weights: float64 [items], the weight of each item in the measure; equal by default.
    """
    groups = jackknife.grouped(questions)
    n_groups = int(groups.max(initial=-1)) + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        value = measure(np.bincount(items[kept], minlength=n_kinds).astype(np.float64))
        # One more item in each group, of a kind that is not measured, so that groups without items count.
        found = jackknife.without_each(
            lambda counts: {"": measure(counts[..., :n_kinds])},
            np.r_[items[kept], np.full(n_groups, n_kinds)],
            np.r_[groups[kept], np.arange(n_groups)],
            n_kinds + 1,
        )
    weights = np.ones(len(items)) if weights is None else weights
    return Estimate(
        float(value),
        found[""],
        np.bincount(groups[kept], minlength=n_groups) > 0,
        jackknife.effective_size(np.bincount(questions[kept], weights[kept])),
    )


def over_runs(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over training runs of estimates from one category's solutions."""
    return Estimate(
        float(np.mean([each.value for each in estimates])),
        np.mean([each.without for each in estimates], axis=0),
        np.any([each.has_items for each in estimates], axis=0),
        float(np.mean([each.size for each in estimates])),
    )


def share(estimates: Sequence[Estimate]) -> Summary:
    """The macro-average of a measure from 0 to 1 over the categories in which it is defined.

    A category whose variance is unknown is given the largest of a proportion over its questions.
    """
    defined = [each for each in estimates if not np.isnan(each.value)]
    if not defined:
        return UNDEFINED
    sizes = np.array([max(each.size, 1.0) for each in defined])
    variances = np.array([each.variance for each in defined])
    bounded = np.isnan(variances)
    variances = np.where(bounded, intervals.LARGEST_VARIANCE / sizes, variances)
    size = len(defined) ** 2 / float((1 / sizes).sum())
    value = float(np.mean([each.value for each in defined]))
    low, high = intervals.of_share(
        np.array([value]),
        np.array([variances.sum() / len(defined) ** 2]),
        np.array([_degrees(variances, defined, bounded)]),
        size,
        least=size,
    )
    return Summary(value, float(low[0]), float(high[0]))


def mean(estimates: Sequence[Estimate]) -> Summary:
    """The macro-average of a measure without bounds, with Student's interval; without one if a variance is unknown."""
    defined = [each for each in estimates if not np.isnan(each.value)]
    if not defined:
        return UNDEFINED
    value = float(np.mean([each.value for each in defined]))
    variances = np.array([each.variance for each in defined])
    unknown = np.isnan(variances)
    if unknown.any():
        return Summary(value, None, None)
    degrees = _degrees(variances, defined, unknown)
    half = float(intervals.student(degrees)) * float(np.sqrt(variances.sum())) / len(defined)
    return Summary(value, value - half, value + half)


def _degrees(variances: np.ndarray, estimates: Sequence[Estimate], bounded: np.ndarray) -> float:
    """The degrees of freedom of a sum of variances (Welch 1947); those that are bounds have no error."""
    free = np.array([max(each.n_groups - 1, 1) for each in estimates])
    squares = float((variances**2 / free)[~bounded].sum())
    return float(variances.sum() ** 2 / squares) if squares else float(free.sum())
