"""Critiques, what filtering says of them, and what is counted of them."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, list_of
from multirm.tables.solutions import SOLUTION_KEY


class CritiqueStage(StrEnum):
    """The three tables that critiques pass through."""

    GENERATED = "generated"
    FILTERED = "filtered"
    SHORTENED = "shortened"


class DropReason(StrEnum):
    """Why filtering left a critique out of training, in the order in which the reasons are tried."""

    NO_END_OF_THINKING = "no_end_of_thinking"
    CHINESE_CHARACTERS = "chinese_characters"
    NO_STEPS = "no_steps"
    UNPARSABLE = "unparsable"
    UNLABELLED = "unlabelled"
    LABEL_DISAGREES = "label_disagrees"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    UNBALANCED = "unbalanced"


class Agreement(StrEnum):
    """What of a gPRM critique must be as labelled for it to be learned from; gORM has but a verdict."""

    STRICT = "strict"
    """Its verdict on each step up to the first incorrect one."""
    RELAXED = "relaxed"
    """Only whether it finds an incorrect step: it must where the solution's answer is wrong, and else not."""


class Deviation(StrEnum):
    """What of a critique that can be read is not as the prompt asks for it."""

    VERDICT_SPELLING = "verdict_spelling"
    """Bold type, other capitals, a box, or a line end in the verdict line."""
    VERDICT_TWICE = "verdict_twice"
    """Another verdict before the one that counts, perhaps while thinking."""
    TEXT_AFTER = "text_after"
    """Something follows the verdict."""
    VERDICT_IMPLIED = "verdict_implied"
    """There is none but the one that follows from the verdicts on the steps."""
    STEP_SPELLING = "step_spelling"
    """Bold type, other capitals, other words, or a line of its own for a step's verdict."""
    UNNUMBERED = "unnumbered"
    """Steps are judged in order, but not all by number."""
    FROM_ZERO = "from_zero"
    """Steps are numbered from 0."""
    STEPS_TWICE = "steps_twice"
    """A step is judged more than once, perhaps once while thinking."""


def _check_critique(row: Row) -> tuple[str, str] | None:
    if row["verdict"] not in (None, 0, 1):
        return "verdict 0, 1 or null", shown(row["verdict"])
    if row["kept"] and row["reason"] is not None:
        return "no reason on a kept critique", shown(row["reason"])
    return None


CRITIQUES = Schema(
    "critiques",
    2,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("critique_id", pa.int32()),
            column("critique", pa.string()),
            column("verdict", pa.int8(), nullable=True),
            column("step_verdicts", list_of(pa.int8()), nullable=True),
            # Of the prompt and of prompt and critique, as it was generated, by the tokenizer that wrote it;
            # null where none did.
            column("n_prompt_tokens", pa.int32(), nullable=True),
            column("n_tokens", pa.int32(), nullable=True),
            column("truncated", pa.bool_()),
            column("kept", pa.bool_()),
            column("reason", pa.string(), nullable=True),
            # Where it is not as the prompt asks; null where it was not looked at.
            column("deviations", list_of(pa.string()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id"),
    _check_critique,
    # What a teacher wrote is worth GPU-months.
    older={1: ("n_prompt_tokens", "deviations")},
)


CRITIQUE_CHECKS = Schema(
    "critique_checks",
    1,
    pa.schema(
        [
            *(column(name, pa.string()) for name in ("dataset", "category", "kind")),
            *(column(f"n_{name}", pa.int32()) for name in ("solutions", "critiques", "truncated")),
            *(column(f"n_kept{name}", pa.int32()) for name in ("", "_solutions", "_yes", "_no")),
            *(column(f"n_{reason}", pa.int32()) for reason in DropReason),
            # Of those that disagree with the labels, by their own verdict.
            *(column(f"n_disagreeing_{verdict}", pa.int32()) for verdict in ("yes", "no")),
            # The share, of critiques that were compared with labels, that say the same; null where none was.
            column("agreement", pa.float64(), nullable=True),
            # Of all critiques that can be read, kept or not.
            *(column(f"n_{deviation}", pa.int32()) for deviation in Deviation),
            # Of those that are kept: prompt and critique as it was generated, where tokens were counted.
            column("median_tokens", pa.float64(), nullable=True),
            column("max_tokens", pa.int32(), nullable=True),
            # Of those that are kept, as they stand in the table.
            column("median_characters", pa.float64(), nullable=True),
            column("max_characters", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "kind"),
)


EXAMPLE_TOKENS = Schema(
    "example_tokens",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("critique_id", pa.int32()),
            column("kind", pa.string()),
            column("place", pa.int32()),
            column("token", pa.int32()),
            # Of the token by itself, which may be a part of a letter.
            column("text", pa.string()),
            column("learned", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id", "kind", "place"),
)
