"""Nodes of search trees: every step that a policy wrote during a search, also those that were given up."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.questions import QUESTION_KEY
from multirm.tables.schema import Row, Schema, column, is_refused


class SearchEnd(StrEnum):
    """Why a solution ends at a node, in the order in which the reasons are checked."""

    OVERRUN = "overrun"
    """A limit came first: of tokens or steps, or the policy's context."""
    LOOPED = "looped"
    """The solution would go on after a step that repeats an earlier one of it word by word."""
    UNSCORED = "unscored"
    """The reward model has no reward for the step."""
    FINISHED = "finished"
    """The policy ended the solution. Only these can be chosen."""


def _check_node(row: Row) -> tuple[str, str] | None:
    node, parent, end = row["node"], row["parent"], row["end"]
    if (parent is None) != (node == 0):
        return "a parent for every node but 0", f"parent {parent} of node {node}"
    if parent is not None and not 0 <= parent < node:
        return "a parent with a lower number", f"parent {parent} of node {node}"
    if end is not None and is_refused(lambda: SearchEnd(end)):
        return "an end, such as finished, or null", shown(end)
    if end != SearchEnd.FINISHED and (
        row["parsed_answer"] is not None or row["outcome"] is not None
    ):
        return (
            "answers and outcomes of finished solutions only",
            f"one where the end is {shown(end)}",
        )
    if row["outcome"] not in (None, 0, 1):
        return "outcome 0, 1 or null", shown(row["outcome"])
    return None


SEARCH_NODES = Schema(
    "search_nodes",
    1,
    pa.schema(
        [
            # The name of the search.
            column("search", pa.string()),
            *QUESTION_KEY,
            # From 0, which is the question itself, in the order of creation: parents have lower numbers than their
            # children.
            column("node", pa.int32()),
            # Null for node 0.
            column("parent", pa.int32(), nullable=True),
            # The number of steps from the question to the node.
            column("depth", pa.int32()),
            # The step, without what separates it from the next one; empty for node 0.
            column("text", pa.string()),
            # What the policy drew for this step, with the tokens of its separator or of the end of the text.
            column("n_tokens", pa.int32()),
            # The reward model's reward of the step; null for node 0, and where there is none.
            column("reward", pa.float64(), nullable=True),
            # MCTS: the mean of the values that were backed up through the node; null in other searches and if none was.
            column("value", pa.float64(), nullable=True),
            # How many samples were drawn after it; in MCTS, how many simulations went through it.
            column("visits", pa.int32()),
            # A SearchEnd. Null: the solution goes on, or the search did not go on from here.
            column("end", pa.string(), nullable=True),
            # Of finished solutions; null where they give none.
            column("parsed_answer", pa.string(), nullable=True),
            column("outcome", pa.int8(), nullable=True),
        ]
    ),
    ("search", "dataset", "category", "question_id", "node"),
    _check_node,
)
