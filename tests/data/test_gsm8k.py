"""GSM8K: known counts of the real file, and what counts as an answer."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from multirm.data import gsm8k
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json_lines


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "gsm8k" / "example_model_solutions.jsonl"


@pytest.fixture(scope="module")
def rows(path: Path) -> list[Any]:
    return [row for _, row in gsm8k.solutions(read_json_lines([path]))]


def test_known_counts_of_the_real_file(rows: list[Any]) -> None:
    assert len(rows) == 5276
    assert sum(row["parsed_answer"] is None for row in rows) == 11
    assert sum(row["outcome"] for row in rows) == 2001
    solved: dict[str, int] = defaultdict(int)
    for row in rows:
        solved[row["question_id"]] |= row["outcome"]
    assert (sum(solved.values()), len(solved)) == (887, 1319)


def test_outcomes_agree_with_the_file(path: Path, rows: list[Any]) -> None:
    published = [
        value["is_correct"]
        for line in path.read_text().splitlines()
        for value in json.loads(line).values()
        if isinstance(value, dict)
    ]
    assert [bool(row["outcome"]) for row in rows] == published


def test_questions_and_solutions_agree(path: Path, rows: list[Any]) -> None:
    questions = {row["question_id"]: row for _, row in gsm8k.questions(read_json_lines([path]))}
    assert len(questions) == 1319
    assert list(questions)[:2] == ["0000", "0001"]
    for row in rows:
        asked = questions[row["question_id"]]
        assert (row["question"], row["answer"]) == (asked["question"], asked["answer"])


def test_steps_are_lines_without_annotations(rows: list[Any]) -> None:
    assert rows[0]["steps"] == [
        "Janet eats 3 ducks eggs for breakfast every morning and she sells the rest so she has"
        " 16 - 3 = 13 ducks eggs left",
        "She has 13 ducks eggs and she sells 2 each day so she makes 13 * 2 = $26",
        "A: 26",
    ]
    assert [row["solution_id"] for row in rows[:5]] == [0, 1, 2, 3, 0]
    assert not any(">>" in step for row in rows for step in row["steps"])
    assert sum(any("<<" in step for step in row["steps"]) for row in rows) == 5


def record(**changes: Any) -> Record:
    values = {"question": "1 + 1?", "ground_truth": "1 + 1 = 2\nA: 2", "m": {"solution": "A: 2.0"}}
    return Record("f.jsonl, line 9", values | changes)


@pytest.mark.parametrize(
    ("solution", "parsed", "outcome"),
    [
        ("A: 2.0", "2.0", 1),
        ("A: $2", "$2", 1),
        ("so\nA: 2 ", "2", 1),
        ("A: two", "two", 0),
        ("A:", None, 0),
        ("A: 2\nNo wait", None, 0),
        ("B is not A: 2", None, 0),
    ],
)
def test_what_counts_as_an_answer(solution: str, parsed: str | None, outcome: int) -> None:
    ((_, row),) = gsm8k.solutions([record(m={"solution": solution})])
    assert (row["parsed_answer"], row["outcome"]) == (parsed, outcome)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"ground_truth": "it is 2"}, "line 9, key ground_truth: expected a last line"),
        ({"question": ""}, "line 9, key question: expected a text"),
        ({"m": "A: 2"}, "line 9, key m: expected a JSON object"),
        ({"m": {}}, "line 9, key m: expected the key solution"),
        ({"m": {"solution": " "}}, "line 9, key m, key solution: expected a text"),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        list(gsm8k.solutions([record(**changes)]))


def test_a_row_without_models_is_refused() -> None:
    with pytest.raises(InputError, match="line 9: expected a model's solution"):
        list(gsm8k.solutions([Record("line 9", {"question": "?", "ground_truth": "A: 1"})]))
