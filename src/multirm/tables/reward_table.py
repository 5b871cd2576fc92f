"""Accuracies at the largest N beside their differences from the majority vote."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of

REWARD_TABLE = Schema(
    "reward_table",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("selection", pa.string()),
            # Null: the majority vote and pass@N, which need no reward model.
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64(), nullable=True),
            column("accuracy_high", pa.float64(), nullable=True),
            column("n_questions", pa.int32()),
            # From the majority vote, in points: as in comparisons.
            column("difference", pa.float64(), nullable=True),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("p_holm", pa.float64(), nullable=True),
            column("family", pa.string(), nullable=True),
            # On what the accuracy's interval is based besides the spread over questions: an IntervalNote.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation"),
    older={1: ()},
    renewed=ends_of("accuracy"),
)
