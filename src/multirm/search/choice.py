"""Choose one answer from the finished solutions of a search."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from multirm.reward_models.aggregate import ranking, weights_in_pools
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import Scale


@dataclass(frozen=True)
class Candidate:
    """A finished solution that gives an answer.

    Attributes:
        answer: as written.
        spelling: equal if answers are.
        rewards: of its steps.
    """

    answer: str
    spelling: str
    rewards: list[float | None]


@dataclass(frozen=True)
class Choices:
    """The answers that are chosen, as written; None without candidates."""

    best: str | None
    majority: str | None
    weighted: str | None


def choose(candidates: Sequence[Candidate], aggregation: Aggregation, scale: Scale) -> Choices:
    """The answer of the best candidate, the most frequent one, and the one with the highest sum of rewards.

    They are the choices of `evaluate`: on ties, the candidate that comes first is taken, and of equal answers the
    spelling that comes first. One without a reward, such as a delta of a single step, has no vote and is not the best,
    unless none has one: then all count equally. Scores without bounds vote with their softmax over the candidates.

    Args:
        candidates: in the order of their creation.
        aggregation: how the rewards of steps become that of the solution.
        scale: what kind of number they are.
    """
    if not candidates:
        return Choices(None, None, None)
    rewards = pa.array([each.rewards for each in candidates], pa.list_(pa.float64()))
    ranks = ranking(rewards, aggregation)
    weights = weights_in_pools(rewards, aggregation, np.array([0]), scale)
    if np.isnan(weights).all():
        weights = np.ones(len(candidates))
    best = int(np.where(np.isnan(ranks), -np.inf, ranks).argmax())
    return Choices(
        candidates[best].answer,
        _voted(candidates, np.ones(len(candidates))),
        _voted(candidates, weights),
    )


def _voted(candidates: Sequence[Candidate], weights: np.ndarray) -> str:
    """The answer with the highest sum of weights; the first one on ties. Those without a weight have no vote."""
    votes: dict[str, list[float]] = defaultdict(list)
    written: dict[str, str] = {}
    for each, weight in zip(candidates, weights.tolist(), strict=True):
        if not np.isnan(weight):
            votes[each.spelling].append(weight)
            written.setdefault(each.spelling, each.answer)
    # Sorted, so that equal votes have equal sums whatever their order.
    sums = {spelling: sum(sorted(own)) for spelling, own in votes.items()}
    return written[max(sums, key=lambda spelling: sums[spelling])]
