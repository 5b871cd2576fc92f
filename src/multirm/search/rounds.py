"""The loop of a search: in each round, the policy draws for all questions together, then the reward model reads.

As many expansions as possible are asked for at once, but not of all questions: what both models computed of the
questions that are under way stays in their caches until it is needed again. Each question's
search is a plan, a generator; the loop advances all of them by one round at a time.
"""

from collections import deque
from collections.abc import Callable, Sequence

from multirm.running.progress import Progress
from multirm.search.costs import Cost
from multirm.search.judge import Judge
from multirm.search.plan import Expansion, Plan, trimmed
from multirm.search.policy import Drawn, Policy
from multirm.search.tree import SearchTree

AT_ONCE = 16
"""Questions that are searched side by side: enough to fill batches, and few enough to fit into caches."""

PlanOf = Callable[[SearchTree, int], Plan]
"""Begins a search of a tree's question. The number says how many searches of it were finished before."""


class Search:
    """The search of one question.

    Attributes:
        tree: what was found.
        cost: what it cost.
    """

    def __init__(self, tree: SearchTree, plan_of: PlanOf, policy_tokens: int | None) -> None:
        """
        Args:
            policy_tokens: tokens to draw. A search that ends before begins again, and no round begins that would miss
                the number by more. None for one search, however many tokens it takes.
        """
        self.tree, self.cost = tree, Cost()
        self._plan_of, self._budget = plan_of, policy_tokens
        self._n_ended = self._n_drawn = self._n_drawn_before = 0
        self._plan: Plan | None = plan_of(tree, 0)
        self._new: Sequence[Sequence[int]] | None = None
        # Tokens per sample in the last round, of steps and of whole solutions.
        self._per_sample: dict[bool, float] = {}

    def ask(self) -> list[Expansion]:
        """The expansions of the next round; none if the search has ended."""
        while self._plan is not None:
            expansions = self._next(self._plan)
            if expansions:
                affordable = self._affordable(expansions)
                if affordable != expansions:
                    self._plan.close()
                return affordable
            self._n_ended += 1
            # A search that drew nothing would draw nothing again.
            is_over = self._budget is None or self._n_drawn == self._n_drawn_before
            self._n_drawn_before, self._new = self._n_drawn, None
            self._plan = None if is_over else self._plan_of(self.tree, self._n_ended)
        return []

    def add(self, expansions: Sequence[Expansion], drawn: Sequence[Drawn]) -> list[int]:
        """Add what was drawn to the tree, and return the nodes at which samples end."""
        before = self._n_drawn
        self._new = [self._added(*each) for each in zip(expansions, drawn, strict=True)]
        ends = [node for nodes in self._new for node in nodes]
        self._per_sample[expansions[0].whole] = (self._n_drawn - before) / len(ends)
        return ends

    def _next(self, plan: Plan) -> list[Expansion]:
        try:
            return list(next(plan) if self._new is None else plan.send(self._new))
        except StopIteration:
            return []

    def _affordable(self, expansions: list[Expansion]) -> list[Expansion]:
        """As many samples of a round as bring the tokens nearest to the budget. If not all, the search ends with it.

        The first rounds of steps and of whole solutions are whole: nothing is known of their tokens.
        """
        expected = self._per_sample.get(expansions[0].whole)
        if self._budget is None or not expected:
            return expansions
        return trimmed(expansions, round((self._budget - self._n_drawn) / expected))

    def _added(self, expansion: Expansion, drawn: Drawn) -> list[int]:
        self.cost += drawn.cost
        ends = []
        for steps in drawn.samples:
            node = expansion.node
            for step in steps:
                node = self.tree.add(node, step, is_whole=expansion.whole)
            ends.append(node)
        self.tree.nodes[expansion.node].n_asked += expansion.n
        self._n_drawn += drawn.cost.policy_generated
        return ends


def search_all(searches: Sequence[Search], policy: Policy, judge: Judge) -> None:
    """Run searches to their ends, `AT_ONCE` of them side by side; when one ends, the next one begins."""
    waiting, running = deque(searches), list[Search]()
    n_left = len(searches)
    with Progress("searched", "questions", n_left) as progress:
        while running or waiting:
            asked = [(search, search.ask()) for search in running]
            going = [(search, expansions) for search, expansions in asked if expansions]
            while waiting and len(going) < AT_ONCE:
                search = waiting.popleft()
                if expansions := search.ask():
                    going.append((search, expansions))
            n_tokens = _run_round(going, policy, judge)
            running = [search for search, _ in going]
            progress.add(n_left - len(running) - len(waiting), n_tokens)
            n_left = len(running) + len(waiting)


def _run_round(
    asked: Sequence[tuple[Search, list[Expansion]]], policy: Policy, judge: Judge
) -> int:
    """Draw and reward what searches ask for; returns the number of tokens drawn."""
    drawn = iter(policy.draw([(search.tree, each) for search, found in asked for each in found]))
    new: list[tuple[Search, int]] = []
    n_tokens = 0
    for search, expansions in asked:
        own = [next(drawn) for _ in expansions]
        n_tokens += sum(each.cost.policy_generated for each in own)
        new += [(search, node) for node in search.add(expansions, own)]
    costs = judge.reward([(search.tree, node) for search, node in new])
    for (search, _), cost in zip(new, costs, strict=True):
        search.cost += cost
    return n_tokens
