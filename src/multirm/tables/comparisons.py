"""Paired differences between selections."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.accuracy import MAJORITY_VOTE
from multirm.tables.schema import Renewal, Schema, column


class Family(StrEnum):
    """The tests among which a comparison's p-value is corrected."""

    PRIMARY = "primary"
    """Overall at the largest N: the family for a study's conclusions."""
    EXPLORATORY = "exploratory"
    """Any other category, N and selection, one of many families: a small p-value is a hint, not a finding."""


COMPARISONS = Schema(
    "comparisons",
    3,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("selection", pa.string()),
            column("model", pa.string()),
            column("aggregation", pa.string()),
            column("n", pa.int32()),
            column("other_selection", pa.string()),
            # `accuracy.MAJORITY_VOTE` for the majority vote, which has no model and no aggregation.
            column("other_model", pa.string()),
            column("other_aggregation", pa.string(), nullable=True),
            column("difference", pa.float64()),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("p", pa.float64(), nullable=True),
            # Corrected within the family. There is the primary one (Overall, the largest N), and one for each
            # other category, selection and N, `n_families` in all. Null at N = 1, where there is nothing to test.
            column("p_holm", pa.float64(), nullable=True),
            column("family", pa.string(), nullable=True),
            column("n_families", pa.int32()),
            column("note", pa.string(), nullable=True),
        ]
    ),
    (
        *("dataset", "category", "selection", "model", "aggregation", "n"),
        *("other_selection", "other_model", "other_aggregation"),
    ),
    older={2: ()},
    renewed=Renewal(
        {"low": "difference_low", "high": "difference_high"}, {"other_model": MAJORITY_VOTE}
    ),
)
