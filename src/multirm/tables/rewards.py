"""Rewards, and the critiques behind those of generative reward models."""

import math
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

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


def _with_separate_counts(table: pa.Table) -> pa.Table:
    """A table of version 1 or 2, whose column n_tokens has two meanings, with a column for each.

    It counted the tokens that a model read that gives a reward per step, including those of solutions too long to be
    read, and the tokens that a model generated that writes critiques.
    """
    n_tokens = table["n_tokens"]
    table = table.drop_columns(["n_tokens"])
    if "unit" not in table.column_names:
        return table
    is_step, is_critique = (pc.equal(table["unit"], unit) for unit in (Unit.STEP, Unit.CRITIQUE))
    null, zero = pa.scalar(None, pa.int32()), pa.scalar(0, pa.int32())
    n_read = pc.if_else(pc.fill_null(table["truncated"], False), zero, n_tokens)
    n_generated = pc.if_else(is_critique, n_tokens, pc.if_else(is_step, zero, null))
    table = table.append_column("n_tokens_read", pc.if_else(is_step, n_read, null))
    return table.append_column("n_tokens_generated", n_generated)


COST_COLUMNS = ("n_tokens_read", "n_tokens_generated", "flops")
"""The columns of rewards that say what the rewards of a solution cost."""


# What scoring a solution costs depends on the model, the solution and its critiques alone, not on batches, caches or
# prefixes shared with other solutions, which make it cheaper. All three are null if unknown, as for external rewards.
REWARDS = Schema(
    "rewards",
    3,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("rewards", list_of(pa.float32(), nullable=True)),
            # The tokens of question and steps, or of the prompt for critiques, which counts once for all of them. 0 if
            # it does not fit into the context, so that nothing is read.
            column("n_tokens_read", pa.int32(), nullable=True),
            # The tokens of all critiques together, without those that end them; 0 for a model that writes none.
            column("n_tokens_generated", pa.int32(), nullable=True),
            # Floating-point operations to read and generate these tokens, by the formula of `models.flops`; null if it
            # does not apply to the model. With m of M critiques, what generation costs is m / M of it on average.
            column("flops", pa.float64(), nullable=True),
            column("truncated", pa.bool_(), nullable=True),
            # A Unit and a Scale; null if unknown.
            column("unit", pa.string(), nullable=True),
            column("scale", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model"),
    _check_rewards,
    at_least_one="reward",
    older={1: (*COST_COLUMNS, "unit", "scale"), 2: ("flops",)},
    renewed=_with_separate_counts,
    optional=(*COST_COLUMNS, "unit", "scale"),
)


def _with_generated(table: pa.Table) -> pa.Table:
    return table.rename_columns({"n_tokens": "n_tokens_generated"})


SCORED_CRITIQUES = Schema(
    "scored_critiques",
    3,
    pa.schema(
        [
            *SOLUTION_KEY,
            column("model", pa.string()),
            column("critique_id", pa.int32()),
            column("critique", pa.string()),
            column("reward", pa.float32(), nullable=True),
            column("reason", pa.string(), nullable=True),
            # The critique's tokens, without the one that ends it.
            column("n_tokens_generated", pa.int32()),
            column("truncated", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model", "critique_id"),
    _check_scored,
    older={2: ()},
    renewed=_with_generated,
)
