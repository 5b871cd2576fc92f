"""What a model's lists of rewards are: one reward for each step, or one for each critique, of a solution.

Nothing in the lists says so, only their lengths. An empty list is one whose rewards are all missing,
and a few of an odd length do not make the others something else.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Of the lists that are not empty, how many must be as long as they should be. Solutions have as many
# steps as there are critiques by chance, too, and more often than not in some data.
MOST = 0.75


def are_of_steps(lists: pa.ListArray, n_steps: np.ndarray) -> bool:
    """Whether the lists have a reward for each step, nearly all of them.

    Args:
        n_steps: int [lists].
    """
    lengths = _lengths(lists)
    return _nearly_all(lengths, lengths == n_steps)


def usual_length(lists: pa.ListArray) -> int:
    """The length that nearly all lists have; 0 where there is none."""
    lengths = _lengths(lists)
    counts = np.bincount(lengths[lengths > 0], minlength=1)
    usual = int(counts.argmax())
    return usual if _nearly_all(lengths, lengths == usual) else 0


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


def _nearly_all(lengths: np.ndarray, fitting: np.ndarray) -> bool:
    filled = lengths > 0
    return bool(filled.any() and fitting[filled].mean() > MOST)


def _lengths(lists: pa.ListArray) -> np.ndarray:
    return np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False))
