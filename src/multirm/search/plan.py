"""The interface of search methods: each is a generator that asks for expansions and is told of the new nodes."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Expansion:
    """Nodes to draw after a node.

    Attributes:
        node: the number of the node.
        n: how many samples, at least one.
        whole: whether to draw to the end of the solution, instead of one step.
    """

    node: int
    n: int
    whole: bool = False


Plan = Generator[Sequence[Expansion], Sequence[Sequence[int]], None]
"""A search of one question. It yields the expansions of a round, all at once, and is sent for each of them the numbers
of the nodes at which its samples end, in their order: those of the steps, or of the ends of whole solutions. They have
their rewards by then. It must not end because tokens run out: then it is closed."""

Scores = Callable[[Sequence[int]], np.ndarray]
"""The scores of nodes, by their numbers; NaN where missing."""


def shares(n: int, parts: int) -> list[int]:
    """Divide `n` into parts that differ by one at most, the larger ones first."""
    return [n // parts + (k < n % parts) for k in range(parts)]


def best_first(numbers: Sequence[int], scores: np.ndarray) -> list[int]:
    """Node numbers by decreasing score; the earlier one first on ties, and those without a score last."""
    order = np.argsort(-np.where(np.isnan(scores), -np.inf, scores), kind="stable")
    return [numbers[place] for place in order.tolist()]


def trimmed(expansions: Sequence[Expansion], n: int) -> list[Expansion]:
    """The first expansions with `n` samples in all; the last one may be smaller than it was."""
    kept = []
    for expansion in expansions:
        if n <= 0:
            break
        kept.append(replace(expansion, n=min(n, expansion.n)))
        n -= expansion.n
    return kept
