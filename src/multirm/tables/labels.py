"""Labels of single steps, and where each comes from."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, is_refused
from multirm.tables.solutions import SOLUTION_KEY


class LabelSource(StrEnum):
    """Who or what labelled a step."""

    JUDGE = "judge"
    """A language model that was asked for the first bad step."""
    MONTE_CARLO = "monte_carlo"
    """How often continuations of the solution's first steps reach the reference answer."""
    CONSENSUS = "consensus"
    """Several sources that agree on the first bad step."""
    READ = "read"
    """The files that the solution was read from."""
    AUGMENTATION = "augmentation"
    """A step that was written to be bad, or to mean the same as a labelled one."""
    KNOWN = "known"
    """The facts that the miniature's questions are about."""


class LabelReason(StrEnum):
    """Why a step has no label."""

    UNPARSABLE = "unparsable"
    """No reply names a step, or says that there is none."""
    OUT_OF_RANGE = "out_of_range"
    """The replies name a step that the solution does not have."""
    TIED = "tied"
    """As many votes for one first bad step as for another."""
    NO_ANSWERS = "no_answers"
    """No continuation ends with an answer."""
    UNSURE = "unsure"
    """The share of correct continuations is too close to the guessing rate to tell."""
    DISAGREEMENT = "disagreement"
    """The sources name different first bad steps, or one of them names none."""
    UNKNOWN_FORM = "unknown_form"
    """The step is not in the form that can be checked against the facts."""


def _check_label(row: Row) -> tuple[str, str] | None:
    source, label, value, reason = (row[name] for name in ("source", "label", "value", "reason"))
    if is_refused(lambda: LabelSource(source)):
        return "a source, such as judge", shown(source)
    if reason is not None and is_refused(lambda: LabelReason(reason)):
        return "a reason for the missing label, such as unparsable, or null", shown(reason)
    if row["step"] < 0:
        return "the step's position, from 0", shown(row["step"])
    if label not in (None, 0, 1):
        return "label 0, 1 or null", shown(label)
    if value is not None and not 0 <= value <= 1:
        return "a value from 0 to 1, or null", shown(value)
    if (label is None and value is None) == (reason is None):
        return "either a label or value, or the reason why there is none", shown(reason)
    return None


# A step without a row has no label: training does not learn from it.
LABELS = Schema(
    "labels",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            # From 0.
            column("step", pa.int32()),
            # A LabelSource.
            column("source", pa.string()),
            # 1 if the step is good, 0 if it is bad; null if unknown.
            column("label", pa.int8(), nullable=True),
            # How good: the share of votes that call the step good, or of continuations that are correct.
            column("value", pa.float32(), nullable=True),
            # Replies or continuations that could be read, and those of them that agree with `label`.
            column("n_votes", pa.int32(), nullable=True),
            column("n_agreeing", pa.int32(), nullable=True),
            # A LabelReason, for a step with neither label nor value.
            column("reason", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "step", "source"),
    _check_label,
)
