"""Gains over the majority vote at the largest N, by group of categories and by category."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of

GAIN_TABLE = Schema(
    "gain_table",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            # Overall, a group of categories or a category.
            column("part", pa.string()),
            column("is_group", pa.bool_()),
            column("selection", pa.string()),
            column("model", pa.string()),
            column("aggregation", pa.string()),
            column("n", pa.int32()),
            # From the majority vote, in points, with its 95 % interval, paired over questions.
            column("difference", pa.float64()),
            column("difference_low", pa.float64(), nullable=True),
            column("difference_high", pa.float64(), nullable=True),
            column("p_holm", pa.float64(), nullable=True),
            # As in comparisons; the tests of groups are exploratory.
            column("family", pa.string(), nullable=True),
            # What the interval is based on besides the spread over questions: an IntervalNote.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "part", "selection", "model", "aggregation"),
    older={1: ()},
    renewed=ends_of("difference"),
)
