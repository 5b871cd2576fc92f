"""What verification costs, and what accuracy it comes to."""

import pyarrow as pa

from multirm.tables.rewards import COST_COLUMNS
from multirm.tables.schema import Schema, column, ends_of

COSTS = Schema(
    "costs",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            # Overall comes first: the macro-average over categories of costs and accuracies.
            column("category", pa.string()),
            # Also the majority vote, which verifies nothing and costs 0.
            column("selection", pa.string()),
            column("model", pa.string(), nullable=True),
            column("aggregation", pa.string(), nullable=True),
            column("n", pa.int32()),
            # The expected cost per question of scoring N solutions, on average over questions: N, or the size of a
            # smaller pool, times the mean of the same column of rewards over the pool. Sampling the solutions is not
            # included. Null if it is unknown of all solutions of a category.
            *(column(name, pa.float64(), nullable=True) for name in COST_COLUMNS),
            # The number of solutions without that count, which the means leave out.
            *(column(f"{name}_missing", pa.int32()) for name in COST_COLUMNS),
            # As in the table accuracy.
            column("accuracy", pa.float64()),
            column("accuracy_low", pa.float64(), nullable=True),
            column("accuracy_high", pa.float64(), nullable=True),
            column("note", pa.string(), nullable=True),
            column("n_questions", pa.int32()),
            # Whether the row is on the Pareto front of that cost and accuracy: no other row of the category is at
            # most as expensive and at least as accurate, and better in one of the two. Null if the cost is unknown,
            # and for a training run of several, whose mean is compared instead.
            *(column(f"{name}_pareto", pa.bool_(), nullable=True) for name in COST_COLUMNS),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n"),
    older={1: ()},
    renewed=ends_of("accuracy"),
)
