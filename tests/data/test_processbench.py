"""ProcessBench: a label becomes step labels, splits become categories, solutions to one problem stay together."""

from pathlib import Path
from typing import Any

import pytest

from multirm.data import processbench
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json


@pytest.mark.parametrize(
    ("split", "n_wrong", "n_right", "n_recovered", "n_questions"),
    [("gsm8k", 207, 193, 7, 375), ("math", 594, 406, 94, 955)],
)
def test_the_real_files(
    shared_data: Path, split: str, n_wrong: int, n_right: int, n_recovered: int, n_questions: int
) -> None:
    records = list(read_json([shared_data / "processbench" / f"{split}.json"]))
    rows = [row for _, row in processbench.solutions(records)]
    assert {row["category"] for row in rows} == {split}
    right = [0 not in row["step_labels"] for row in rows]
    assert (right.count(False), right.count(True)) == (n_wrong, n_right)
    outcomes = [row["outcome"] for row in rows]
    assert sum(outcomes) == n_right + n_recovered
    assert len({row["question"] for row in rows}) == n_questions
    assert len({row["question_id"] for row in rows}) == n_questions
    assert len({(row["question_id"], row["solution_id"]) for row in rows}) == len(rows)
    for row, record in zip(rows, records, strict=True):
        labels = row["step_labels"]
        assert len(labels) == len(record.get("steps"))
        assert record.get("label") == (labels.index(0) if 0 in labels else -1)
        assert not any(labels[labels.index(0) :] if 0 in labels else [])


def record(line: int = 1, **changes: Any) -> Record:
    values = {
        "id": f"omnimath-{line}",
        "generator": "a model",
        "problem": "Why?",
        "steps": ["a", "b", "c"],
        "final_answer_correct": True,
        "label": -1,
    }
    return Record(f"f.json, row {line}", values | changes)


def read(*records: Record) -> list[Any]:
    return [row for _, row in processbench.solutions(records)]


@pytest.mark.parametrize(
    ("label", "labels"), [(-1, [1, 1, 1]), (0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 1, 0])]
)
def test_steps_from_the_label_on_are_incorrect(label: int, labels: list[int]) -> None:
    (row,) = read(record(label=label))
    assert (row["step_labels"], row["outcome"]) == (labels, 1)


def test_solutions_to_one_problem_are_of_one_question() -> None:
    rows = read(record(3), record(4, problem="How?"), record(5, final_answer_correct=False))
    keys = [(row["category"], row["question_id"], row["solution_id"]) for row in rows]
    assert keys == [
        ("omnimath", "omnimath-3", 0),
        ("omnimath", "omnimath-4", 0),
        ("omnimath", "omnimath-3", 1),
    ]
    assert [row["outcome"] for row in rows] == [1, 1, 0]


def test_the_same_problem_in_two_splits_is_two_questions() -> None:
    rows = read(record(1), record(2, id="math-2"))
    assert [(row["category"], row["question_id"]) for row in rows] == [
        ("omnimath", "omnimath-1"),
        ("math", "math-2"),
    ]


def test_a_file_given_twice_is_refused() -> None:
    again = Record("g.json, row 1", record(1).values)
    with pytest.raises(InputError, match=r"g.json, .*key id: .* omnimath-1 again, after f.json"):
        read(record(1), again)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": 3}, "key label: expected -1 or a step from 0 to 2, found 3"),
        ({"label": -2}, "key label: expected -1 or a step from 0 to 2, found -2"),
        ({"label": "1"}, "key label: expected a whole number"),
        ({"steps": []}, "key steps: .*no steps"),
        ({"steps": ["a", " "]}, "key steps: .*empty one at position 1"),
        ({"id": "17"}, "key id: expected a split and a number, such as gsm8k-17, found 17"),
        ({"final_answer_correct": 1}, "key final_answer_correct: expected true or false"),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="f.json, row 1, " + complaint):
        read(record(**changes))
