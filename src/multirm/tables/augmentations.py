"""What a language model replied when it was asked to write a step of a solution anew, and what was made of that."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused, list_of
from multirm.tables.solutions import SOLUTION_KEY


class AugmentationKind(StrEnum):
    """What the new step is to be."""

    COUNTERFACTUAL = "counterfactual"
    """A wrong step instead of a correct one."""
    REWRITE = "rewrite"
    """A step that means the same, in other words."""


class ErrorType(StrEnum):
    """What is wrong with a counterfactual step: the types of VersaPRM (arXiv 2502.06737)."""

    CONFLICTING_STEPS = "conflicting_steps"
    NON_SEQUITUR = "non_sequitur"
    FACTUAL = "factual"
    FALSE_ASSUMPTION = "false_assumption"
    CONTEXTUAL = "contextual"
    CALCULATION = "calculation"
    WRONG_EQUATION = "wrong_equation"


class AugmentationReason(StrEnum):
    """Why a reply is rejected, in the order in which the reasons are checked."""

    GIVEN_UP = "given_up"
    """A batch service never returned it, and it is not asked for again."""
    CUT_OFF = "cut_off"
    """The token limit, or the model's context, came before its end."""
    EMPTY = "empty"
    """It has no text."""
    REPEATED_SECTION = "repeated_section"
    """It has a section twice, so that it is unclear which one counts."""
    NO_NUMBER = "no_number"
    """It does not say which step it replaces, or names several."""
    UNKNOWN_TYPE = "unknown_type"
    """It names no known type of error, or several."""
    NO_STEP = "no_step"
    """It has no new step."""
    NO_END = "no_end"
    """The new step has several lines, and nothing says which is its last: neither braces nor an explanation."""
    OUT_OF_RANGE = "out_of_range"
    """It names a step that the solution does not have."""
    SEVERAL_STEPS = "several_steps"
    """The new text has a blank line, which separates steps."""
    UNCHANGED = "unchanged"
    """The new step is the old one, apart from case and white space."""
    COPIED = "copied"
    """The new step is another one of the solution."""
    OTHER_NUMBERS = "other_numbers"
    """It should mean the same as the old step, but lacks one of its numbers, or has another one."""
    DUPLICATE = "duplicate"
    """An earlier reply about the same step gives the same new one."""


def _check_augmentation(row: Row) -> tuple[str, str] | None:
    kind, asked_type, reason = (row[name] for name in ("kind", "asked_type", "reason"))
    if is_refused(lambda: AugmentationKind(kind)):
        return "a known kind", shown(kind)
    if asked_type is not None and is_refused(lambda: ErrorType(asked_type)):
        return "a known asked_type", shown(asked_type)
    if reason is not None and is_refused(lambda: AugmentationReason(reason)):
        return "a reason, such as unchanged, or null", shown(reason)
    if (reason is None) == (row["variant_id"] is None):
        return "either the id of a variant or the reason why there is none", shown(reason)
    if reason is None and (row["step"] is None or row["text"] is None):
        return "an accepted reply with a step and its text", "one without"
    return None


AUGMENTATIONS = Schema(
    "augmentations",
    1,
    pa.schema(
        [
            # Of the solution of which a step is replaced.
            *SOLUTION_KEY,
            column("request", pa.int32()),
            column("kind", pa.string()),
            column("n_steps", pa.int32()),
            # The ErrorType asked for, and the one that the reply names. Null for rewrites.
            column("asked_type", pa.string(), nullable=True),
            column("error_type", pa.string(), nullable=True),
            # The step that is replaced, from 0, and the new one. As far as they can be read from a rejected reply.
            column("step", pa.int32(), nullable=True),
            column("text", pa.string(), nullable=True),
            column("explanation", pa.string(), nullable=True),
            column("reply", pa.string()),
            # Null: the variant is among the solutions, with this dataset and solution_id.
            column("reason", pa.string(), nullable=True),
            column("variant_dataset", pa.string()),
            column("variant_id", pa.int32(), nullable=True),
            column("n_tokens_read", pa.int32()),
            column("n_tokens_generated", pa.int32()),
        ]
    ),
    ("variant_dataset", "kind", "dataset", "category", "question_id", "solution_id", "request"),
    _check_augmentation,
)

N_PARTS = 5
"""Into how many equal parts of a solution the positions of new steps are counted."""

AUGMENTATION_COUNTS = Schema(
    "augmentation_counts",
    1,
    pa.schema(
        [
            # Of the variants.
            column("dataset", pa.string()),
            column("kind", pa.string()),
            # Null: all categories together.
            column("category", pa.string(), nullable=True),
            # An ErrorType; null for rewrites, and for all types together.
            column("error_type", pa.string(), nullable=True),
            # Solutions that some request is about, requests that ask for the type, and rejected replies to these.
            column("n_solutions", pa.int32()),
            column("n_requests", pa.int32()),
            *(column(f"n_{reason}", pa.int32()) for reason in AugmentationReason),
            # Variants with an error of the type, and those of them that were asked for another one.
            column("n_accepted", pa.int32()),
            column("n_other_type", pa.int32()),
            # Variants by the part of the solution in which their new step is: its middle, if steps are equally long.
            column("n_by_part", list_of(pa.int32())),
        ]
    ),
    ("dataset", "kind", "category", "error_type"),
)
