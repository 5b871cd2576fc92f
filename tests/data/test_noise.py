"""Label noise: at the given rates, on the same labels in any table, and on nothing else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.noise import add_noise, with_noise
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import solution

ROWS = [solution(question, number) for question in range(100) for number in range(4)]


def flips(share: float, steps: float, outcomes: float, seed: int = 1) -> set[tuple[int, int]]:
    """The flipped labels: steps by their index, the outcome as -1."""
    found = set()
    for index, row in enumerate(ROWS):
        noisy = with_noise(row, seed, share, steps, outcomes)
        pairs = zip(row["step_labels"], noisy["step_labels"], strict=True)
        found |= {(index, place) for place, (a, b) in enumerate(pairs) if a != b}
        found |= {(index, -1)} if row["outcome"] != noisy["outcome"] else set()
        assert {name: noisy[name] for name in row if name not in ("step_labels", "outcome")} == {
            name: row[name] for name in row if name not in ("step_labels", "outcome")
        }
    return found


def test_probabilities_of_0_and_1() -> None:
    assert flips(1, 0, 0) == flips(0, 1, 1) == set()
    every = {(index, place) for index in range(len(ROWS)) for place in (-1, 0, 1, 2)}
    assert flips(1, 1, 1) == every
    assert flips(1, 1, 0) == {flip for flip in every if flip[1] >= 0}
    assert flips(1, 0, 1) == {flip for flip in every if flip[1] == -1}


@given(seed=st.integers(0, 2**32 - 1), probabilities=st.tuples(*[st.floats(0, 1)] * 2))
def test_less_noise_flips_a_subset(seed: int, probabilities: tuple[float, float]) -> None:
    low, high = sorted(probabilities)
    assert flips(1, low, low, seed) <= flips(1, high, high, seed)
    assert flips(low, 0.5, 0.5, seed) <= flips(high, 0.5, 0.5, seed)


def test_labels_are_flipped_at_the_given_rates() -> None:
    """Within four standard errors of 1,200 step labels and of 400 outcomes, half of them noisy."""
    found = flips(1, 0.3, 0.3)
    steps = sum(place >= 0 for _, place in found) / 1200
    outcomes = sum(place < 0 for _, place in found) / 400
    assert abs(steps - 0.3) < 4 * (0.21 / 1200) ** 0.5
    assert abs(outcomes - 0.3) < 4 * (0.21 / 400) ** 0.5
    noisy = {index for index, _ in flips(0.5, 1, 1)}
    assert abs(len(noisy) / 400 - 0.5) < 4 * (0.25 / 400) ** 0.5


def test_an_outcome_without_an_answer_follows_its_steps() -> None:
    row = solution(0, 1) | {"answer": None}
    noisy = with_noise(row, 1, 1, 1, 0)
    assert (noisy["step_labels"], noisy["outcome"]) == ([0, 0, 0], 0)
    assert with_noise(row, 1, 1, 0, 1) == row


def test_only_labels_of_a_table_change(
    tmp_path: Path, write_solutions: Callable[[Any], Path]
) -> None:
    output = tmp_path / "noisy.parquet"
    add_noise(write_solutions(ROWS[::-1]), "noisy", output, 1, steps=0.5, outcomes=0.5)
    found = parquet.read(output, SOLUTIONS).to_pylist()
    assert found == [{**with_noise(row, 1, 1, 0.5, 0.5), "dataset": "noisy"} for row in ROWS[::-1]]
    assert parquet.read_footer(output).parameters["steps"] == 0.5


def test_missing_labels_are_not_flipped(
    tmp_path: Path, write_solutions: Callable[[Any], Path]
) -> None:
    path = write_solutions([solution(0, 0, labelled=False)])
    with pytest.raises(InputError, match="expected step labels to flip, found none"):
        add_noise(path, "noisy", tmp_path / "noisy.parquet", 1, steps=0.5)
    path = write_solutions([solution(0, 0) | {"outcome": None}])
    with pytest.raises(InputError, match="expected outcome labels to flip"):
        add_noise(path, "noisy", tmp_path / "noisy.parquet", 1, outcomes=0.5)
