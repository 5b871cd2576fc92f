"""Lists of rewards → one reward per solution."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale

# Each over the rows of a matrix, whose sums are numpy's of a row alone to the last bit.
_REDUCTIONS: Mapping[Aggregation, Callable[..., np.ndarray]] = {
    Aggregation.MIN: np.min,
    Aggregation.MAX: np.max,
    Aggregation.MEAN: np.mean,
    Aggregation.PROD: np.prod,
    Aggregation.POSITION_WEIGHTED_MEAN: np.mean,
    Aggregation.MIN_DELTA: np.min,
    Aggregation.MAX_DELTA: np.max,
}

# Logarithms of ratios: those further down than this get so much room, above what float64 can hold.
_FAR, _ROOM = 600.0, 100.0
_LOWEST = float(np.finfo(np.float64).min)


def aggregate(values: np.ndarray, offsets: np.ndarray, aggregation: Aggregation) -> np.ndarray:
    """One reward for each list of rewards r_1 … r_n; a missing reward is NaN, in and out.

    - last, min, max, mean, prod: as they say.
    - position_weighted_mean: Σ (i/n)·r_i / n, i from 1 to n. Its weights sum to (n + 1) / 2n and
      not to 1, so that it is at most that: less, the longer the list.
    - min_delta, max_delta: the least and the greatest r_(i+1) - r_i, from -1 to 1 where rewards are
      from 0 to 1. A single reward has none, and is missing.

    What is missing inside a list is left out by min, max, mean and prod, for which places do not
    matter. Where they do, every reward keeps its place: `last` takes the last one as it is, missing
    or not; a delta is one between neighbours that are both there; and position_weighted_mean is
    missing if any reward is, since to close the gap would weigh the rest as other steps, and to
    leave it open would count it as 0. A list without rewards gives a missing reward.

    Args:
        values: the lists, one after the other, float64 [total].
        offsets: where each list starts, and the last one's end, int [lists + 1].

    Returns:
        float64 [lists].
    """
    lengths = np.diff(offsets)
    if aggregation is Aggregation.LAST:
        result = np.full(len(lengths), np.nan)
        filled = lengths > 0
        result[filled] = values[offsets[1:][filled] - 1]
        return result
    values = values[offsets[0] : offsets[-1]]
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if aggregation is Aggregation.POSITION_WEIGHTED_MEAN:
        places = np.arange(1, len(values) + 1) - (offsets[:-1] - offsets[0])[owners]
        values = places / lengths[owners] * values
        return _reduce(values, owners, len(lengths), _REDUCTIONS[aggregation])
    if not aggregation.is_probability:
        inside = owners[1:] == owners[:-1]
        values, owners = np.diff(values)[inside], owners[1:][inside]
    present = ~np.isnan(values)
    return _reduce(values[present], owners[present], len(lengths), _REDUCTIONS[aggregation])


def aggregate_lists(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """`aggregate` of an Arrow array of lists, whose nulls are the missing rewards."""
    values = rewards.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return aggregate(values, rewards.offsets.to_numpy(), aggregation)


def ranking(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """What ranks lists as `aggregate_lists` does, but for the products of many small rewards.

    These underflow to 0, where all would be equal; so of products there are the logarithms, minus
    infinity where a reward is 0.

    Returns:
        float64 [lists]; NaN where missing.
    """
    if aggregation is not Aggregation.PROD:
        return aggregate_lists(rewards, aggregation)
    values = rewards.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    offsets = rewards.offsets.to_numpy()
    values = values[offsets[0] : offsets[-1]]
    owners = np.repeat(np.arange(len(rewards)), np.diff(offsets))
    present = ~np.isnan(values)
    with np.errstate(divide="ignore"):
        logs = np.log(values[present])
    return _reduce(logs, owners[present], len(rewards), _sum_in_order)


def weights_in_pools(
    rewards: pa.ListArray,
    aggregation: Aggregation,
    starts: np.ndarray,
    scale: Scale = Scale.PROBABILITY,
) -> np.ndarray:
    """`aggregate_lists` for choosing among the solutions of a pool, where only ratios count.

    Scores become weights by the exponential function: they vote with their softmax over the pool, in
    which only differences of scores count.

    Products and exponentials are divided by their pool's greatest, so that they neither overflow nor
    underflow to ties. Those below e^-600 of it are drawn nearer, in their order: none of them weighs
    anything beside the greatest, and each is still above the next.

    Args:
        rewards: the lists of one pool after the other.
        starts: where each pool starts, int [pools]; the first at 0.
        scale: what a reward is.

    Returns:
        float64 [lists]; NaN where missing.
    """
    ranks = ranking(rewards, aggregation)
    if aggregation is not Aggregation.PROD and scale is Scale.PROBABILITY:
        return ranks
    known = np.where(np.isnan(ranks), -np.inf, ranks)
    greatest = np.repeat(np.maximum.reduceat(known, starts), np.diff(np.r_[starts, len(known)]))
    below = np.where(ranks == -np.inf, -np.inf, ranks - np.maximum(greatest, _LOWEST))
    far = np.minimum(below, -_FAR)
    nearer = -_FAR - _ROOM * (1 + _FAR / far)
    return np.exp(np.where((below < -_FAR) & (below > -np.inf), nearer, below))


def _sum_in_order(rows: np.ndarray, axis: int) -> np.ndarray:
    """Sums that are the same to the last bit, in whatever order the same numbers come."""
    return np.asarray(np.sort(rows, axis=axis).sum(axis=axis))


def _reduce(
    values: np.ndarray, owners: np.ndarray, n_lists: int, reduction: Callable[..., np.ndarray]
) -> np.ndarray:
    """Each owner's values reduced to one, those with as many at once; `owners` ascend."""
    result = np.full(n_lists, np.nan)
    counts = np.bincount(owners, minlength=n_lists)
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts[counts > 0]):
        alike = np.flatnonzero(counts == count)
        rows = values[starts[alike, None] + np.arange(count)]
        result[alike] = reduction(rows, axis=1)
    return result
