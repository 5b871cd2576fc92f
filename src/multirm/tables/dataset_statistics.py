"""What datasets consist of: questions, solutions, steps and their labels."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

DATASET_STATISTICS = Schema(
    "dataset_statistics",
    1,
    pa.schema(
        [
            column("dataset", pa.string()),
            # Null: all categories together.
            column("category", pa.string(), nullable=True),
            *(column(f"n_{name}", pa.int64()) for name in ("questions", "solutions", "steps")),
            # Solutions with an outcome label, and those labelled correct.
            column("n_judged", pa.int64()),
            column("n_correct", pa.int64()),
            # Solutions with step labels, and the steps with either label.
            column("n_labelled", pa.int64()),
            column("n_correct_steps", pa.int64()),
            column("n_incorrect_steps", pa.int64()),
            # Labelled solutions that are correct although a step is not.
            column("n_recoveries", pa.int64()),
        ]
    ),
    ("dataset", "category"),
)
