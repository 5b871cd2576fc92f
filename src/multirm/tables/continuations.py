"""Continuations of the first steps of solutions, from which Monte-Carlo labels are made."""

from enum import StrEnum
from math import ceil, log2

import pyarrow as pa

from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Schema, column


class Search(StrEnum):
    """Which of a solution's steps are continued."""

    ALL = "all"
    """All but the last, after which the answer is known."""
    HALVING = "halving"
    """Those that a search for the first hopeless step by halving needs. In a solution with the right answer there
    may be one as well: the answer may be a guess."""


def fewest_continuations(significance: float) -> int | None:
    """How many continuations of a step can tell whether it is good, however many options there are.

    If all n answers are right, that is by guessing with probability 0.5^n at most (two options). If all are wrong
    though half of them should be known, that has the probability 0.5^n at most (no options).

    Args:
        significance: the largest such probability that counts as telling; from 0 to 1.

    Returns:
        the smallest n with 0.5^n <= significance, at least 1; None at significance 0.
    """
    return max(1, ceil(log2(1 / significance))) if significance else None


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
