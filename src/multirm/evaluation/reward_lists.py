"""Lists of rewards of a length: one for each step of a solution, or one for each of its critiques.

An empty list is one whose rewards are all missing, and a few of an odd length do not make the others
something else.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Of the lists that are not empty, how many must be of a length for it to be the usual one.
MOST = 0.75


def usual_length(lists: pa.ListArray) -> int:
    """The length that nearly all lists have; 0 where there is none."""
    lengths = _lengths(lists)
    counts = np.bincount(lengths[lengths > 0], minlength=1)
    usual = int(counts.argmax())
    filled = lengths > 0
    nearly_all = filled.any() and (lengths == usual)[filled].mean() > MOST
    return usual if nearly_all else 0


def of_lengths(lists: pa.ListArray, lengths: np.ndarray) -> tuple[pa.ListArray, np.ndarray]:
    """The lists with nulls in those that are not of the lengths given, and in empty ones.

    Args:
        lengths: int [lists].

    Returns:
        lists of these lengths, and which of the lists given, empty ones included, fitted: bool [lists].
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
