"""Lists of rewards with an expected length: one per step of a solution, or one per critique.

An empty list counts as all rewards missing, and a few lists of another length are tolerated.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# The fraction of non-empty lists that must have a length for it to be the usual one.
MOST = 0.75


def usual_length(lists: pa.ListArray) -> int:
    """The length that nearly all non-empty lists have; 0 if there is none."""
    lengths = _lengths(lists)
    counts = np.bincount(lengths[lengths > 0], minlength=1)
    usual = int(counts.argmax())
    filled = lengths > 0
    nearly_all = filled.any() and (lengths == usual)[filled].mean() > MOST
    return usual if nearly_all else 0


def of_lengths(lists: pa.ListArray, lengths: np.ndarray) -> tuple[pa.ListArray, np.ndarray]:
    """The lists, with all rewards null in those that do not have the given lengths.

    Args:
        lengths: int [lists].

    Returns:
        lists of these lengths, and which of the original lists had them or were empty, bool [lists].
    """
    found = _lengths(lists)
    offsets = np.r_[0, np.cumsum(lengths)]
    owners = np.repeat(np.arange(len(lists)), lengths)
    places = np.arange(offsets[-1]) - offsets[:-1][owners]
    at = pa.array(lists.offsets.to_numpy()[:-1][owners] + places, mask=(found != lengths)[owners])
    values = lists.values.take(at)
    return (
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values),
        (found == lengths) | (found == 0),
    )


def _lengths(lists: pa.ListArray) -> np.ndarray:
    return np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False))
