"""Paired differences of accuracies between two datasets with the same questions."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of

CHANGES = Schema(
    "changes",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            # The dataset that it is compared with: such as the one whose steps were shuffled.
            column("before", pa.string()),
            column("category", pa.string()),
            column("selection", pa.string()),
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            column("n_questions", pa.int32()),
            # The accuracy on `dataset` minus that on `before`, in points, with its 95 % interval: over questions, and
            # for means over training runs also over seeds.
            column("change", pa.float64()),
            column("change_low", pa.float64(), nullable=True),
            column("change_high", pa.float64(), nullable=True),
            # An IntervalNote: why there is no interval, or what it is based on besides the spread over questions.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "before", "category", "selection", "model", "aggregation", "n"),
    older={1: ()},
    renewed=ends_of("change"),
)
