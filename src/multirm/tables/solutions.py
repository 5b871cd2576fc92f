"""Solutions, and the simulated policies that write some of them."""

from dataclasses import replace
from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.questions import QUESTION_KEY, QUESTIONS
from multirm.tables.schema import Row, Schema, column, list_of


class Policy(StrEnum):
    """The simulated policies of the miniature; the tutor states single facts, to pretrain the backbone."""

    JUNIOR = "junior"
    SENIOR = "senior"
    TUTOR = "tutor"


SOLUTION_KEY = [*QUESTION_KEY, column("solution_id", pa.int32())]


def _check_solution(row: Row) -> tuple[str, str] | None:
    steps, labels = row["steps"], row["step_labels"]
    if not steps:
        return "at least one step", "none"
    if any(not step.strip() for step in steps):
        return (
            "steps with text",
            f"an empty one at position {[bool(s.strip()) for s in steps].index(False)}",
        )
    if labels is not None and len(labels) != len(steps):
        return "a label for each step", f"{len(labels)} labels and {len(steps)} steps"
    if labels is not None and not set(labels) <= {0, 1}:
        return "step labels 0 or 1", shown(labels)
    if row["outcome"] not in (None, 0, 1):
        return "outcome 0, 1 or null", shown(row["outcome"])
    return None


SOLUTIONS = Schema(
    "solutions",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("question", pa.string()),
            column("answer", pa.string(), nullable=True),
            column("steps", list_of(pa.string())),
            column("parsed_answer", pa.string(), nullable=True),
            column("outcome", pa.int8(), nullable=True),
            column("step_labels", list_of(pa.int8()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id"),
    _check_solution,
    at_least_one="solution",
)

# Of a category in which no step could be written anew, for instance.
SOLUTIONS_IF_ANY = replace(SOLUTIONS, at_least_one="")


def pool_of(row: Row) -> tuple[str, ...]:
    """The key of the question of a row's solution, shared by all solutions of its pool."""
    return tuple(row[name] for name in QUESTIONS.key)
