"""What judges replied when they were asked for the first bad step of a solution."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused
from multirm.tables.solutions import SOLUTION_KEY


class JudgementReason(StrEnum):
    """Why a reply does not count, in the order in which the reasons are checked."""

    GIVEN_UP = "given_up"
    """A batch service never returned it, and it is not asked for again."""
    CUT_OFF = "cut_off"
    """The token limit, or the model's context, came before its end."""
    EMPTY = "empty"
    """It has no text."""
    NO_BOX = "no_box"
    """It has no box with a number."""
    OUT_OF_RANGE = "out_of_range"
    """It names a step that the solution does not have."""


def _check_judgement(row: Row) -> tuple[str, str] | None:
    reason, first_bad = row["reason"], row["first_bad"]
    if reason is not None and is_refused(lambda: JudgementReason(reason)):
        return "a reason, such as no_box, or null", shown(reason)
    if (reason is None) == (first_bad is None):
        return "either a step or the reason why there is none", shown(first_bad)
    if first_bad is not None and first_bad < -1:
        return "a step from 0, or -1 for none", shown(first_bad)
    return None


JUDGEMENTS = Schema(
    "judgements",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            # From 0. A reply that does not count is followed by the next attempt of the same vote.
            column("vote", pa.int32()),
            column("attempt", pa.int32()),
            column("reply", pa.string()),
            # The number of the first bad step, from 0; -1 if the judge finds none.
            column("first_bad", pa.int32(), nullable=True),
            column("reason", pa.string(), nullable=True),
            column("n_tokens_read", pa.int32()),
            column("n_tokens_generated", pa.int32()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "vote", "attempt"),
    _check_judgement,
)
