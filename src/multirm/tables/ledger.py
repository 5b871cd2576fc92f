"""What an evaluation left out, with counts."""

from enum import StrEnum

import pyarrow as pa

from multirm.tables.schema import Schema, column


class VoteWeight(StrEnum):
    """The weight of a solution in a weighted vote."""

    REWARD = "reward"
    """Its reward, if that is a probability."""
    SOFTMAX = "softmax"
    """The softmax of its reward over the pool, if that is a score."""


LEDGER = Schema(
    "ledger",
    6,
    pa.schema(
        [
            column("dataset", pa.string()),
            column("category", pa.string()),
            column("estimator", pa.string()),
            column("model", pa.string()),
            column("aggregation", pa.string()),
            # All questions, and those of them without a solution: all of their samples are incomplete.
            column("n_questions", pa.int32()),
            column("n_without_solution", pa.int32(), nullable=True),
            # Samples that are no solutions, but wrong members of pools, and those of them that were cut off. The others
            # have no answer. Null if only the solutions were given.
            column("n_incomplete", pa.int32(), nullable=True),
            column("n_cut_off", pa.int32(), nullable=True),
            # Solutions, and those of them whose answer is null.
            column("n_solutions", pa.int32()),
            column("n_unanswered", pa.int32()),
            # Answers that are not a letter, number or formula though the reference is; null if not checked.
            column("n_other_form", pa.int32(), nullable=True),
            column("n_unscored", pa.int32()),
            column("n_unscored_pools", pa.int32()),
            column("n_tied_pools", pa.int32()),
            column("n_null_rewards", pa.int32()),
            column("n_truncated", pa.int32(), nullable=True),
            # A Unit, a Scale, and a VoteWeight.
            column("unit", pa.string(), nullable=True),
            column("scale", pa.string(), nullable=True),
            column("vote_weight", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "estimator", "model", "aggregation"),
    older={
        5: ("n_without_solution", "n_incomplete", "n_cut_off"),
        4: (
            *("unit", "scale", "vote_weight"),
            *("n_without_solution", "n_incomplete", "n_cut_off"),
        ),
    },
)
