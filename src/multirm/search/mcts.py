"""Monte-Carlo tree search with upper confidence bounds (UCT, Kocsis and Szepesvári 2006)."""

import math
from collections.abc import Sequence

from multirm.search.plan import Expansion, Plan, Scores
from multirm.search.tree import ROOT, SearchTree


def mcts(
    tree: SearchTree,
    scores: Scores,
    *,
    n: int | None,
    width: int,
    at_once: int,
    exploration: float,
    rolls_out: bool,
) -> Plan:
    """Go on from the step with the highest bound, again and again, until `n` solutions have ended.

    A simulation walks from the question down to a step that has no children yet, each time to the child with the
    highest `bound`. It draws `width` children there, values each of them, and backs the values up to the question.
    Steps below which every solution has ended are not walked to. So no walk is for nothing, and a search of a finite
    tree ends.

    Several simulations of a round are apart by virtual loss: while one is under way, each step of its walk counts as
    visited once more, with the lowest value so far.

    A roll-out is the value of a child that goes on: the rest of the solution, drawn in one go, whose score counts.
    It stays in the tree as a solution that may be chosen, but is not walked to. Where it does not finish, it counts as
    a visit without a value.

    Args:
        scores: the value of a node: of its steps so far, or of the finished solution.
        n: ended solutions after which the search ends; None for no end but that of the tree.
        width: children of a node, at least one.
        at_once: simulations of a round, at least one.
        exploration: weight of the bounds' width, in the unit of the scores.
        rolls_out: whether a child is valued by a roll-out, or by its own score.
    """
    walks = _Walks(tree, exploration)
    n_ended = 0
    while n is None or n_ended < n:
        leaves = walks.choose(at_once)
        if not leaves:
            return
        drawn = yield [Expansion(leaf, width) for leaf in leaves]
        for leaf, children in zip(leaves, drawn, strict=True):
            walks.children[leaf] = list(children)
        new = [child for children in drawn for child in children]
        ends = {child: child for child in new}
        going = [child for child in new if tree.goes_on(child)]
        n_ended += len(new) - len(going)
        if rolls_out and going:
            rolled = yield [Expansion(child, 1, whole=True) for child in going]
            n_ended += len(going)
            ends |= {child: end for child, [end] in zip(going, rolled, strict=True)}
        walks.back_up(leaves, scores, ends)


class _Walks:
    """The part of a tree that simulations walk through.

    Attributes:
        children: the children of the nodes that were walked to.
    """

    def __init__(self, tree: SearchTree, exploration: float) -> None:
        self.children: dict[int, list[int]] = {}
        self._tree, self._exploration = tree, exploration
        self._closed: set[int] = set()
        self._pending: dict[int, int] = {}
        self._lowest = math.inf

    def choose(self, n: int) -> list[int]:
        """Up to `n` different leaves to go on from; each walk counts as a virtual loss for the next ones."""
        chosen: list[int] = []
        while len(chosen) < n and (leaf := self._walk(chosen)) is not None:
            chosen.append(leaf)
            for node in self._tree.ancestors(leaf):
                self._pending[node] = self._pending.get(node, 0) + 1
        self._pending = {}
        return chosen

    def back_up(self, leaves: Sequence[int], scores: Scores, ends: dict[int, int]) -> None:
        """Give the new children of leaves, and all above them, the scores of the nodes that value them.

        Args:
            ends: the node whose score is a child's value; it has none if that solution ended without finishing.
        """
        found = scores(list(ends.values())).tolist()
        for (child, end), score in zip(ends.items(), found, strict=True):
            has_value = self._tree.goes_on(end) or self._tree.is_finished(end)
            for number in self._tree.ancestors(child):
                node = self._tree.nodes[number]
                node.visits += 1
                if has_value and not math.isnan(score):
                    node.total += score
                    node.n_values += 1
                    self._lowest = min(self._lowest, score)
        self._closed |= {child for child in ends if not self._tree.goes_on(child)}
        for leaf in leaves:
            for number in self._tree.ancestors(leaf):
                if not self._closed.issuperset(self.children[number]):
                    break
                self._closed.add(number)

    def _walk(self, chosen: Sequence[int]) -> int | None:
        """The next leaf, which is not one of those chosen already; None if there is no other."""
        full = set(self._closed)
        for leaf in chosen:
            for number in self._tree.ancestors(leaf):
                if number in self.children and not full.issuperset(self.children[number]):
                    break
                full.add(number)
        if ROOT in full:
            return None
        number = ROOT
        while number in self.children:
            open_ones = [each for each in self.children[number] if each not in full]
            parent = number
            number = max(open_ones, key=lambda each: (self._bound(each, parent), -each))
        return number

    def _bound(self, number: int, parent: int) -> float:
        node, above = self._tree.nodes[number], self._tree.nodes[parent]
        pending = self._pending.get(number, 0)
        lowest = 0.0 if math.isinf(self._lowest) else self._lowest
        mean = above.value if node.value is None else node.value
        known = max(node.n_values, 1)
        value = ((0.0 if mean is None else mean) * known + pending * lowest) / (known + pending)
        n_above = above.visits + self._pending.get(parent, 0)
        return bound(value, node.visits + pending, n_above, self._exploration)


def bound(value: float, visits: int, visits_above: int, exploration: float) -> float:
    """The upper confidence bound V + c·√(ln N / n) of a node.

    Args:
        value: V, the mean of the values backed up through the node; that of its parent if it has none.
        visits: n, of the node, at least one.
        visits_above: N, of its parent.
        exploration: c.
    """
    return value + exploration * math.sqrt(math.log(visits_above) / visits)
