"""Lists of rewards of an expected length; a few odd ones change nothing."""

import numpy as np
import pyarrow as pa
import pytest

from multirm.evaluation.reward_lists import of_lengths, usual_length

Lists = list[list[float | None]]


def array(lists: Lists) -> pa.ListArray:
    return pa.array(lists, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("lengths", "usual"),
    [
        ([2, 3, 4, 5], 0),
        ([2, 2, 2, 2], 2),
        # Empty lists do not count.
        ([0, 2, 0], 2),
        ([2, 2, 2, 2, 2, 3], 2),
        ([2, 3, 4, 5, 9], 0),
        ([0, 0], 0),
        ([], 0),
    ],
)
def test_the_usual_length_is_that_of_nearly_all_lists(lengths: list[int], usual: int) -> None:
    assert usual_length(array([[0.5] * length for length in lengths])) == usual


@pytest.mark.parametrize("start", [0, 1])
def test_lists_of_other_lengths_are_missing_and_reported(start: int) -> None:
    """Also for slices of longer arrays, as for categories."""
    lists = array([[1.0], [0.5, None], [], [0.25], [0.0, 0.125, 1.0]]).slice(start)
    found, fitting = of_lengths(lists, np.array([1, 2, 2, 2, 3])[start:])
    assert (
        found.to_pylist()
        == [
            [1.0],
            [0.5, None],
            [None, None],
            [None, None],
            [0.0, 0.125, 1.0],
        ][start:]
    )
    assert fitting.tolist() == [True, True, True, False, True][start:]
