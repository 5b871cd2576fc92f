"""What a training run writes beside its model: the loss, and counts of its examples."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

CURVES = Schema(
    "curves",
    1,
    pa.schema(
        [
            column("model", pa.string()),
            column("step", pa.int32()),
            column("epoch", pa.float64()),
            column("loss", pa.float64()),
            column("learning_rate", pa.float64()),
        ]
    ),
    ("model", "step"),
)


EXAMPLES = Schema(
    "examples",
    1,
    pa.schema(
        [
            column("model", pa.string()),
            column("category", pa.string()),
            column("n_used", pa.int32()),
            column("n_positive", pa.int32()),
            column("n_too_long", pa.int32()),
            column("n_unlabelled", pa.int32()),
        ]
    ),
    ("model", "category"),
)
