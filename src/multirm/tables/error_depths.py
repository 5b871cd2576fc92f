"""How rewards tell right from wrong solutions by the depth of the first error, and how errors carry over."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

_SCORER = [
    column("dataset", pa.string()),
    column("category", pa.string()),
    column("model", pa.string()),
    column("aggregation", pa.string()),
]


def _with_interval(name: str) -> list[pa.Field]:
    return [
        column(each, pa.float64(), nullable=True) for each in (name, f"{name}_low", f"{name}_high")
    ]


ERROR_DEPTHS = Schema(
    "error_depths",
    1,
    pa.schema(
        [
            *_SCORER,
            # Wrong solutions whose first incorrect step, from 1, is one of these, both included.
            column("depth_low", pa.int32()),
            column("depth_high", pa.int32()),
            column("n_questions", pa.int32()),
            # Pairs of a right and a wrong solution to one question, and those of them in which a reward is missing.
            column("n_pairs", pa.int32()),
            column("n_missing", pa.int32()),
            # The share of pairs in which the right solution has the higher reward, ties counted as a half.
            *_with_interval("accuracy"),
            # Minus that of the first model, on the pairs that both score; null for that model.
            *_with_interval("difference"),
            # The mean over wrong solutions of the sum of their step rewards' errors from the first incorrect step on.
            # An error is what a reward lacks to the mean of right solutions at the same step. For rewards of steps.
            *_with_interval("total_error"),
            # The same by Theorem 1 with the first model's α and first error, and the model's own factor β.
            column("predicted", pa.float64(), nullable=True),
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation", "depth_low"),
)

ERROR_PERSISTENCE = Schema(
    "error_persistence",
    1,
    pa.schema(
        [
            *_SCORER,
            column("n_questions", pa.int32()),
            # Steps from the first incorrect one on that have a next one, and those whose errors are not known.
            column("n_steps", pa.int32()),
            column("n_missing", pa.int32()),
            # α: how much of a step's error the next one has, by least squares.
            *_with_interval("alpha"),
            # β: the sum of errors, as a share of the first model's; null if their scales differ.
            *_with_interval("factor"),
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model", "aggregation"),
)
