"""Conversations that a backbone is pretrained on, so that it can do the tasks of a chat model."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused, list_of
from multirm.tables.solutions import SOLUTION_KEY


class ChatTask(StrEnum):
    """What a chat model is asked to do."""

    SOLVE = "solve"
    """Answer a question step by step."""
    JUDGE = "judge"
    """Name the first incorrect step of a solution."""
    COUNTERFACTUAL = "counterfactual"
    """Rewrite a correct step into an incorrect one."""
    REWRITE = "rewrite"
    """Say a step in other words."""


def _check_conversation(row: Row) -> tuple[str, str] | None:
    if is_refused(lambda: ChatTask(row["task"])):
        return "a task of a chat model", shown(row["task"])
    if len(row["turns"]) % 2 == 0:
        return "an odd number of turns, ending with the user's", str(len(row["turns"]))
    if not row["reply"].strip():
        return "a reply with text", shown(row["reply"])
    return None


CONVERSATIONS = Schema(
    "conversations",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("task", pa.string()),
            # Texts of the user and of the assistant in turn, from the user to the user.
            column("turns", list_of(pa.string())),
            column("reply", pa.string()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "task"),
    _check_conversation,
)
