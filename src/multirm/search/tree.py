"""The tree of one question's search: what the policy wrote, step by step, and how it was rewarded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.engines.base import Key
from multirm.reward_models.aggregate import aggregate
from multirm.tables.accuracy import Aggregation
from multirm.tables.search_nodes import SearchEnd

ROOT = 0


@dataclass(frozen=True)
class Step:
    """What a policy drew for one node.

    Attributes:
        text: the step, stripped; empty if the policy ended the solution instead of writing one.
        ids: the token ids drawn for it, which the next step continues.
        rest: text of the last token that belongs to the next step.
        n_drawn: the number of tokens drawn, including the one that ends the solution.
        is_last: whether the policy ended the solution.
        is_cut: whether the token limit came first.
    """

    text: str
    ids: Sequence[int]
    rest: str
    n_drawn: int
    is_last: bool
    is_cut: bool


@dataclass(frozen=True)
class Limits:
    """How long a solution may be: the number of its steps and of its tokens, before it is given up."""

    steps: int
    tokens: int


@dataclass
class Node:
    """A step in a tree.

    Attributes:
        step: what was drawn.
        parent: the number of the node before it; None for the root.
        depth: the number of nodes before it, without the root.
        n_ids: tokens from the start of the solution to here.
        reward: of the step; that of the step before if the node is the end of the solution and has no text.
        end: why the solution ends here; None if it goes on.
        n_asked: how many samples were drawn after it.
        visits: how many simulations of MCTS went through it.
        total, n_values: sum and number of the values that they backed up.
    """

    step: Step
    parent: int | None
    depth: int
    n_ids: int
    reward: float | None = None
    end: SearchEnd | None = None
    n_asked: int = 0
    visits: int = 0
    total: float = 0.0
    n_values: int = 0

    @property
    def value(self) -> float | None:
        """The mean of the values that were backed up; None without any."""
        return self.total / self.n_values if self.n_values else None


class SearchTree:
    """The nodes of a search, in the order of their creation; node 0 is the question.

    Attributes:
        key: the question's key.
        nodes: the nodes, by number.
    """

    def __init__(self, key: Key, limits: Limits) -> None:
        self.key, self._limits = key, limits
        self.nodes = [Node(Step("", (), "", 0, is_last=False, is_cut=False), None, 0, 0)]

    def add(self, parent: int, step: Step, *, is_whole: bool = False) -> int:
        """Add a step after a node, and return its number. What ends before it is rewarded is marked.

        Args:
            is_whole: the step is part of a solution that was drawn in one go: only its tokens are limited.
        """
        before = self.nodes[parent]
        node = Node(step, parent, before.depth + 1, before.n_ids + len(step.ids))
        if step.is_cut or node.n_ids > self._limits.tokens:
            node.end = SearchEnd.OVERRUN
        elif not step.is_last and not is_whole:
            if node.depth >= self._limits.steps or node.n_ids == self._limits.tokens:
                node.end = SearchEnd.OVERRUN
            elif step.text in self.steps(parent):
                node.end = SearchEnd.LOOPED
        self.nodes.append(node)
        return len(self.nodes) - 1

    def reward(self, leaf: int, rewards: Sequence[float | None]) -> None:
        """Give the steps up to a leaf their rewards, where they have none; the leaf ends without one.

        Args:
            rewards: one for each of `steps(leaf)`.
        """
        written = [number for number in self.path(leaf) if self.nodes[number].step.text]
        for number, reward in zip(written, rewards, strict=True):
            node = self.nodes[number]
            node.reward = reward if node.reward is None else node.reward
        node = self.nodes[leaf]
        if not node.step.text and written:
            node.reward = self.nodes[written[-1]].reward
        if node.reward is None:
            node.end = SearchEnd.UNSCORED
        elif node.step.is_last:
            node.end = SearchEnd.FINISHED

    def path(self, number: int) -> list[int]:
        """The numbers of the nodes from the first step to a node; none for the root."""
        found = []
        while number != ROOT:
            found.append(number)
            number = self._parent(number)
        return found[::-1]

    def ancestors(self, number: int) -> Iterator[int]:
        """A node, the one before it, and so on to the root."""
        yield number
        while number != ROOT:
            number = self._parent(number)
            yield number

    def steps(self, number: int) -> tuple[str, ...]:
        """The steps up to a node."""
        texts = (self.nodes[each].step.text for each in self.path(number))
        return tuple(text for text in texts if text)

    def ids(self, number: int) -> list[int]:
        """The token ids drawn up to a node."""
        return [token for each in self.path(number) for token in self.nodes[each].step.ids]

    def rewards(self, number: int) -> list[float | None]:
        """The rewards of the steps up to a node."""
        path = (self.nodes[each] for each in self.path(number))
        return [node.reward for node in path if node.step.text]

    def scores(self, numbers: Sequence[int], aggregation: Aggregation) -> np.ndarray:
        """The aggregated rewards of the steps up to each node, float64; NaN where missing."""
        lists = [self.rewards(number) for number in numbers]
        values = np.array([reward for each in lists for reward in each], dtype=np.float64)
        offsets = np.cumsum([0, *map(len, lists)])
        return aggregate(values, offsets, aggregation)

    def goes_on(self, number: int) -> bool:
        """Whether the solution can go on from a node."""
        return self.nodes[number].end is None

    def is_finished(self, number: int) -> bool:
        return self.nodes[number].end is SearchEnd.FINISHED

    @property
    def finished(self) -> list[int]:
        """The nodes at which a finished solution ends, in the order of their creation."""
        return [number for number in range(len(self.nodes)) if self.is_finished(number)]

    def _parent(self, number: int) -> int:
        parent = self.nodes[number].parent
        assert parent is not None
        return parent
