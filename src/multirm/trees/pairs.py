"""Preference pairs of a tree: siblings whose values differ, each with an answer that goes through it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from multirm.tables.preferences import Siblings


class Node(NamedTuple):
    """What pairs are chosen by.

    Attributes:
        node, parent: numbers in the tree; the parent is None for the root.
        value: mean reward of the answers through the node; None if unknown.
        n_leaves: how many answers that is the mean of.
        answers: ids of the answers through the node, in order.
    """

    node: int
    parent: int | None
    value: float | None
    n_leaves: int
    answers: Sequence[int]


class Pair(NamedTuple):
    """Two siblings, the first of greater value."""

    chosen: Node
    rejected: Node


@dataclass(frozen=True)
class PairRule:
    """Which siblings make a pair.

    Attributes:
        gap: the least difference of their values, in the unit of the values.
        min_leaves: how many answers the value of each must be the mean of at least. The value of a node with a single
            answer is that answer's reward, which says nothing about the step.
        siblings: which children of a node are compared.
    """

    gap: float
    min_leaves: int = 2
    siblings: Siblings = Siblings.EXTREMES

    def differ(self, chosen: float, rejected: float) -> bool:
        """Whether one value is greater than another by at least the gap."""
        return chosen > rejected and chosen - rejected >= self.gap - _ROUNDING


# Differences of means have rounding errors: 0.7 - 0.5 is less than 0.2.
_ROUNDING = 1e-9


def process_pairs(nodes: Sequence[Node], rule: PairRule) -> Iterator[Pair]:
    """The pairs of siblings in a tree, in the order of their parents.

    Among children of equal value, the one that came first is taken.
    """
    children: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.parent is not None and node.value is not None and node.n_leaves >= rule.min_leaves:
            children[node.parent].append(node)
    for _, siblings in sorted(children.items()):
        yield from _pairs_among(siblings, rule)


def outcome_pairs(
    rewards: np.ndarray, gap: float, n: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw pairs of whole answers whose rewards differ by at least the gap, each pair with the same probability.

    Args:
        rewards: of each answer, float64 [answers]; NaN if missing.
        n: how many pairs; if there are fewer, all of them.

    Returns:
        positions of the better and of the worse answer of each pair.
    """
    order = np.argsort(rewards, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(rewards))]
    ordered = rewards[order]
    # For each answer, how many are worse by the gap: they stand at the beginning.
    n_worse = np.searchsorted(ordered, ordered - gap + _ROUNDING, side="right")
    n_worse = np.minimum(n_worse, np.searchsorted(ordered, ordered, side="left"))
    ends = np.cumsum(n_worse)
    total = int(n_worse.sum())
    drawn = np.sort(generator.choice(total, min(n, total), replace=False, shuffle=False))
    better = np.searchsorted(ends, drawn, side="right")
    worse = drawn - (ends - n_worse)[better]
    return [(int(order[a]), int(order[b])) for a, b in zip(better, worse, strict=True)]


def _pairs_among(siblings: Sequence[Node], rule: PairRule) -> Iterator[Pair]:
    if len(siblings) < 2:
        return
    if rule.siblings is Siblings.EXTREMES:
        # Both take the first of equals.
        compared = [(max(siblings, key=_value), min(siblings, key=_value))]
    else:
        compared = [
            (a, b) if _value(a) > _value(b) else (b, a) for a, b in combinations(siblings, 2)
        ]
    for chosen, rejected in compared:
        if rule.differ(_value(chosen), _value(rejected)):
            yield Pair(chosen, rejected)


def _value(node: Node) -> float:
    assert node.value is not None
    return node.value
