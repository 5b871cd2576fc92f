"""Lists of rewards → one reward per solution."""

import numpy as np
import pyarrow as pa

from multirm.vocabulary import Aggregation

_REDUCTIONS = {
    Aggregation.MIN: np.minimum,
    Aggregation.MAX: np.maximum,
    Aggregation.MEAN: np.add,
    Aggregation.PROD: np.multiply,
}


def aggregate(values: np.ndarray, offsets: np.ndarray, aggregation: Aggregation) -> np.ndarray:
    """One reward for each list of rewards; a missing reward is NaN, in and out.

    Missing rewards inside a list are left out. `last` takes the last one as it is: where that is
    missing, so is the solution's reward. A list without rewards gives a missing reward.

    Args:
        values: the lists, one after the other, float64 [total].
        offsets: where each list starts, and the last one's end, int [lists + 1].

    Returns:
        float64 [lists].
    """
    lengths = np.diff(offsets)
    result = np.full(len(lengths), np.nan)
    if aggregation is Aggregation.LAST:
        filled = lengths > 0
        result[filled] = values[offsets[1:][filled] - 1]
        return result
    values = values[offsets[0] : offsets[-1]]
    present = ~np.isnan(values)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    counts = np.bincount(owners[present], minlength=len(lengths))
    filled = counts > 0
    if filled.any():
        starts = (np.cumsum(counts) - counts)[filled]
        result[filled] = _REDUCTIONS[aggregation].reduceat(values[present], starts)
    if aggregation is Aggregation.MEAN:
        result[filled] /= counts[filled]
    return result


def aggregate_lists(rewards: pa.ListArray, aggregation: Aggregation) -> np.ndarray:
    """`aggregate` of an Arrow array of lists, whose nulls are the missing rewards."""
    values = rewards.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return aggregate(values, rewards.offsets.to_numpy(), aggregation)
