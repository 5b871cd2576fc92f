"""Options inside questions: listed once, and split from all of MMLU-Pro's questions."""

from pathlib import Path

import pytest

from multirm.data import mmlu_pro
from multirm.data.inline_options import split_options, with_options, without_prefix
from multirm.formats.json_source import read_json
from multirm.text.labels import format_question


def test_the_real_questions_are_split_as_they_were_put_together(shared_data: Path) -> None:
    records = read_json([shared_data / "mmlu_pro" / "eval_questions.json"])
    rows = [row for _, row in mmlu_pro.questions(records)]
    for row in rows:
        text = format_question(row["question"], row["options"])
        question, options = split_options(without_prefix(f"Question: {text}\n"))
        assert format_question(question, options) == text
        assert with_options(text, row["options"]) == text
        assert (question, options) == (row["question"].strip(), [o.strip() for o in row["options"]])


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("Which?\nA. x\nB. y", "Which?", ["x", "y"]),
        ("Which?\nA. x\n  more\nB. y", "Which?", ["x\n  more", "y"]),
        (
            "Read:\nA. one\nB. two\nWhich?\nA. x\nB. y\nC. z",
            "Read:\nA. one\nB. two\nWhich?",
            list("xyz"),
        ),
        ("Which?\nA. x", "Which?\nA. x", None),
        ("A. x\nB. y", "A. x\nB. y", None),
        ("Which? A. x B. y", "Which? A. x B. y", None),
        ("Which?\nA. x\nB. y\nA. z", "Which?", ["x", "y\nA. z"]),
        ("Which?\nB. x\nA. y", "Which?\nB. x\nA. y", None),
        # In quadratic time, this would take hours.
        ("Which?" + "\nA. x" * 50_000, "Which?" + "\nA. x" * 50_000, None),
        ("Which?" + "\nA. x" * 50_000 + "\nB. y", "Which?" + "\nA. x" * 49_999, ["x", "y"]),
    ],
)
def test_only_a_list_at_the_end_is_split(
    text: str, question: str, options: list[str] | None
) -> None:
    assert split_options(text) == (question, options)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("Question: Which?", "Which?"),
        ("Question: Question:\nWhich? ", "Which?"),
        ("Question:s", "Question:s"),
        ("The Question: Which?", "The Question: Which?"),
    ],
)
def test_prefix(text: str, bare: str) -> None:
    assert without_prefix(text) == bare
