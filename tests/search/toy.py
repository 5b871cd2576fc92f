"""Toys: a policy that is a finite tree, a reward model that knows it, and a loop over one plan without either."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from multirm.engines.base import Completed, Completion, Prompt, Request, TokenCounts
from multirm.engines.limits import token_limit
from multirm.reward_models.base import Solution
from multirm.reward_models.step_readers import StepReader, StepRewards
from multirm.search.plan import Plan
from multirm.search.tree import Limits, SearchTree, Step
from multirm.tables.rewards import Scale, Unit

LIMITS = Limits(steps=20, tokens=10_000)

Path = tuple[int, ...]


def step(text: str, *, is_last: bool = False, is_cut: bool = False, n: int = 3) -> Step:
    return Step(text, (7,) * n, "", n, is_last, is_cut)


@dataclass
class World:
    """A tree in which sample k after a node is its child k modulo the width, down to a depth.

    Attributes:
        width: children of a node.
        depth: steps of every solution.
        reward: the reward of a step by its path; None for none.
        is_random: samples are random children instead.
    """

    width: int
    depth: int
    reward: Callable[[Path], float | None]

    is_random: bool = False

    def number(self, node: int, sample: int) -> int:
        """The number of a sample of a node, which says which child it is."""
        return int(np.random.default_rng((node, sample)).integers(99)) if self.is_random else sample

    def step(self, path: Path, sample: int) -> tuple[Path, Step]:
        after = (*path, sample % self.width)
        return after, step(f"step {after}", is_last=len(after) == self.depth)


@dataclass
class Run:
    """One plan in a world, with all that was asked for.

    Attributes:
        rounds: for each round, (node, samples, whole) of each expansion.
    """

    tree: SearchTree
    paths: dict[int, Path] = field(default_factory=lambda: {0: ()})
    rounds: list[list[tuple[int, int, bool]]] = field(default_factory=list)

    def best(self, score: Callable[[int], float]) -> Path:
        return self.paths[max(self.tree.finished, key=lambda node: (score(node), -node))]


def run(
    world: World, plan_of: Callable[[SearchTree], Plan], limits: Limits = LIMITS, most: int = 10_000
) -> Run:
    """Run a plan to its end, at most for `most` rounds."""
    tree = SearchTree(("toy",), limits)
    found = Run(tree)
    plan = plan_of(tree)
    new: list[list[int]] | None = None
    for _ in range(most):
        try:
            asked = next(plan) if new is None else plan.send(new)
        except StopIteration:
            return found
        found.rounds.append([(each.node, each.n, each.whole) for each in asked])
        new = []
        for each in asked:
            ends = []
            for _ in range(each.n):
                sample = tree.nodes[each.node].n_asked
                tree.nodes[each.node].n_asked += 1
                ends.append(_sampled(world, found, each.node, sample, each.whole))
            new.append(ends)
    raise AssertionError(f"not finished after {most} rounds")


def _sampled(world: World, found: Run, node: int, sample: int, whole: bool) -> int:
    tree = found.tree
    while True:
        path, drawn = world.step(found.paths[node], world.number(node, sample))
        node = tree.add(node, drawn, is_whole=whole)
        found.paths[node] = path
        if not whole or not tree.goes_on(node) or drawn.is_last:
            break
        sample = 0
    if tree.goes_on(node):
        tree.reward(node, [world.reward(path[: k + 1]) for k in range(len(path))])
    return node


class ToyEngine:
    """Writes one character per token: what `says` says after a text, from the sample's number on.

    Attributes:
        says: the text that follows the prompt's text for a sample; the solution ends where it ends.
        n_calls: how often it was asked.
        asked: the keys of all prompts, in order.
    """

    reproducible = True

    def __init__(self, says: Callable[[Prompt, str, int], str]) -> None:
        self.says = says
        self.asked: list[tuple[str | int, ...]] = []
        self.n_calls = 0

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        self.n_calls += 1
        completed = [self._completed(prompt, request) for prompt in request.left]
        # In two batches.
        yield completed[::2]
        yield completed[1::2]

    def _completed(self, prompt: Prompt, request: Request) -> Completed:
        self.asked.append(prompt.key)
        first, n = request.sampling.first, request.sampling.n
        completions = [self._complete(prompt, request, k) for k in range(first, first + n)]
        counts = TokenCounts(len(prompt.ids), 0, sum(one.n_drawn for one in completions))
        return Completed(prompt, completions, counts)

    def _complete(self, prompt: Prompt, request: Request, sample: int) -> Completion:
        text = self.says(prompt, "".join(map(chr, prompt.ids)), sample)
        limit = token_limit(prompt, request.sampling, None)
        for place in range(1, min(len(text), limit) + 1):
            for stop in request.stop:
                if text[:place].endswith(stop):
                    ids = [*map(ord, text[:place])]
                    return Completion(ids, text[: place - len(stop)], {}, False, stop)
        cut = len(text) >= limit
        kept = text[:limit]
        return Completion([*map(ord, kept)], kept, {}, truncated=cut)


class ToyTokenizer:
    """Decodes one character per token."""

    def decode(self, ids: Sequence[int], clean_up_tokenization_spaces: bool = False) -> str:
        return "".join(map(chr, ids))


class ToyReader(StepReader):
    """Rewards each step by a function of question and steps, and counts characters as tokens, each step's once."""

    def __init__(
        self, reward: Callable[[tuple[str, ...]], float | None], scale: Scale = Scale.PROBABILITY
    ) -> None:
        self.unit, self.scale, self._reward = Unit.STEP, scale, reward
        self._read = set[tuple[str, tuple[str, ...]]]()
        self.n_calls = 0

    def read(self, solutions: Sequence[Solution]) -> list[StepRewards]:
        self.n_calls += 1
        return [self._of(solution) for solution in solutions]

    def know(self, solutions: Sequence[Solution]) -> None:
        for solution in solutions:
            self._of(solution)

    def _of(self, solution: Solution) -> StepRewards:
        prefixes = [solution.steps[: k + 1] for k in range(len(solution.steps))]
        new = [each for each in prefixes if (solution.question, each) not in self._read]
        self._read |= {(solution.question, each) for each in new}
        n_new = sum(len(each[-1]) for each in new)
        n_cached = sum(map(len, solution.steps)) - n_new
        rewards = tuple(map(self._reward, prefixes))
        return StepRewards(rewards, n_new, n_new, n_cached, 0, float(n_new), False)


def with_reward(tree: SearchTree, parent: int, reward: float | None, **of: bool) -> int:
    """Add a node with a reward, and return its number."""
    node = tree.add(parent, replace(step(f"step {len(tree.nodes)}"), **of))
    if tree.goes_on(node):
        tree.reward(node, [*tree.rewards(parent), reward])
    return node
