"""The interface of reward models: solutions or their first steps go in, rewards come out."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from multirm.tables.rewards import Scale, Unit
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS


@dataclass(frozen=True)
class Solution:
    """A question and the steps of a solution: all of them, or the first few of an unfinished one.

    Attributes:
        question: the question's text.
        steps: the texts of the steps so far, in order, without the blank lines between them.
        category: the question's category, for models whose prompt names it.
        key: identifies the solution. A generative model's samples depend on it.
    """

    question: str
    steps: tuple[str, ...]
    category: str = "other"
    key: tuple[str | int, ...] = ()

    @classmethod
    def of(cls, row: Row) -> "Solution":
        """The solution in a row of a solutions table."""
        key = tuple(row[name] for name in SOLUTIONS.key)
        return cls(row["question"], tuple(row["steps"]), row["category"], key)


@dataclass(frozen=True)
class Rewards:
    """A reward model's rewards of one solution.

    Attributes:
        rewards: one per unit (step, critique or solution), in order; None for a missing one.
        n_tokens_read, n_tokens_generated, flops: what they cost, as in the columns of `REWARDS`.
        truncated: whether rewards are missing because the model's context is too short, or a critique was cut off.
    """

    rewards: tuple[float | None, ...]
    n_tokens_read: int
    n_tokens_generated: int
    flops: float | None
    truncated: bool


class RewardModel(Protocol):
    """A loaded reward model. Subclasses implement `score_in_batches`.

    Attributes:
        unit: what a reward refers to: a step, a critique or the solution.
        scale: a probability from 0 to 1, or an unbounded score.
    """

    unit: Unit
    scale: Scale

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions and yield rewards as they come, for callers that save finished ones.

        Args:
            solutions: in any order. Scoring solutions of one question together is cheapest.
            done: positions of solutions whose rewards were yielded before, by a call with the same solutions; they
                are skipped. Batches that are yielded together must be saved together.

        Yields:
            rewards by the positions of their solutions.
        """
        ...

    def score(self, solutions: Sequence[Solution]) -> list[Rewards]:
        """Score solutions.

        Returns:
            rewards of each, in their order.
        """
        found: dict[int, Rewards] = {}
        for batch in self.score_in_batches(solutions):
            found |= batch
        return [found[position] for position in range(len(solutions))]
