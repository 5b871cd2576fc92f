"""The reward model of a search: it reads the new steps of all questions together."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from multirm.engines.base import Key
from multirm.reward_models.base import Solution
from multirm.reward_models.step_readers import StepReader, StepRewards
from multirm.running.journal import Journal
from multirm.search.costs import Cost, shared
from multirm.search.tree import SearchTree
from multirm.tables.rewards import Scale


@dataclass(frozen=True)
class Question:
    """A question as a reward model reads it.

    Attributes:
        text: the question.
        category: its category.
    """

    text: str
    category: str


class Judge:
    """Rewards solutions as far as they are written, and journals the rewards.

    Args:
        reader: the reward model.
        questions: the questions, by key.
        journal: rewards from before the job was interrupted; more are added.
    """

    def __init__(
        self, reader: StepReader, questions: Mapping[Key, Question], journal: Journal
    ) -> None:
        self._reader, self._questions, self._journal = reader, questions, journal

    @property
    def scale(self) -> Scale:
        return self._reader.scale

    def reward(self, asked: Sequence[tuple[SearchTree, int]]) -> list[Cost]:
        """Reward the steps up to nodes, and return what each reading cost.

        Nothing is read for solutions that have ended without finishing, or that have no steps.
        """
        going = [(tree, node) for tree, node in asked if tree.goes_on(node)]
        self._read([(tree, node) for tree, node in going if tree.steps(node)])
        costs = []
        for tree, node in asked:
            if not tree.goes_on(node):
                costs.append(Cost())
            elif not tree.steps(node):
                tree.reward(node, [])
                costs.append(Cost())
            else:
                item = self._journal.items[_name(tree, node)]
                tree.reward(node, item["rewards"])
                costs.append(Cost(**item["cost"]))
        return costs

    def _read(self, asked: Sequence[tuple[SearchTree, int]]) -> None:
        """Journal the rewards of nodes that the journal has none of."""
        items = self._journal.items
        new = [each for each in asked if _name(*each) not in items]
        old = [each for each in asked if _name(*each) in items]
        # What had nothing new was known before, or too long to be read.
        paid = [each for each in old if items[_name(*each)]["cost"]["reward_new"]]
        self._reader.know([self._solution(*each) for each in paid])
        if not new:
            return
        solutions = [self._solution(*each) for each in new]
        before = time.monotonic()
        read = self._reader.read(solutions)
        spent = time.monotonic() - before
        seconds = shared(spent, [each.n_computed + each.n_generated for each in read])
        found = [_item(each, own) for each, own in zip(read, seconds, strict=True)]
        self._journal.add({_name(*each): item for each, item in zip(new, found, strict=True)})

    def _solution(self, tree: SearchTree, node: int) -> Solution:
        question = self._questions[tree.key]
        key = (*tree.key, node)
        return Solution(question.text, tree.steps(node), question.category, key)


def _item(read: StepRewards, seconds: float) -> dict[str, Any]:
    return {
        "rewards": list(read.rewards),
        "cost": {
            "reward_new": read.n_new,
            "reward_computed": read.n_computed + read.n_generated,
            "reward_cached": read.n_cached,
            "reward_flops": read.flops,
            "seconds": seconds,
        },
    }


def _name(tree: SearchTree, node: int) -> str:
    return json.dumps(["reward", *tree.key, node])
