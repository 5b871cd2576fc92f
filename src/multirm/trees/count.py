"""Entry point `count_trees`: how many nodes and pairs merging gives, in other orders and for other rules."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from multirm.running.arguments import OutputFile, entry
from multirm.running.numbers import Count, CountOrZero, PositiveOrZero, Seed
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_generator
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.tree_counts import TREE_COUNTS
from multirm.text.segments import KeepApart, Segments
from multirm.trees.options import MERGING, MergingOptions
from multirm.trees.pairs import Node, PairRule, process_pairs
from multirm.trees.similarity import Likeness
from multirm.trees.tree import ROOT, grow, value_of

# The paper keeps nothing apart.
APART: tuple[tuple[KeepApart, ...], ...] = (
    (),
    (KeepApart.NUMBERS,),
    (KeepApart.OPTIONS,),
    (KeepApart.NUMBERS, KeepApart.OPTIONS),
)


@entry
def count_trees(
    solutions: list[Path],
    output: OutputFile,
    *,
    merging: MergingOptions = MERGING,
    gap: PositiveOrZero = 0.2,
    min_leaves: Count = 2,
    shuffles: CountOrZero = 5,
    seed: Seed = 42,
) -> None:
    """Count the nodes of preference trees and the pairs in them, as they would be.

    A node is known by the text of the solution that came first, so that the order of solutions matters; the rows of
    shuffled solutions show how much. Values are means of outcomes.

    Args:
        solutions: solutions tables, in each of which the solutions to a question stand together.
        output: table of counts: for each table a row per order and per combination of what is kept apart; the option
            `keep_apart` has no influence.
        merging: which segments of solutions are merged.
        gap: how much the values of two siblings must differ at least to make a pair.
        min_leaves: how many outcomes each value must be the mean of at least.
        shuffles: how many other orders of the solutions to count in.
        seed: seed of the study.

    Raises:
        InputError: the tables are not as described.
    """
    rows = [
        row
        for path in solutions
        for row in _counted(path, merging, PairRule(gap, min_leaves), shuffles, seed)
    ]
    parameters = {
        **{name: value for name, value in merging.parameters.items() if name != "keep_apart"},
        "gap": gap,
        "min_leaves": min_leaves,
        "shuffles": shuffles,
        "seed": seed,
    }
    parquet.write(output, TREE_COUNTS, rows, origin_of(__name__, parameters, solutions))


def _counted(
    path: Path, merging: MergingOptions, rule: PairRule, shuffles: int, seed: int
) -> Iterator[dict[str, Any]]:
    """The rows of a table of solutions."""
    counts: dict[tuple[str, str, int, str], Counter[str]] = {}
    for pool in parquet.read_groups(path, SOLUTIONS, QUESTIONS.key):
        first = sorted(pool, key=lambda row: row["solution_id"])
        for shuffle, apart in product(range(shuffles + 1), APART):
            likeness = Likeness(merging.similarity, merging.threshold, apart)
            key = (first[0]["dataset"], first[0]["category"], shuffle, "+".join(apart))
            ordered = _shuffled(first, shuffle, seed)
            found = counts_of(ordered, merging.segments, likeness, rule)
            counts.setdefault(key, Counter()).update(found)
    names = TREE_COUNTS.columns.names
    for key, found in counts.items():
        yield dict.fromkeys(names, 0) | dict(zip(TREE_COUNTS.key, key, strict=True)) | found


def counts_of(
    pool: Sequence[Row], segments: Segments, likeness: Likeness, rule: PairRule
) -> Counter[str]:
    """The counts of one question, by column.

    Args:
        pool: the solutions to it, in the order in which they are merged.
        segments: where they are divided.
    """
    answers = [segments.of(row["steps"]) for row in pool]
    tree = grow(answers, likeness)
    others: Counter[str] = Counter()
    nodes = []
    for node, (parent, depth, text, through) in enumerate(
        zip(tree.parents, tree.depths, tree.texts, tree.answers, strict=True)
    ):
        value = value_of([pool[answer]["outcome"] for answer in through])
        nodes.append(Node(node, parent, value.mean, value.n_leaves, through))
        if node != ROOT:
            others.update(_joined(text, [answers[answer][depth - 1] for answer in through]))
            others["n_shared_nodes"] += len(through) > 1
    return others + Counter(
        n_questions=1,
        n_solutions=len(pool),
        n_segments=sum(map(len, answers)),
        n_nodes=len(nodes) - 1,
        n_pairs=sum(1 for _ in process_pairs(nodes, rule)),
    )


def _joined(text: str, segments: Sequence[str]) -> Iterator[str]:
    """The name of a count for each segment at a node that is not the node's text."""
    for segment in segments:
        if segment != text:
            yield "n_joined"
            for what in KeepApart:
                if what.found(segment) != what.found(text):
                    yield f"n_joined_other_{what}"


def _shuffled(pool: Sequence[Row], shuffle: int, seed: int) -> list[Row]:
    """The solutions to a question in their own order, for 0, or in another one."""
    if not shuffle:
        return list(pool)
    key = (pool[0][name] for name in QUESTIONS.key)
    order = item_generator(seed, "count_trees", shuffle, *key).permutation(len(pool))
    return [pool[place] for place in order]
