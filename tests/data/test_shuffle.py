"""Shuffled steps: from other questions, independent of row order, with the last step and the answer kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.shuffle import shuffle_steps, with_shuffled_steps
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import solution


@given(
    lengths=st.lists(st.integers(1, 4), min_size=4, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_intermediate_steps_are_from_other_questions(lengths: list[int], seed: int) -> None:
    rows = [solution(number % 3, number, n_steps) for number, n_steps in enumerate(lengths)]
    rows += [solution(9, number, 9) for number in range(2)] + [solution(8, 0, 9)]
    shuffled = with_shuffled_steps(rows, seed, Path("t"))
    assert with_shuffled_steps(rows[::-1], seed, Path("t")) == shuffled[::-1]
    for row, other in zip(rows, shuffled, strict=True):
        assert len(other["steps"]) == len(row["steps"])
        assert other["steps"][-1] == row["steps"][-1]
        # Each at most once, none of the same question, none that ends a solution.
        drawn = other["steps"][:-1]
        assert len(set(drawn)) == len(drawn)
        others = {
            s for r in rows if r["question_id"] != row["question_id"] for s in r["steps"][:-1]
        }
        assert set(drawn) <= others
        same = {name for name in row if row[name] == other[name]}
        assert same >= row.keys() - {"steps", "step_labels"}
        assert other["step_labels"] is None


def test_equal_ids_in_two_categories_are_two_questions() -> None:
    rows = [
        solution(q, 0) | {"category": category} for category in ("law", "art") for q in range(2)
    ]
    for row in rows:
        row["steps"] = [f"{row['category']} {row['question_id']} {k}" for k in range(3)]
    for seed in range(20):
        for row, other in zip(rows, with_shuffled_steps(rows, seed, Path("t")), strict=True):
            assert not set(other["steps"][:-1]) & set(row["steps"])


def test_every_intermediate_step_is_drawn_about_as_often() -> None:
    rows = [solution(0, 0, 2), *(solution(q, 0, 3) for q in range(1, 6))]
    drawn = [with_shuffled_steps(rows, seed, Path("t"))[0]["steps"][0] for seed in range(1000)]
    counts = [drawn.count(step) for row in rows[1:] for step in row["steps"][:-1]]
    assert sum(counts) == 1000
    assert all(abs(count - 100) < 4 * 90**0.5 for count in counts)


def test_a_table_is_shuffled(tmp_path: Path, write_solutions: Callable[[Any], Path]) -> None:
    rows = [solution(question, 0) for question in range(3)]
    path, output = write_solutions(rows), tmp_path / "shuffled.parquet"
    shuffle_steps(path, "shuffled", output, 1)
    found = parquet.read(output, SOLUTIONS).to_pylist()
    expected = with_shuffled_steps(rows, 1, path)
    assert found == [{**row, "dataset": "shuffled"} for row in expected]


def test_too_few_other_steps_are_refused(
    tmp_path: Path, write_solutions: Callable[[Any], Path]
) -> None:
    path = write_solutions([solution(0, 0), solution(0, 1)])
    with pytest.raises(
        InputError, match="expected at least 2 intermediate steps of questions other"
    ):
        shuffle_steps(path, "shuffled", tmp_path / "shuffled.parquet", 1)
