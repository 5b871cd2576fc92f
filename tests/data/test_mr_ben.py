"""MR-Ben: people's first errors, which count numbered steps rather than lines."""

import json
import re
from collections import Counter
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from multirm.data import mr_ben
from multirm.data.tally import Tally
from multirm.errors import InputError


def read(path: Path, tally: Tally | None = None) -> list[dict[str, Any]]:
    return [{**row} for _, row in mr_ben.solutions([path], tally or Tally())]


def raw_rows(path: Path) -> list[dict[str, Any]]:
    return [row for rows in json.loads(path.read_text()).values() for row in rows]


@pytest.mark.parametrize(
    ("file", "n_questions", "n_correct", "n_incorrect", "left_out"),
    [
        ("biology", 345, 617, 417, {"solutions with an error at two steps left out": 1}),
        ("chemistry", 284, 382, 466, {}),
        ("medicine", 277, 257, 570, {"solutions with an error beyond the last step left out": 1}),
        ("coding", 0, 0, 0, {"solutions that are one text left out": 238}),
    ],
)
def test_the_real_files(
    shared_data: Path,
    file: str,
    n_questions: int,
    n_correct: int,
    n_incorrect: int,
    left_out: dict[str, int],
) -> None:
    tally, path = Tally(), shared_data / "mrben" / f"{file}.json"
    rows = read(path, tally)
    assert tally.of(file) == left_out
    assert {row["category"] for row in rows} <= {file}
    assert Counter(row["outcome"] for row in rows) == Counter({1: n_correct, 0: n_incorrect})
    assert len({row["question_id"] for row in rows}) == n_questions
    # Solutions to one question have one text, though some in the source differ in line ends.
    assert len({(row["question_id"], row["question"]) for row in rows}) == n_questions
    assert len({(row["question_id"], row["solution_id"]) for row in rows}) == len(rows)
    assert len(raw_rows(path)) == len(rows) + sum(left_out.values())
    for row in rows:
        assert all(row["steps"]) and len(row["steps"]) == len(row["step_labels"])
        assert row["outcome"] == int(all(row["step_labels"]))
        first = (*row["step_labels"], 0).index(0)
        assert not any(row["step_labels"][first:])


def test_errors_count_numbered_steps_and_not_lines(shared_data: Path) -> None:
    """Where the two differ, people's corrections resemble the step that has the number."""
    nearer: Counter[str] = Counter()
    for file in ("biology", "chemistry", "medicine"):
        path = shared_data / "mrben" / f"{file}.json"
        found = {(row["question_id"], row["solution_id"]): row for row in read(path)}
        for question_id, solutions in json.loads(path.read_text()).items():
            for number, raw in enumerate(solutions):
                row, lines = found.get((question_id, number)), raw["Model_Solution_Steps"]
                if row is None or row["outcome"] or len(solutions) != 3:
                    continue
                error = row["step_labels"].index(0)
                stated = int(raw["Model_Solution_First_Error_Step"])
                if stated > len(lines) or lines[stated - 1].startswith(f"Step {stated}"):
                    continue
                correction = " ".join(raw["Model_Solution_Rectified_First_Error_Step"])
                of_step = _likeness(correction, row["steps"][error])
                of_line = _likeness(correction, lines[stated - 1])
                nearer["step" if of_step > of_line else "line"] += 1
    assert nearer["step"] > 12 * nearer["line"]
    assert nearer.total() > 200


def _likeness(one: str, other: str) -> float:
    words = [re.sub(r"Step \d+:", "", text).lower().split() for text in (one, other)]
    return SequenceMatcher(None, *words).ratio()


