"""What an evaluation answers: which reward model beats the majority vote, Overall at the largest N."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import one_of, shown
from multirm.tables.schema import Row, Schema, column, ends_of

LEVEL = 0.05
"""A difference is called shown if its corrected p-value is below this."""


class Verdict(StrEnum):
    """What is known of a reward model's difference from the majority vote."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not_shown"
    """Neither better nor worse, so far as these questions tell: no evidence that the two are equal."""
    UNTESTED = "untested"
    """There is nothing to select at N = 1, and nothing to learn from one question."""


def _check_verdict(row: Row) -> tuple[str, str] | None:
    if row["verdict"] not in list(Verdict):
        return f"a verdict, {one_of(list(Verdict))}", shown(row["verdict"])
    return None


HEADLINE = Schema(
    "headline",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            # A Selection that needs rewards.
            column("selection", pa.string()),
            column("model", pa.string()),
            column("aggregation", pa.string()),
            # The largest.
            column("n", pa.int32()),
            # Accuracy minus that of the majority vote, in points, Overall, with its 95 % interval.
            column("difference", pa.float64()),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            # Corrected for all comparisons of the primary family, of which there are `n_tests`.
            column("p_holm", pa.float64(), nullable=True),
            column("n_tests", pa.int32()),
            # A Verdict.
            column("verdict", pa.string()),
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "selection", "model", "aggregation"),
    _check_verdict,
    older={1: ()},
    renewed=ends_of("difference"),
)
