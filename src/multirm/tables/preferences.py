"""Preferences: two answers to a question, or two beginnings of answers, of which one is better."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Row, Schema, column, is_refused, list_of


class PreferenceKind(StrEnum):
    """What is compared."""

    OUTCOME = "outcome"
    """Whole answers."""
    PROCESS = "process"
    """Beginnings of answers, by what follows from them."""


class Siblings(StrEnum):
    """Which children of a node make pairs."""

    EXTREMES = "extremes"
    """The child with the greatest value and the one with the least."""
    ALL = "all"
    """Any two."""


class GapUnit(StrEnum):
    """What a gap between values is measured in."""

    RAW = "raw"
    """The unit of the rewards."""
    STANDARD_DEVIATION = "standard_deviation"
    """The standard deviation of the rewards of all solutions in the trees."""


class Prefix(StrEnum):
    """Which wording the two sides of a pair have before they part."""

    OWN = "own"
    """Each that of a solution that goes through its node."""
    SHARED = "shared"
    """Both that of the nodes, which is the first solution's."""


def _check_preference(row: Row) -> tuple[str, str] | None:
    if is_refused(lambda: PreferenceKind(row["kind"])):
        return "a kind, such as process", shown(row["kind"])
    for side in ("chosen", "rejected"):
        if not row[side]:
            return f"at least one segment of the {side} answer", "none"
        if not all(segment.strip() for segment in row[side]):
            return f"segments of the {side} answer with text", "an empty one"
    if row["chosen"] == row["rejected"]:
        return "two different answers", "the same one twice"
    chosen, rejected = row["chosen_value"], row["rejected_value"]
    if chosen is not None and rejected is not None and chosen < rejected:
        return "a chosen answer that is worth no less", f"values {chosen} and {rejected}"
    if row["margin"] is not None and row["margin"] < 0:
        return "a margin of at least 0, or null", shown(row["margin"])
    return None


PREFERENCES = Schema(
    "preferences",
    1,
    pa.schema(
        [
            *QUESTION_KEY,
            column("pair_id", pa.int32()),
            # A PreferenceKind.
            column("kind", pa.string()),
            column("question", pa.string()),
            # The segments of each side from the first to the last one that is read.
            column("chosen", list_of(pa.string())),
            column("rejected", list_of(pa.string())),
            # Whose wording each side has; null if it is of no solution.
            column("chosen_solution_id", pa.int32(), nullable=True),
            column("rejected_solution_id", pa.int32(), nullable=True),
            # What each side is worth, such as the mean reward of the solutions through its node; null if unknown.
            column("chosen_value", pa.float64(), nullable=True),
            column("rejected_value", pa.float64(), nullable=True),
            # How many rewards that is the mean of.
            column("chosen_n_leaves", pa.int32(), nullable=True),
            column("rejected_n_leaves", pa.int32(), nullable=True),
            # How much better the chosen side is, on a scale of its source; null if unknown.
            column("margin", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "pair_id"),
    _check_preference,
)
