"""Lists of rewards → one reward per solution."""

import numpy as np
import pyarrow as pa

from multirm.vocabulary import Aggregation

_REDUCTIONS = {
    Aggregation.MIN: np.minimum,
    Aggregation.MAX: np.maximum,
    Aggregation.MEAN: np.add,
    Aggregation.PROD: np.multiply,
    Aggregation.MIN_DELTA: np.minimum,
    Aggregation.MAX_DELTA: np.maximum,
}


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
        weighted = places / lengths[owners] * values
        totals = np.bincount(owners, weighted, minlength=len(lengths))
        return np.where(lengths > 0, totals, np.nan) / np.maximum(lengths, 1)
    if not aggregation.is_probability:
        inside = owners[1:] == owners[:-1]
        values, owners = np.diff(values)[inside], owners[1:][inside]
    return _reduce(values, owners, len(lengths), aggregation)


def aggregate_lists(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """`aggregate` of an Arrow array of lists, whose nulls are the missing rewards."""
    values = rewards.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return aggregate(values, rewards.offsets.to_numpy(), aggregation)


def _reduce(
    values: np.ndarray, owners: np.ndarray, n_lists: int, aggregation: Aggregation
) -> np.ndarray:
    """What is present among each owner's values, reduced to one; `owners` ascend."""
    result = np.full(n_lists, np.nan)
    present = ~np.isnan(values)
    counts = np.bincount(owners[present], minlength=n_lists)
    filled = counts > 0
    if filled.any():
        starts = (np.cumsum(counts) - counts)[filled]
        result[filled] = _REDUCTIONS[aggregation].reduceat(values[present], starts)
    if aggregation is Aggregation.MEAN:
        result[filled] /= counts[filled]
    return result
