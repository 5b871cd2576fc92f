"""The components of accuracies' variance, and accuracies by the number of critiques."""

import pyarrow as pa

from multirm.tables.schema import Schema, column, ends_of

_ACCURACY_OF = [
    column("dataset", pa.string()),
    column("category", pa.string()),
    column("selection", pa.string()),
    column("model", pa.string(), nullable=True),
    column("aggregation", pa.string(), nullable=True),
    column("n", pa.int32()),
]


VARIANCE = Schema(
    "variance",
    2,
    pa.schema(
        [
            *_ACCURACY_OF,
            column("n_short", pa.int32()),
            # `seeds` is not part of the total: null if a model was trained once; for a training run, the variance
            # between runs; for the mean over S runs, 1/S of that.
            *(
                column(name, pa.float64(), nullable=True)
                for name in ("total", "questions", "solutions", "critiques", "seeds")
            ),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n"),
)


CRITIQUE_COUNTS = Schema(
    "critique_counts",
    4,
    pa.schema(
        [
            *_ACCURACY_OF,
            column("n_short", pa.int32()),
            column("n_critiques", pa.int32()),
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64()),
            column("accuracy_high", pa.float64()),
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n", "n_critiques"),
    older={3: ()},
    renewed=ends_of("accuracy"),
)
