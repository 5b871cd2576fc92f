"""Critiques, the marks of filtering, and counts of both."""

from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, list_of
from multirm.tables.solutions import SOLUTION_KEY


class CritiqueStage(StrEnum):
    """The three stages of critiques, each with its table."""

    GENERATED = "generated"
    FILTERED = "filtered"
    SHORTENED = "shortened"


class DropReason(StrEnum):
    """Why filtering dropped a critique, in the order in which the reasons are checked."""

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
    """How far a gPRM critique must agree with the labels to be kept; a gORM critique has only its verdict."""

    STRICT = "strict"
    """Its verdict on each step up to the first incorrect one."""
    RELAXED = "relaxed"
    """Only whether it finds an incorrect step: it must if and only if the solution's answer is wrong."""


class Deviation(StrEnum):
    """How the form of a readable critique deviates from what the prompt asks for."""

    VERDICT_SPELLING = "verdict_spelling"
    """Bold type, other capitals, a box, or a line end in the verdict line."""
    VERDICT_TWICE = "verdict_twice"
    """Another verdict before the one that counts, possibly while thinking."""
    TEXT_AFTER = "text_after"
    """Text after the verdict."""
    VERDICT_IMPLIED = "verdict_implied"
    """No verdict except the one implied by the verdicts on the steps."""
    STEP_SPELLING = "step_spelling"
    """Bold type, other capitals, other words, or a separate line for a step's verdict."""
    UNNUMBERED = "unnumbered"
    """Steps are judged in order, but not all by number."""
    FROM_ZERO = "from_zero"
    """Steps are numbered from 0."""
    STEPS_TWICE = "steps_twice"
    """A step is judged more than once, possibly once while thinking."""


def _check_critique(row: Row) -> tuple[str, str] | None:
    if row["verdict"] not in (None, 0, 1):
        return "verdict 0, 1 or null", shown(row["verdict"])
    if row["kept"] and row["reason"] is not None:
        return "no reason on a kept critique", shown(row["reason"])
    return None


def _with_generated(table: pa.Table) -> pa.Table:
    """A table of version 1 or 2, which counted the tokens of prompt and critique together.

    Version 1 did not count those of the prompt, so the two cannot be told apart.
    """
    n_tokens = table["n_tokens"]
    table = table.drop_columns(["n_tokens"])
    if "n_prompt_tokens" not in table.column_names:
        return table
    n_generated = pc.subtract(n_tokens, table["n_prompt_tokens"])
    table = table.rename_columns({"n_prompt_tokens": "n_tokens_read"})
    return table.append_column("n_tokens_generated", n_generated)


CRITIQUES = Schema(
    "critiques",
    3,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("critique_id", pa.int32()),
            column("critique", pa.string()),
            column("verdict", pa.int8(), nullable=True),
            column("step_verdicts", list_of(pa.int8()), nullable=True),
            # Tokens of the prompt, and of the critique without the token that ends it, by the tokenizer of the model
            # that wrote it, and as it was written; null if no model did.
            column("n_tokens_read", pa.int32(), nullable=True),
            column("n_tokens_generated", pa.int32(), nullable=True),
            column("truncated", pa.bool_()),
            column("kept", pa.bool_()),
            column("reason", pa.string(), nullable=True),
            # Deviations from the form that the prompt asks for; null if not checked.
            column("deviations", list_of(pa.string()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id"),
    _check_critique,
    # Older tables are read, since a teacher's critiques cost GPU-months.
    older={1: ("n_tokens_read", "n_tokens_generated", "deviations"), 2: ()},
    renewed=_with_generated,
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
            # Those that disagree with the labels, by their own verdict.
            *(column(f"n_disagreeing_{verdict}", pa.int32()) for verdict in ("yes", "no")),
            # The fraction of the critiques compared with labels that agree with them; null if none was compared.
            column("agreement", pa.float64(), nullable=True),
            # Of all readable critiques, kept or not.
            *(column(f"n_{deviation}", pa.int32()) for deviation in Deviation),
            # Of kept critiques with token counts: prompt and critique as generated.
            column("median_tokens", pa.float64(), nullable=True),
            column("max_tokens", pa.int32(), nullable=True),
            # Of kept critiques, as in the table.
            column("median_characters", pa.float64(), nullable=True),
            column("max_characters", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "kind"),
)


FILTERING = Schema(
    "filtering",
    1,
    pa.schema(
        [
            # The name of the set.
            column("critiques", pa.string()),
            column("dataset", pa.string()),
            column("kind", pa.string()),
            # Null: all categories together.
            column("category", pa.string(), nullable=True),
            column("n_critiques", pa.int32()),
            *(column(f"n_{reason}", pa.int32()) for reason in DropReason),
            *(column(f"n_kept{name}", pa.int32()) for name in ("", "_yes", "_no")),
        ]
    ),
    ("critiques", "dataset", "kind", "category"),
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
            # The token decoded by itself; it may be part of a character.
            column("text", pa.string()),
            column("learned", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id", "kind", "place"),
)
