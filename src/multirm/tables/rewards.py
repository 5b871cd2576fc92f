"""Rewards, and the critiques behind those of generative reward models."""

import math
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row, Schema, column, is_refused, list_of
from multirm.tables.solutions import SOLUTION_KEY


class NoReward(StrEnum):
    """Why a sampled critique has no reward."""

    CONTEXT = "context"
    """The prompt leaves no room in the model's context."""
    LENGTH = "length"
    """It was cut off before a verdict."""
    FORMAT = "format"
    """It ended without a verdict, or with a verdict in other tokens than ` Yes` and ` No`."""


class Unit(StrEnum):
    """What one number of a list of rewards is about."""

    STEP = "step"
    """A step: one number per step of the solution, in order."""
    CRITIQUE = "critique"
    """A sampled critique of the solution: one number per critique, in any order."""
    SOLUTION = "solution"
    """The whole solution: one number."""


class Scale(StrEnum):
    """What kind of number a reward is."""

    PROBABILITY = "probability"
    """The probability that the step or solution is correct, from 0 to 1."""
    SCORE = "score"
    """A finite number without bounds, such as a logit; higher is better."""


@dataclass(frozen=True)
class RewardType:
    """What the numbers of a model's rewards are.

    Attributes:
        unit: None if unknown: best-of-N and votes do not need it.
        scale: what kind of number each is.
    """

    unit: Unit | None
    scale: Scale


REWARD_TYPES = {
    Kind.DORM: RewardType(Unit.STEP, Scale.PROBABILITY),
    Kind.DPRM: RewardType(Unit.STEP, Scale.PROBABILITY),
    Kind.GORM: RewardType(Unit.CRITIQUE, Scale.PROBABILITY),
    Kind.GPRM: RewardType(Unit.CRITIQUE, Scale.PROBABILITY),
}
"""What the rewards of each kind are. A dORM gives a number per step, too; the last one is the solution's."""


def _is_no_probability(reward: float | None) -> bool:
    return reward is not None and not 0 <= reward <= 1


def _check_rewards(row: Row) -> tuple[str, str] | None:
    # Tables of other programs may lack unit and scale; whoever reads them states these.
    unit, scale = row.get("unit"), row.get("scale")
    if unit is not None and is_refused(lambda: Unit(unit)):
        return "a unit, such as step, or null", shown(unit)
    if scale is not None and is_refused(lambda: Scale(scale)):
        return "a scale, such as probability, or null", shown(scale)
    if scale == Scale.PROBABILITY:
        wrong = [reward for reward in row["rewards"] if _is_no_probability(reward)]
        if wrong:
            return "probabilities from 0 to 1, or null", shown(wrong[0])
    wrong = [reward for reward in row["rewards"] if reward is not None and math.isinf(reward)]
    if wrong:
        return "finite rewards, or null", shown(wrong[0])
    if unit == Unit.SOLUTION and len(row["rewards"]) > 1:
        return "one reward for a solution", f"{len(row['rewards'])}"
    return None


def _check_scored(row: Row) -> tuple[str, str] | None:
    reward, reason = row["reward"], row["reason"]
    if _is_no_probability(reward):
        return "a reward from 0 to 1, or null", shown(reward)
    if reward is None and is_refused(lambda: NoReward(reason)):
        return "a reason for the missing reward, such as length", shown(reason)
    if reward is not None and reason is not None:
        return "no reason beside a reward", shown(reason)
    return None


REWARDS = Schema(
    "rewards",
    2,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("rewards", list_of(pa.float32(), nullable=True)),
            column("n_tokens", pa.int32(), nullable=True),
            column("truncated", pa.bool_(), nullable=True),
            # A Unit and a Scale; null if unknown.
            column("unit", pa.string(), nullable=True),
            column("scale", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model"),
    _check_rewards,
    at_least_one="reward",
    older={1: ("unit", "scale")},
    optional=("unit", "scale"),
)


SCORED_CRITIQUES = Schema(
    "scored_critiques",
    2,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("critique_id", pa.int32()),
            column("critique", pa.string()),
            column("reward", pa.float32(), nullable=True),
            column("reason", pa.string(), nullable=True),
            column("n_tokens", pa.int32()),
            column("truncated", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model", "critique_id"),
    _check_scored,
)
