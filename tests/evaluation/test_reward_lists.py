"""Lists of rewards of a length; a few odd ones change nothing."""

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
        # An empty list says nothing about the others.
        ([0, 2, 0], 2),
        ([2, 2, 2, 2, 2, 3], 2),
        ([2, 3, 4, 5, 9], 0),
        ([0, 0], 0),
        ([], 0),
    ],
)
def test_nearly_all_lists_say_what_is_usual(lengths: list[int], usual: int) -> None:
    assert usual_length(array([[0.5] * length for length in lengths])) == usual


@pytest.mark.parametrize("start", [0, 1])
def test_lists_of_other_lengths_are_missing_and_known(start: int) -> None:
    """Also of a part of a longer array, as categories are."""
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
