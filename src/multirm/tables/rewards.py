"""Rewards, and the critiques behind those of generative reward models."""

from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.schema import Row, Schema, column, list_of
from multirm.tables.solutions import SOLUTION_KEY


class Unit(StrEnum):
    """What one number of a list of rewards is about."""

    STEP = "step"
    CRITIQUE = "critique"
    """The whole solution, as one sampled critique judges it."""
    SOLUTION = "solution"


class Scale(StrEnum):
    """What a reward is."""

    PROBABILITY = "probability"
    """That what it is about is correct, from 0 to 1."""
    SCORE = "score"
    """A number without bounds, of which more is better."""


class NoReward(StrEnum):
    """Why a sampled critique has no reward."""

    CONTEXT = "context"
    """The prompt leaves no room in the model's context."""
    LENGTH = "length"
    """It was cut off before it came to a verdict."""
    FORMAT = "format"
    """It ended without a verdict, or with one in other tokens than ` Yes` and ` No`."""


def _is_no_reward(reward: float | None) -> bool:
    return reward is not None and not 0 <= reward <= 1


def _check_rewards(row: Row) -> tuple[str, str] | None:
    wrong = [reward for reward in row["rewards"] if _is_no_reward(reward)]
    return ("rewards from 0 to 1, or null", shown(wrong[0])) if wrong else None


def _is_reason(reason: str | None) -> bool:
    try:
        NoReward(str(reason))
    except ValueError:
        return False
    return True


def _check_scored(row: Row) -> tuple[str, str] | None:
    reward, reason = row["reward"], row["reason"]
    if _is_no_reward(reward):
        return "a reward from 0 to 1, or null", shown(reward)
    if reward is None and not _is_reason(reason):
        return "a reason for the missing reward, such as length", shown(reason)
    if reward is not None and reason is not None:
        return "no reason beside a reward", shown(reason)
    return None


REWARDS = Schema(
    "rewards",
    1,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("rewards", list_of(pa.float32(), nullable=True)),
            column("n_tokens", pa.int32(), nullable=True),
            column("truncated", pa.bool_(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model"),
    _check_rewards,
    at_least_one="reward",
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
