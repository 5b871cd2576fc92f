"""Everything that a policy wrote when solutions were sampled, also what did not become a solution."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused
from multirm.tables.solutions import SOLUTION_KEY


class SampleReason(StrEnum):
    """Why a sample did not become a solution, in the order in which the reasons are checked."""

    GIVEN_UP = "given_up"
    """A batch service never returned it, and it is not asked for again."""
    CUT_OFF = "cut_off"
    """The token limit came before its end."""
    NO_STEPS = "no_steps"
    """It has no text, or none after the thinking."""
    NO_ANSWER = "no_answer"
    """It gives no answer, or the letter of no option."""


def _check_sample(row: Row) -> tuple[str, str] | None:
    reason = row["reason"]
    if reason is not None and is_refused(lambda: SampleReason(reason)):
        return "a reason, such as cut_off, or null", shown(reason)
    return None


SAMPLES = Schema(
    "samples",
    1,
    pa.schema(
        [
            # `solution_id` is the number of the sample among those of its question.
            *SOLUTION_KEY,
            column("text", pa.string()),
            # Null: it is among the solutions.
            column("reason", pa.string(), nullable=True),
            # Tokens of the prompt, and of the text without the token that ends it.
            column("n_tokens_read", pa.int32()),
            column("n_tokens_generated", pa.int32()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id"),
    _check_sample,
)
