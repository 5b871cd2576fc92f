"""Continuations of the first steps of solutions, from which Monte-Carlo labels are made."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Schema, column


class Search(StrEnum):
    """Which of a solution's steps are continued."""

    ALL = "all"
    """All but the last, after which the answer is known."""
    HALVING = "halving"
    """Of solutions with a wrong answer, those that a search for the first hopeless step by halving needs; of others
    none: all of their steps count as good."""


# Solutions that begin with the same steps share their continuations.
CONTINUATIONS = Schema(
    "continuations",
    1,
    pa.schema(
        [
            *QUESTION_KEY,
            # The first steps, joined by blank lines.
            column("prefix", pa.string()),
            column("n_steps", pa.int32()),
            column("continuation_id", pa.int32()),
            column("text", pa.string()),
            # Null: it ends without an answer, or is cut off.
            column("parsed_answer", pa.string(), nullable=True),
            column("outcome", pa.int8(), nullable=True),
            column("n_tokens_read", pa.int32()),
            column("n_tokens_generated", pa.int32()),
        ]
    ),
    ("dataset", "category", "question_id", "prefix", "continuation_id"),
)
