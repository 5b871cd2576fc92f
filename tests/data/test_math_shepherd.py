"""Math-Shepherd: the tags of one text are the labels of the other."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.data import math_shepherd
from multirm.data.tally import Tally
from multirm.errors import InputError
from multirm.formats.json_source import Record, read_json_lines


def read(*records: Record, tally: Tally | None = None) -> list[dict[str, Any]]:
    return [{**row} for _, row in math_shepherd.solutions(records, tally or Tally())]


def test_the_real_rows(shared_data: Path) -> None:
    path, tally = shared_data / "openr" / "samples_math-shepherd.jsonl", Tally()
    rows = read(*read_json_lines([path]), tally=tally)
    raw = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == len(raw) == 7
    assert tally.of("math") == {}
    for row, own in zip(rows, raw, strict=True):
        lines = own["label"].split("\n")
        assert row["step_labels"] == [{"+": 1, "-": 0}[line[-1]] for line in lines]
        joined = " ".join(f"Step {k}: {step} ки\n" for k, step in enumerate(row["steps"], start=1))
        assert f"{row['question']} {joined}".split() == own["input"].split()
        assert own["input"].endswith(f"The answer is: {row['parsed_answer']} ки")
        assert row["outcome"] == row["step_labels"][-1]
    assert sum(sum(row["step_labels"]) for row in rows) == 5
    assert sum(len(row["steps"]) for row in rows) == 25
    assert rows[4]["question_id"] == "gsm8k-000004"


def record(text: str, marks: str, line: int = 1, **changes: Any) -> Record:
    """A row whose label has the marks in place of the tags of its input, in order."""
    parts = text.split("ки")
    label = "".join(part + mark for part, mark in zip(parts, [*marks, ""], strict=True))
    return Record(
        f"f.jsonl, line {line}", {"input": text, "label": label, "task": "MATH"} | changes
    )


def test_a_later_step_can_be_correct_again() -> None:
    text = "Why? Step 1: a ки\nStep 2: b ки\nStep 3: The answer is: x. The answer is: $y$ ки"
    (row,) = read(record(text, "+-+"))
    assert row["step_labels"] == [1, 0, 1]
    assert (row["outcome"], row["parsed_answer"]) == (1, "$y$")
    assert row["steps"][:2] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "marks", "question", "steps"),
    [
        ("Is ки a word? Step 1: a ки", ["ки", "+"], "Is ки a word?", ["a"]),
        ("Why? Step 1: say ки twice ки", ["ки", "-"], "Why?", ["say ки twice"]),
        ("Why? step 1 : a ки \nStep 3: b ки", "+-", "Why?", ["a", "Step 3: b"]),
        ("Is this Step 1: no? Step 1: a ки\n", "+", "Is this Step 1: no?", ["a"]),
        ("Why? Step 1: a\nmore ки", "+", "Why?", ["a\nmore"]),
    ],
)
def test_tags_end_lines(text: str, marks: Any, question: str, steps: list[str]) -> None:
    (row,) = read(record(text, marks))
    assert (row["question"], row["steps"]) == (question, steps)


def test_what_cannot_be_used_is_counted() -> None:
    tally = Tally()
    rows = read(
        record("Given ки\nwhy? Step 1: a ки\nStep 2: b ки", "+-+", line=1),
        record("Why? a ки\nb ки", "++", line=2),
        record("Why? Step 1: ки\nStep 2: b ки", "-+", line=3),
        record("Why? Step 1: ки", "-", line=4),
        tally=tally,
    )
    assert [(row["question"], row["steps"], row["step_labels"]) for row in rows] == [
        ("Given\nwhy?", ["a", "b"], [0, 1]),
        ("Why?", ["b"], [1]),
    ]
    assert tally.of("math") == {
        "labels inside questions left out": 1,
        "rows without `Step 1:` left out": 1,
        "empty steps left out": 2,
        "solutions without steps left out": 1,
    }


def test_rows_with_one_question_are_a_pool() -> None:
    texts = ["Why? Step 1: a ки", "How? Step 1: a ки", "Why? Step 1: b ки"]
    rows = read(*[record(text, "+", line=k) for k, text in enumerate(texts)])
    assert [(row["question_id"], row["solution_id"]) for row in rows] == [
        *(("math-000000", 0), ("math-000001", 0), ("math-000000", 1))
    ]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"label": "Why? Step 1: a *"}, "key label: expected .* with . or - in place of tag 1"),
        ({"label": "Why? Step 1: b +"}, "key label: expected .* in place of tag 1"),
        ({"label": "Why? Step 1:"}, "key label: expected .* in place of tag 1"),
        ({"input": "Why? Step 1: a", "label": "x"}, "key input: expected a tag `ки`.*, found none"),
        ({"input": "Why? Step 1: a ки\nb"}, "key input: expected a tag `ки` .*, found 'b'"),
        (
            {"input": "Step 1: a ки", "label": "Step 1: a +"},
            "key input: expected a question before",
        ),
        ({"task": None}, "key task: expected a text"),
    ],
)
def test_bad_rows_are_named(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match="f.jsonl, line 1, " + complaint):
        read(record("Why? Step 1: a ки", "+", **changes))
