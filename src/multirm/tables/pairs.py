"""Pairs of answers, one better than the other, and how often a reward model agrees."""

import pyarrow as pa

from multirm.tables.schema import Schema, column

PAIRS = Schema(
    "pairs",
    1,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("pair_id", pa.string()),
            column("model", pa.string()),
            # As the model outputs them, possibly logits: only their order counts.
            column("score_chosen", pa.float64(), nullable=True),
            column("score_rejected", pa.float64(), nullable=True),
        ]
    ),
    ("dataset", "category", "pair_id", "model"),
    at_least_one="pair",
)


PAIRWISE = Schema(
    "pairwise",
    2,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("model", pa.string()),
            column("n_pairs", pa.int32()),
            column("n_right", pa.int32()),
            column("n_tied", pa.int32()),
            column("n_unscored", pa.int32()),
            # In percent, among the scored pairs; null if none is scored.
            column("accuracy", pa.float64(), nullable=True),
            column("low", pa.float64(), nullable=True),
            column("high", pa.float64(), nullable=True),
            column("note", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "model"),
)
