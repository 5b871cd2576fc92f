"""Aggregate lists of rewards to one reward per solution."""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale

VARIANCE_WEIGHT = 0.5
"""λ in `dynamic`. OpenPRM's paper takes the form of Coste et al. (arXiv 2310.02743) and does not state it."""


def _mean_minus_variance(rows: np.ndarray, axis: int) -> np.ndarray:
    return np.asarray(np.mean(rows, axis=axis) - VARIANCE_WEIGHT * np.var(rows, axis=axis))


# Over the rows of a matrix; sums equal those of single rows bit for bit.
_REDUCTIONS: Mapping[Aggregation, Callable[..., np.ndarray]] = {
    Aggregation.MIN: np.min,
    Aggregation.MAX: np.max,
    Aggregation.MEAN: np.mean,
    Aggregation.PROD: np.prod,
    Aggregation.POSITION_WEIGHTED_MEAN: np.mean,
    Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN: np.sum,
    Aggregation.DYNAMIC: _mean_minus_variance,
    Aggregation.MIN_DELTA: np.min,
    Aggregation.MAX_DELTA: np.max,
}

_POSITION_WEIGHTED = (
    Aggregation.POSITION_WEIGHTED_MEAN,
    Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN,
)

# Logarithms of ratios below -_FAR are compressed into a range of width _ROOM, which float64 can represent.
_FAR, _ROOM = 600.0, 100.0
_LOWEST = float(np.finfo(np.float64).min)

VOTE_ROUNDING = 1e-12
"""Votes tie if they differ by less than this part of the greatest sum: sums of the same rewards in another order
differ by a few parts in 10^16 per reward."""

DIGITS = 40
"""The binary digits that `without_rounding_errors` leaves."""


def aggregate(values: np.ndarray, offsets: np.ndarray, aggregation: Aggregation) -> np.ndarray:
    """One reward for each list of rewards r_1 … r_n; a missing reward is NaN, in and out.

    - last, min, max, mean, prod: as named.
    - position_weighted_mean: Σ (i/n)·r_i / n, with i from 1 to n. Its weights sum to (n + 1) / 2n instead of 1,
      which bounds it; the bound decreases with the length of the list.
    - normalised_position_weighted_mean: Σ i·r_i / Σ i. Its weights sum to 1, so that adding a constant to all rewards
      adds it to the result, whatever the length of the list: scores without bounds need that.
    - dynamic: mean - λ·variance, with λ = 0.5 and the population variance Σ (r_i - mean)² / n. It is in [0, 1] for
      rewards that are.
    - min_delta, max_delta: the smallest and largest r_(i+1) - r_i, from -1 to 1 for rewards from 0 to 1.
      Missing for a single reward.

    Missing rewards in a list are left out by min, max, mean, prod and dynamic, where positions do not matter. In the
    other aggregations, every reward keeps its position: `last` takes the last one, missing or not; a delta needs two
    adjacent rewards; and both position-weighted means are missing if any reward is, since closing the gap would give
    the others wrong weights, and keeping it would count it as 0. A list without rewards gives a missing reward.

    Args:
        values: the concatenated lists, float64 [total].
        offsets: the start of each list, and the end of the last one, int [lists + 1].

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
    if aggregation in _POSITION_WEIGHTED:
        places = np.arange(1, len(values) + 1) - (offsets[:-1] - offsets[0])[owners]
        n = lengths[owners]
        is_normalised = aggregation is Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN
        values = places / (n * (n + 1) / 2 if is_normalised else n) * values
        return _reduce(values, owners, len(lengths), _REDUCTIONS[aggregation])
    if not aggregation.is_probability:
        inside = owners[1:] == owners[:-1]
        values, owners = np.diff(values)[inside], owners[1:][inside]
    present = ~np.isnan(values)
    return _reduce(values[present], owners[present], len(lengths), _REDUCTIONS[aggregation])


def aggregate_lists(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """`aggregate` for an Arrow array of lists, whose nulls are missing rewards."""
    values = rewards.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return aggregate(values, rewards.offsets.to_numpy(), aggregation)


def ranking(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """Values that rank lists as `aggregate_lists` does, without underflow of products.

    Products of many small rewards underflow to 0 and would be tied, so for `prod` these are logarithms, minus
    infinity if a reward is 0.

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
    """`aggregate_lists` for selection within a pool, where only ratios count.

    Scores become weights by the exponential function: they vote with their softmax over the pool, which depends
    only on differences of scores.

    Products and exponentials are divided by the largest in their pool, so that they neither overflow nor underflow to
    ties. Ratios below e^-600 are compressed monotonically: their weight remains negligible and their order the same.

    Args:
        rewards: the lists of all pools, pool by pool.
        starts: the start of each pool, int [pools]; the first is 0.
        scale: what kind of number a reward is.

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


def without_rounding_errors(values: np.ndarray) -> np.ndarray:
    """The values rounded to 40 binary digits (12 decimal ones), of the 53 that float64 has."""
    digits, exponent = np.frexp(values)
    return np.asarray(np.ldexp(np.round(np.ldexp(digits, DIGITS)), exponent - DIGITS))


def _sum_in_order(rows: np.ndarray, axis: int) -> np.ndarray:
    """Sums that do not depend on the order of the summands, bit for bit."""
    return np.asarray(np.sort(rows, axis=axis).sum(axis=axis))


def _reduce(
    values: np.ndarray, owners: np.ndarray, n_lists: int, reduction: Callable[..., np.ndarray]
) -> np.ndarray:
    """Reduce each owner's values to one, vectorized over owners with equally many; `owners` are sorted."""
    result = np.full(n_lists, np.nan)
    counts = np.bincount(owners, minlength=n_lists)
    starts = np.cumsum(counts) - counts
    for count in np.unique(counts[counts > 0]):
        alike = np.flatnonzero(counts == count)
        rows = values[starts[alike, None] + np.arange(count)]
        result[alike] = reduction(rows, axis=1)
    return result
