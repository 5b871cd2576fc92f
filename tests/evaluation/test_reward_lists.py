"""What lists of rewards are, told by their lengths; a few odd ones change nothing."""

import numpy as np
import pyarrow as pa
import pytest

from multirm.evaluation.reward_lists import are_of_steps, of_lengths, usual_length

Lists = list[list[float | None]]


def array(lists: Lists) -> pa.ListArray:
    return pa.array(lists, pa.list_(pa.float32()))


@pytest.mark.parametrize(
    ("lengths", "n_steps", "of_steps", "usual"),
    [
        ([2, 3, 4, 5], [2, 3, 4, 5], True, 0),
        ([2, 2, 2, 2], [2, 3, 4, 5], False, 2),
        ([2, 2, 2, 2], [2, 2, 2, 2], True, 2),
        # An empty list says nothing about the others.
        ([0, 2, 0], [4, 2, 3], True, 2),
        ([2, 2, 2, 2, 2, 3], [9] * 6, False, 2),
        ([2, 3, 4, 5, 9], [2, 3, 4, 5, 6], True, 0),
        # As many critiques as steps, by chance.
        ([4, 4, 4, 4], [4, 5, 4, 4], False, 4),
        ([1, 2, 3, 4], [4, 3, 2, 1], False, 0),
        ([0, 0], [1, 2], False, 0),
        ([], [], False, 0),
    ],
)
def test_nearly_all_lists_say_what_they_are(
    lengths: list[int], n_steps: list[int], of_steps: bool, usual: int
) -> None:
    lists = array([[0.5] * length for length in lengths])
    assert are_of_steps(lists, np.array(n_steps, dtype=int)) is of_steps
    assert usual_length(lists) == usual


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
