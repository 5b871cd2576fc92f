"""Questions, and their splits."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, list_of


class Split(StrEnum):
    """What a set of questions is for. Splits share no questions."""

    PRETRAIN = "pretrain"
    TRAIN = "train"
    TEST = "test"


QUESTION_KEY = [column(name, pa.string()) for name in ("dataset", "category", "question_id")]


MOST_OPTIONS = 26


def option_letters(n_options: int) -> list[str]:
    """The letters of options, from A on; there are at most `MOST_OPTIONS`."""
    return [chr(ord("A") + i) for i in range(n_options)]


def _check_question(row: Row) -> tuple[str, str] | None:
    if not row["question"].strip():
        return "a question with text", "an empty one"
    if row["options"] is not None:
        letters = option_letters(len(row["options"]))
        if not 1 <= len(letters) <= MOST_OPTIONS:
            return f"1 to {MOST_OPTIONS} options, or null", str(len(letters) or "none")
        if row["answer"] not in letters:
            return f"an answer among the options {letters[0]}-{letters[-1]}", shown(row["answer"])
    return None


QUESTIONS = Schema(
    "questions",
    1,
    pa.schema(
        [
            *QUESTION_KEY,
            column("question", pa.string()),
            column("options", list_of(pa.string()), nullable=True),
            column("answer", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id"),
    _check_question,
)
