"""Entry point `build_trees`: merge the answers to each question into a preference tree (OpenPRM)."""

import logging
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.nodes import NODES
from multirm.tables.questions import QUESTIONS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS
from multirm.trees.options import MERGING, MergingOptions
from multirm.trees.outcome_rewards import OutcomeReward, outcome_reward, parameters_of
from multirm.trees.tree import grow, value_of

logger = logging.getLogger(__name__)

_ROWS_AT_ONCE = 50_000


@entry
def build_trees(
    solutions: Path,
    output: OutputFile,
    *,
    merging: MergingOptions = MERGING,
    rewards: Path | None = None,
    aggregation: Aggregation | None = None,
) -> None:
    """Merge what solutions to the same question say at the same place, and value it by how they end.

    Solutions are walked in the order of their ids. Each of their segments joins the first node under the node of the
    segment before it that is similar enough, or becomes a new node. A node's value is the mean reward of the solutions
    through it. A solution without a reward is merged as well, but does not count.

    Args:
        solutions: solutions table, in which the solutions to a question stand together.
        output: table of nodes.
        merging: which segments of solutions are merged.
        rewards: a reward model's rewards of the solutions; by default a solution's reward is its outcome, 1 or 0.
        aggregation: how a solution's rewards become one.

    Raises:
        InputError: the tables are not as described, or do not fit together; nothing is written.
    """
    reward = outcome_reward(rewards, aggregation)
    origin = origin_of(
        __name__,
        {**merging.parameters, **parameters_of(aggregation)},
        [solutions, *([rewards] if rewards else [])],
    )
    n_questions = n_solutions = n_nodes = n_unrewarded = 0
    with parquet.writing(output, NODES, origin) as add:
        waiting: list[pa.Table] = []
        for pool in parquet.read_groups(solutions, SOLUTIONS, QUESTIONS.key):
            nodes = tree_of(pool, merging, reward)
            n_questions += 1
            n_solutions += len(pool)
            n_nodes += len(nodes) - 1
            n_unrewarded += len(pool) - nodes["n_leaves"][0].as_py()
            waiting.append(nodes)
            if sum(map(len, waiting)) >= _ROWS_AT_ONCE:
                add(pa.concat_tables(waiting))
                waiting = []
        if waiting:
            add(pa.concat_tables(waiting))
    logger.info("%d nodes from %d solutions to %d questions", n_nodes, n_solutions, n_questions)
    if n_unrewarded:
        logger.warning("%d solutions have no reward and do not count in values", n_unrewarded)


def tree_of(pool: Sequence[Row], merging: MergingOptions, reward: OutcomeReward) -> pa.Table:
    """The nodes of the solutions to one question."""
    ordered = sorted(pool, key=lambda row: row["solution_id"])
    ids = [row["solution_id"] for row in ordered]
    worth = [reward(row) for row in ordered]
    tree = grow((merging.segments.of(row["steps"]) for row in ordered), merging.likeness)
    rewards = [[worth[answer] for answer in answers] for answers in tree.answers]
    values = [value_of(each) for each in rewards]
    n = len(values)
    columns = {
        **{name: [ordered[0][name]] * n for name in QUESTIONS.key},
        "node": range(n),
        "parent": tree.parents,
        "depth": tree.depths,
        "text": tree.texts,
        "value": [value.mean for value in values],
        "n_leaves": [value.n_leaves for value in values],
        "standard_error": [value.standard_error for value in values],
        "solution_ids": [[ids[answer] for answer in answers] for answers in tree.answers],
        "rewards": rewards,
    }
    return pa.Table.from_pydict(columns, NODES.columns)
