"""MMLU-Pro: all real questions and exemplars are read, and odd rows are refused or named."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from multirm.data import mmlu_pro
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json

CATEGORIES = set(
    "law psychology chemistry biology physics history economics math business philosophy health"
    " engineering computer_science other".split()
)


def test_the_real_questions(shared_data: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = read_json([shared_data / "mmlu_pro" / "eval_questions.json"])
    rows = [row for _, row in mmlu_pro.questions(records)]
    assert len(rows) == len({row["question_id"] for row in rows}) == 2063
    counts = Counter(row["category"] for row in rows)
    assert set(counts) == CATEGORIES
    assert (counts["law"], counts["biology"], counts["computer_science"]) == (145, 130, 150)
    assert rows[0]["question_id"] == "6762_mmlu_health"
    assert caplog.text.count("though answer_index is") == 1


def test_the_real_exemplars_are_solved(shared_data: Path) -> None:
    records = read_json([shared_data / "mmlu_pro" / "exemplars.json"])
    rows = [row for _, row in mmlu_pro.solutions(records)]
    assert Counter(row["category"] for row in rows) == dict.fromkeys(CATEGORIES, 5)
    assert all(row["outcome"] == 1 and row["parsed_answer"] == row["answer"] for row in rows)
    assert all(row["steps"][-1] == f"The answer is ({row['answer']})." for row in rows)
    assert "\nA. 0\nB. 30\n" in rows[0]["question"]


def record(**changes: Any) -> Record:
    values = {
        "id": "7_law",
        "question_id": 3,
        "question": "Which?",
        "options": ["x", "y"],
        "answer": "B",
        "category": "law",
        "cot_content": "So.\n\nThe answer is (A).",
    }
    return Record("f.json, row 4", values | changes)


def test_a_solution_has_its_options() -> None:
    ((where, row),) = mmlu_pro.solutions([record()])
    assert where == "f.json, row 4"
    assert row == {
        "category": "law",
        "question_id": "7_law",
        "solution_id": 0,
        "question": "Which?\nA. x\nB. y",
        "answer": "B",
        "steps": ["So.", "The answer is (A)."],
        "parsed_answer": "A",
        "outcome": 0,
        "step_labels": None,
    }


@pytest.mark.parametrize("read", [mmlu_pro.questions, mmlu_pro.solutions])
@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"answer": "C"}, "row 4, key answer: expected one of the options A-B, found 'C'"),
        ({"options": []}, "row 4, key options: expected 1 to 26 options, found none"),
        ({"options": ["x", 2]}, r"row 4, key options\[1\]: expected a text"),
        ({"category": None}, "row 4, key category: expected a text"),
    ],
)
def test_bad_rows_are_named(read: Any, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        list(read([record(**changes)]))


def test_an_empty_solution_is_refused() -> None:
    with pytest.raises(InputError, match="row 4, key cot_content: expected a text"):
        list(mmlu_pro.solutions([record(cot_content="")]))
