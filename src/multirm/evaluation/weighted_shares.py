"""Shares of points in subsets, and weighted means of them, with intervals over clusters of comparisons.

The intervals are those of `intervals`: Wilson's for an effective number of prompts. Comparisons of one prompt are a
cluster: the variance comes from how much their sums vary between clusters, and the number of prompts is Kish's
effective one. Subsets count as independent of each other.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from multirm.evaluation import intervals, jackknife


class Share(NamedTuple):
    """A number in [0, 1] of a subset.

    Attributes:
        value: NaN if undefined.
        spread: the variance of the value times `size`; NaN if there is one cluster, or it is unknown.
        n_clusters: how many clusters it is over.
        size: the equivalent number of clusters with equally many comparisons.
    """

    value: float
    spread: float
    n_clusters: int
    size: float


class Interval(NamedTuple):
    """A value and its 95 % interval; NaN if undefined."""

    value: float
    value_low: float
    value_high: float


UNDEFINED = Interval(math.nan, math.nan, math.nan)


def share_of(points: np.ndarray, clusters: np.ndarray) -> Share:
    """The mean of points.

    Args:
        points: float64 [comparisons], in [0, 1].
        clusters: int [comparisons].
    """
    if not len(points):
        return Share(math.nan, math.nan, 0, 0.0)
    _, own = np.unique(clusters, return_inverse=True)
    counts = np.bincount(own)
    value = float(points.mean())
    size = jackknife.effective_size(counts.astype(np.float64))
    if len(counts) == 1:
        return Share(value, math.nan, 1, size)
    sums = np.bincount(own, points - value)
    variance = float(np.square(sums).sum()) / len(points) ** 2 * len(counts) / (len(counts) - 1)
    return Share(value, variance * size, len(counts), size)


def share_by_leaving_out(measure: Callable[[np.ndarray], float], clusters: np.ndarray) -> Share:
    """A measure that is no mean of points, with its variance by a jackknife over clusters.

    Args:
        measure: of a subset of the items, given as bool [items]; NaN if undefined.
        clusters: int [items].
    """
    value = measure(np.ones(len(clusters), dtype=bool))
    if math.isnan(value):
        return Share(math.nan, math.nan, 0, 0.0)
    _, own = np.unique(clusters, return_inverse=True)
    groups = jackknife.grouped(own)
    without = np.array([measure(groups != group) for group in range(groups.max() + 1)])
    size = jackknife.effective_size(np.bincount(own).astype(np.float64))
    return Share(value, jackknife.variance(without) * size, int(own.max()) + 1, size)


def combined(shares: Sequence[Share], weights: Sequence[float]) -> Interval:
    """A weighted mean of the shares of subsets; undefined if one of them is.

    As in `intervals.mean_of`, each spread is shrunk towards the pooled one by the weight of one cluster, and an unknown
    one is the largest that a share can have.

    Args:
        weights: at least one above 0.
    """
    weight = np.array(weights, dtype=np.float64)
    weight /= weight.sum()
    value = float(weight @ [share.value for share in shares])
    if math.isnan(value):
        return UNDEFINED
    spread = np.array([share.spread for share in shares])
    counts = np.array([share.n_clusters for share in shares])
    size = np.array([share.size for share in shares])
    known, free = ~np.isnan(spread), counts - 1
    pooled = float(free[known] @ spread[known]) / max(int(free[known].sum()), 1)
    spread = np.where(
        known, spread + (pooled - spread) / counts, max(intervals.LARGEST_VARIANCE, pooled)
    )
    parts = weight**2 * spread / size
    squares = float((parts[known] ** 2 / np.maximum(free[known], 1)).sum())
    variance = float(parts.sum())
    df = variance**2 / squares if squares else math.inf
    low, high = intervals.of_share(
        np.array([min(max(value, 0.0), 1.0)]),
        np.array([variance]),
        np.array([df]),
        float(1 / (weight**2 / size).sum()),
        float(size[weight > 0].min() / np.square(weight).sum()),
    )
    return Interval(value, float(low[0]), float(high[0]))
