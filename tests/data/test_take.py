"""Subsets of a dataset: nested, and independent of other rows and their order."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.take import first_steps, take, take_questions, take_solutions
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.data.conftest import Rows, solution

ROWS = [solution(question, number) for question in range(12) for number in range(5)]


def keys(rows: Any) -> set[tuple[str, int]]:
    return {(row["question_id"], row["solution_id"]) for row in rows}


@given(
    rows=st.permutations(ROWS),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 2**32 - 1),
)
def test_subsets_are_nested_and_independent_of_order(
    rows: Rows, sizes: tuple[int, int], seed: int
) -> None:
    low, high = sorted(sizes)
    for part, most in ((take_questions, 12), (take_solutions, 5)):
        smaller, larger = (part(rows, min(size, most), seed) for size in (low, high))
        assert keys(smaller) <= keys(larger)
        assert larger == [row for row in rows if row in larger]
        assert keys(part(ROWS, min(high, most), seed)) == keys(larger)
    questions = {row["question_id"] for row in take_questions(rows, low, seed)}
    assert len(questions) == low
    for question in questions:
        own = [
            row for row in take_solutions(rows, min(low, 5), seed) if row["question_id"] == question
        ]
        assert len(own) == min(low, 5)


def test_another_seed_takes_another_subset() -> None:
    assert len({frozenset(keys(take_questions(ROWS, 6, seed))) for seed in range(9)}) > 5
    assert len({frozenset(keys(take_solutions(ROWS, 2, seed))) for seed in range(9)}) > 5


def test_the_dataset_name_and_labels_change_nothing() -> None:
    other = [row | {"dataset": "e", "outcome": 0, "step_labels": None} for row in ROWS]
    assert keys(take_questions(other, 6, 1)) == keys(take_questions(ROWS, 6, 1))
    assert keys(take_solutions(other, 2, 1)) == keys(take_solutions(ROWS, 2, 1))


def test_steps_are_cut_with_their_labels() -> None:
    row = solution(0, 0)
    cut = first_steps(row, 2)
    assert (cut["steps"], cut["step_labels"]) == (row["steps"][:2], [1, 1])
    assert first_steps(row, None) == first_steps(row, 9) == row
    assert first_steps(solution(0, 0, labelled=False), 1)["step_labels"] is None


def test_a_table_is_cut(tmp_path: Path, write_solutions: Callable[[Any], Path]) -> None:
    output = tmp_path / "small.parquet"
    take(write_solutions(ROWS), "small", output, 1, questions=3, per_question=2, steps=1)
    rows = parquet.read(output, SOLUTIONS).to_pylist()
    assert len(rows) == 6
    assert {(row["dataset"], len(row["steps"])) for row in rows} == {("small", 1)}
    assert keys(rows) == keys(take_solutions(take_questions(ROWS, 3, 1), 2, 1))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"questions": 13}, "expected at least 13 questions, found 12"),
        ({"per_question": 6}, "expected at least 6 solutions to a question, found at most 5"),
    ],
)
def test_more_than_there_are_is_refused(
    tmp_path: Path, write_solutions: Callable[[Any], Path], options: Any, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        take(write_solutions(ROWS), "large", tmp_path / "large.parquet", 1, **options)


def test_questions_with_fewer_solutions_are_counted(
    tmp_path: Path, write_solutions: Callable[[Any], Path], caplog: pytest.LogCaptureFixture
) -> None:
    output = tmp_path / "small.parquet"
    take(write_solutions(ROWS[1:]), "small", output, 1, per_question=5)
    assert parquet.read(output, SOLUTIONS).num_rows == 59
    assert "1 of 12 questions have fewer than 5 solutions" in caplog.text
