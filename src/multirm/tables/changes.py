"""Paired differences of accuracies between two datasets with the same questions."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

CHANGES = Schema(
    "changes",
    1,
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
            column("low", pa.float64(), nullable=True),
            column("high", pa.float64(), nullable=True),
            # An IntervalNote: why there is no interval, or what it is based on besides the spread over questions.
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "before", "category", "selection", "model", "aggregation", "n"),
)