def record(**changes: Any) -> dict[str, Any]:
    return {
        "Question_UUID": "u",
        "Subject": "college_biology",
        "Question": "Which?\r\nOne.",
        "Options": "A: x \nB: y ",
        "Ground_Truth_Answer": "A",
        "Ground_Truth_Answer_Modified": "AB",
        "Sampled_Model": "a model",
        "Model_Solution_Steps": ["Step 1: One.", "more", "", "Step 2: Two.", "Solution: Choice_A"],
        "Model_Solution_Correctness": "incorrect",
        "Model_Solution_First_Error_Step": "2",
        **changes,
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(*records: dict[str, Any]) -> Path:
        path = tmp_path / "f.json"
        path.write_text(json.dumps({"u": list(records)}))
        return path

    return written


def test_lines_are_joined_to_steps(write: Any) -> None:
    (row,) = read(write(record()))
    assert row == {
        "category": "biology",
        "question_id": "u",
        "solution_id": 0,
        "question": "Which?\nOne.\nA. x\nB. y",
        "answer": "AB",
        "steps": ["One.\nmore", "Two.", "Solution: Choice_A"],
        "parsed_answer": None,
        "outcome": 0,
        "step_labels": [1, 0, 0],
    }


@pytest.mark.parametrize(
    ("lines", "error", "steps", "labels"),
    [
        # What comes before the first step belongs to it.
        (["Here:", "Step 1: a", "Step 2: b"], "2", ["Here:\nStep 1: a", "b"], [1, 0]),
        # The solution, and a step n, have the next number.
        (["Step 1: a", "Solution: A"], "2", ["a", "Solution: A"], [1, 0]),
        (
            ["Step 1: a", "Step n: b", "Solution: A"],
            "2",
            ["a", "Step n: b", "Solution: A"],
            [1, 0, 0],
        ),
        # A step in between that is not numbered does not count.
        (["Step 1: a", "Step A: b", "Step 2: c"], "2", ["a", "Step A: b", "Step 2: c"], [1, 1, 0]),
        (["Step 1: ", "a", "Step 2:"], "1", ["a", "Step 2:"], [0, 0]),
    ],
)
def test_steps(
    write: Any, lines: list[str], error: str, steps: list[str], labels: list[int]
) -> None:
    changes = {"Model_Solution_Steps": lines, "Model_Solution_First_Error_Step": error}
    (row,) = read(write(record(**changes)))
    assert (row["steps"], row["step_labels"]) == (steps, labels)


@pytest.mark.parametrize(
    ("lines", "error", "reason"),
    [
        (
            ["Step 1: a", "Solution: A"],
            "3",
            "solutions with an error beyond the last step left out",
        ),
        (["Step 1: a", "Step 1: b"], "1", "solutions with an error at two steps left out"),
        (["Step 1: a", "Step 3: b"], "2", "solutions with an error beyond the last step left out"),
        ("def f(): …", "N/A", "solutions that are one text left out"),
    ],
)
def test_errors_that_cannot_be_placed_are_counted(
    write: Any, lines: list[str] | str, error: str, reason: str
) -> None:
    changes = {"Model_Solution_Steps": lines, "Model_Solution_First_Error_Step": error}
    tally = Tally()
    assert read(write(record(**changes)), tally) == []
    assert tally.of("biology") == {reason: 1}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"Model_Solution_Correctness": "correct"}, "expected N/A in a correct solution, found 2"),
        ({"Model_Solution_Correctness": "yes"}, "expected correct or incorrect, found 'yes'"),
        (
            {"Model_Solution_First_Error_Step": "N/A"},
            "expected the number of a step, from 1, found",
        ),
        ({"Model_Solution_First_Error_Step": "0"}, "expected the number of a step, from 1, found"),
        ({"Model_Solution_First_Error_Step": "9" * 5000}, "expected the number of a step, from 1"),
        ({"Model_Solution_Steps": [" "]}, "key Model_Solution_Steps: expected steps with text"),
        ({"Options": "x\ny"}, "key Options: expected lines A: …, B: … and so on"),
        ({"Options": "A: x\nC: y"}, "key Options: expected lines A: …, B: … and so on"),
    ],
)
def test_bad_rows_are_named(write: Any, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=r"f.json, u\[0\], .*" + complaint):
        read(write(record(**changes)))


def test_a_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text("[]")
    with pytest.raises(InputError, match=r"f.json: expected a JSON object, found \[\]"):
        read(path)
