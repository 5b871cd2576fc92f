"""Nodes of preference trees."""

import pyarrow as pa

from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Schema, column, list_of

NODES = Schema(
    "nodes",
    1,
    pa.schema(
        [
            *QUESTION_KEY,
            # From 0, which is the question itself; parents have lower numbers than their children.
            column("node", pa.int32()),
            # Null for the root.
            column("parent", pa.int32(), nullable=True),
            # How many segments there are from the root to the node.
            column("depth", pa.int32()),
            # The segment of the solution that came first; empty for the root.
            column("text", pa.string()),
            # The mean outcome reward of the solutions through the node, in the unit of the rewards; null without any.
            column("value", pa.float64(), nullable=True),
            # How many of them have a reward.
            column("n_leaves", pa.int32()),
            # Of the value; null for fewer than two rewards.
            column("standard_error", pa.float64(), nullable=True),
            # All solutions through the node, in order.
            column("solution_ids", list_of(pa.int32())),
            # The reward of each of them; null where it is missing.
            column("rewards", list_of(pa.float64(), nullable=True)),
        ]
    ),
    ("dataset", "category", "question_id", "node"),
)
