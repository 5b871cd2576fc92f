"""Rewards of solutions while they are written: a search asks for the rewards of first steps, one more each time.

Whatever a reward model's unit is, a search needs a reward of the last step:

- step: the reward of each step, as `RewardModel.score` gives it.
- solution (an outcome reward model): the reward of the steps so far, as if they were a whole solution.
- critique: the mean of the rewards of the critiques of the steps so far, without those that are missing.

In the last two cases, each step's reward takes a reading of its own. Only the last step's is read, and those of
earlier steps are None: whoever asked for them before knows them.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from multirm.models.token_tree import ReadTexts
from multirm.reward_models.aggregate import aggregate
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.layouts import EncodedText
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale, Unit


class StepRewards(NamedTuple):
    """Rewards of the first steps of a solution, and what this reading of them cost.

    Attributes:
        rewards: one per step. None for a missing one, and for steps before the last one unless the unit is step.
        n_new: tokens that the reader had not read or written before: the least that any reader has to compute.
            Tokens that only end a text, such as those of a chat, are new each time. Of solutions that are read
            together, the earlier ones come first. Unlike the other counts, it is the same in all runs.
        n_computed: tokens of the texts that were computed.
        n_cached: tokens of the texts that did not have to be computed.
        n_generated: tokens of critiques; among the new ones, but not among the computed ones.
        flops: floating-point operations; None if unknown.
        truncated: as of `Rewards`.
    """

    rewards: tuple[float | None, ...]
    n_new: int
    n_computed: int
    n_cached: int
    n_generated: int
    flops: float | None
    truncated: bool


class StepReader(Protocol):
    """A loaded reward model that reads solutions as they grow.

    Rewards depend only on the texts of question and steps: neither on `Solution.key`, nor on what is read beside it or
    was read before, up to rounding (1e-5 in float32).

    Attributes:
        unit: what a reward of the model refers to; see above.
        scale: a probability from 0 to 1, or an unbounded score.
    """

    unit: Unit
    scale: Scale

    def read(self, solutions: Sequence[Solution]) -> list[StepRewards]:
        """The rewards of solutions, in their order. Equal ones are read once, at the cost of the first."""
        ...

    def know(self, solutions: Sequence[Solution]) -> None:
        """Count solutions as read, without reading them: an earlier run of a job did, and no token of them is new.

        Their rewards stay unknown, so what goes on from them may take more computed tokens than new ones.

        Args:
            solutions: that were read, in the order in which they were.
        """
        ...


class ModelOfTexts(RewardModel, Protocol):
    """A reward model that tells what it reads."""

    def texts(self, solution: Solution) -> Sequence[EncodedText]:
        """The texts that are read of a solution."""
        ...


class RereadingReader(StepReader):
    """Reads every solution from its beginning each time, with a reward model that cannot do otherwise.

    All of its tokens count as computed, also if a batch computes what solutions have in common once.
    """

    def __init__(self, model: ModelOfTexts) -> None:
        self._model = model
        self._known = ReadTexts()
        self.unit, self.scale = model.unit, model.scale

    def read(self, solutions: Sequence[Solution]) -> list[StepRewards]:
        """See `StepReader`; nothing is cached."""
        named = [replace(solution, key=key_of_text(solution)) for solution in solutions]
        different = {solution.key: solution for solution in named}
        scored = self._model.score([*different.values()])
        found = dict(zip(different, scored, strict=True))
        first = set[tuple[str | int, ...]]()
        read = []
        for solution in named:
            own = self._of_steps(solution, found[solution.key])
            read.append(without_cost(own) if solution.key in first else own)
            first.add(solution.key)
        return read

    def know(self, solutions: Sequence[Solution]) -> None:
        """See `StepReader`."""
        for solution in solutions:
            for text in self._model.texts(solution):
                self._known.add(text.ids)

    def _of_steps(self, solution: Solution, found: Rewards) -> StepRewards:
        n_new = 0
        if found.n_tokens_read:
            n_new = sum(self._known.add(text.ids) for text in self._model.texts(solution))
            n_new += found.n_tokens_generated
        return StepRewards(
            rewards_of_steps(found.rewards, self.unit, len(solution.steps)),
            n_new,
            found.n_tokens_read,
            0,
            found.n_tokens_generated,
            found.flops,
            found.truncated,
        )


def key_of_text(solution: Solution) -> tuple[str | int, ...]:
    """A key for the critiques of a solution that depends on its text alone."""
    said = json.dumps([solution.category, solution.question, *solution.steps])
    return ("steps", hashlib.sha256(said.encode()).hexdigest()[:32])


def without_cost(read: StepRewards) -> StepRewards:
    """Rewards that are known already."""
    return read._replace(n_new=0, n_computed=0, n_cached=0, n_generated=0, flops=0.0)


def rewards_of_steps(
    rewards: Sequence[float | None], unit: Unit, n_steps: int
) -> tuple[float | None, ...]:
    """The rewards of steps from those of a reward model; see above.

    What is no finite number, as when half precision overflows, is missing.
    """
    finite = [None if reward is None or not math.isfinite(reward) else reward for reward in rewards]
    if unit is Unit.STEP:
        return tuple(finite)
    values = np.array([np.nan if reward is None else reward for reward in finite])
    [mean] = aggregate(values, np.array([0, len(values)]), Aggregation.MEAN)
    last = None if np.isnan(mean) else float(mean)
    return (*[None] * (n_steps - 1), last)[:n_steps]
