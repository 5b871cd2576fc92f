"""Merge answers to one question into a tree, whose nodes are what several answers say at the same place.

These are OpenPRM's trees: answers are walked one after the other, each from its first segment on. A segment joins the
first node under the node of the segment before it that says the same, and becomes a new node if none does.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from multirm.trees.similarity import Likeness, Texts

ROOT = 0


@dataclass
class Tree:
    """The merged answers; node 0 is the root, before any segment, and parents have lower numbers than their children.

    Attributes:
        parents: of each node; None for the root.
        depths: how many segments a node's path has; 0 for the root.
        texts: the segment of the answer that came first to a node; empty for the root.
        answers: which answers go through a node, in order.
    """

    parents: list[int | None] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    answers: list[list[int]] = field(default_factory=list)

    def add(self, parent: int | None, text: str) -> int:
        """Add a node without answers; returns its number."""
        self.parents.append(parent)
        self.depths.append(0 if parent is None else self.depths[parent] + 1)
        self.texts.append(text)
        self.answers.append([])
        return len(self.texts) - 1


def grow(answers: Iterable[Sequence[str]], likeness: Likeness) -> Tree:
    """The tree of some answers, each given as its segments; answers without any end at the root.

    Which nodes there are depends on the order of the answers, because a node is known by its first segment.
    """
    tree = Tree()
    tree.add(None, "")
    children: dict[int, _Children] = {}
    for number, segments in enumerate(answers):
        node = ROOT
        tree.answers[node].append(number)
        for segment in segments:
            among = children.get(node)
            if among is None:
                among = children[node] = _Children()
            child = among.known.get(segment)
            if child is None:
                child = among.place(segment, node, tree, likeness)
            node = child
            tree.answers[node].append(number)
    return tree


class _Children:
    """The nodes under one node."""

    __slots__ = ("_alike", "known")

    def __init__(self) -> None:
        # The node of each text that was looked for. Nodes are only ever added after the others, so it stays the first.
        self.known: dict[str, int] = {}
        # Nodes and their texts, by what a segment must share with them.
        self._alike: dict[tuple[tuple[str, ...], ...], tuple[list[int], Texts]] = {}

    def place(self, segment: str, parent: int, tree: Tree, likeness: Likeness) -> int:
        """The first node that says the same as a segment with a new text; a new one of the tree if none does."""
        shared = likeness.must_share(segment)
        if shared not in self._alike:
            self._alike[shared] = ([], Texts())
        nodes, texts = self._alike[shared]
        found = likeness.first_alike(segment, texts)
        if found is None:
            nodes.append(tree.add(parent, segment))
            texts.texts.append(segment)
            found = -1
        self.known[segment] = nodes[found]
        return nodes[found]


class Value(NamedTuple):
    """What the answers through a node are worth.

    Attributes:
        mean: of their rewards; None if none has one.
        standard_error: of the mean, the rewards' sample standard deviation over the square root of their number; None
            for fewer than two.
        n_leaves: how many answers have a reward.
    """

    mean: float | None
    standard_error: float | None
    n_leaves: int


def value_of(rewards: Iterable[float | None]) -> Value:
    """The value of a node from the rewards of the answers through it; missing rewards are left out."""
    known = [reward for reward in rewards if reward is not None]
    n = len(known)
    if n < 2:
        return Value(float(known[0]) if known else None, None, n)
    mean = math.fsum(known) / n
    variance = math.fsum([(reward - mean) ** 2 for reward in known]) / (n - 1)
    return Value(mean, math.sqrt(variance / n), n)
