"""PRMBench: error steps become labels, the error-free process is taken once, contradictions are left out."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from multirm.data import prmbench
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json_lines

LEFT_OUT = "modified solutions that contradict their error steps left out"


@pytest.mark.parametrize(
    ("split", "n_questions", "n_left_out"), [("train", 401, 18), ("test", 90, 4)]
)
def test_the_real_files(
    shared_data: Path,
    split: str,
    n_questions: int,
    n_left_out: int,
) -> None:
    files = sorted((shared_data / "prmbench").glob(f"{split}_*.jsonl"))
    tally = Tally()
    rows = [row for _, row in prmbench.solutions(read_json_lines(files), tally)]
    counts = Counter(row["solution_id"] for row in rows)
    assert counts[0] == len({row["question_id"] for row in rows}) == n_questions
    assert len(rows) == 4 * n_questions - n_left_out
    assert tally.of("math") == {LEFT_OUT: n_left_out}
    assert sum(row["outcome"] for row in rows) == n_questions
    backwards = [row for _, row in prmbench.solutions(read_json_lines(files[::-1]), Tally())]
    assert sorted(map(json.dumps, rows)) == sorted(map(json.dumps, backwards))


def record(line: int = 1, **changes: Any) -> Record:
    values = {
        "idx": "q1",
        "classification": "circular",
        "question": "Why?",
        "modified_question": "Why not?",
        "original_process": ["1. a", "2. b"],
        "modified_process": ["1. a", "2. c", "3. d"],
        "error_steps": [2],
    }
    return Record(f"f.jsonl, line {line}", values | changes)


def test_labels_and_the_original_question() -> None:
    rows = [row for _, row in prmbench.solutions([record()], Tally())]
    assert [(row["steps"], row["step_labels"], row["outcome"]) for row in rows] == [
        (["a", "b"], [1, 1], 1),
        (["a", "c", "d"], [1, 0, 1], 0),
    ]
    assert {row["question"] for row in rows} == {"Why?"}


@pytest.mark.parametrize(
    ("steps", "read"),
    [
        (["Step 1: a", "Step 2: b"], ["a", "b"]),
        (["1. a", "b"], ["1. a", "b"]),
        (["2. a", "3. b"], ["2. a", "3. b"]),
        (["1.5 is a half more than 1", "2.5 too"], ["1.5 is a half more than 1", "2.5 too"]),
    ],
)
def test_only_numbers_of_steps_are_removed(steps: list[str], read: list[str]) -> None:
    (_, row), *_ = prmbench.solutions([record(original_process=steps)], Tally())
    assert row["steps"] == read


def test_the_error_free_process_is_taken_once() -> None:
    records = [record(1), record(2, classification="a", original_process=["a", "b'"])]
    rows = [row for _, row in prmbench.solutions(records, Tally())]
    assert [row["solution_id"] for row in rows] == [0, 1, 2]
    assert rows[0]["steps"] == ["a", "b'"]


@pytest.mark.parametrize(
    "changes",
    [
        {"error_steps": [2, 4]},
        {"error_steps": [0]},
        {"error_steps": []},
        {"modified_process": ["a", "b"]},
    ],
)
def test_contradictions_are_left_out_and_counted(
    changes: dict[str, Any],
) -> None:
    tally = Tally()
    rows = [row for _, row in prmbench.solutions([record(7, **changes)], tally)]
    assert [row["solution_id"] for row in rows] == [0]
    assert tally.of("math") == {LEFT_OUT: 1}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"modified_process": ["a", " "]}, "key modified_process: .*empty one at position 1"),
        ({"original_process": []}, "key original_process: .*no steps"),
        ({"error_steps": ["2"]}, r"key error_steps\[0\]: expected a whole number"),
        ({"error_steps": [1.5]}, r"key error_steps\[0\]: expected a whole number"),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="f.jsonl, line 1, " + complaint):
        list(prmbench.solutions([record(**changes)], Tally()))


def test_a_file_given_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"line 2, key idx: .* found q1 again, after .*line 1"):
        list(prmbench.solutions([record(1), record(2)], Tally()))
