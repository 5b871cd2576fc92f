"""Rewards, and the critiques behind those of generative reward models."""

import json
import math
from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from multirm.errors import shown
from multirm.tables.parquet import FOOTER_KEY
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
    Kind.PAIRWISE: RewardType(Unit.STEP, Scale.SCORE),
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


# The types of rewards in tables of version 1, which did not say, by the module of `scoring` that wrote them. Rewards
# that were read from elsewhere have no known type. A module's whole name would make it code of all that reads rewards.
_TYPES_OF_VERSION_1 = {
    "discriminative": RewardType(Unit.STEP, Scale.PROBABILITY),
    "generative": RewardType(Unit.CRITIQUE, Scale.PROBABILITY),
}


def separate_counts(
    n_tokens: int | None, unit: str | None, truncated: bool | None
) -> tuple[int | None, int | None]:
    """The tokens read and generated for the rewards of a solution, from `n_tokens` of versions 1 and 2.

    Where each step has a reward, `n_tokens` was the number of tokens read, or too many to be read. Where each critique
    has one, it was the number of tokens generated, and those of the prompt were not counted.

    Args:
        unit: a Unit; without one, the meaning of `n_tokens` is unknown.
        truncated: whether a solution or critique was too long.
    """
    if n_tokens is None:
        return None, None
    if unit == Unit.STEP:
        return 0 if truncated else n_tokens, 0
    return None, n_tokens if unit == Unit.CRITIQUE else None


def _with_separate_counts(table: pa.Table) -> pa.Table:
    """A table of version 1 or 2, with a column for each meaning of its column n_tokens."""
    n_tokens = table["n_tokens"].to_pylist()
    table = table.drop_columns(["n_tokens"])
    if "unit" not in table.column_names:
        table = _with_types(table)
    rows = zip(n_tokens, table["unit"].to_pylist(), table["truncated"].to_pylist(), strict=True)
    counts = [separate_counts(*row) for row in rows]
    for place, name in enumerate(("n_tokens_read", "n_tokens_generated")):
        values = pa.array([pair[place] for pair in counts], pa.int32())
        table = table.append_column(name, values)
    return table


def _with_types(table: pa.Table) -> pa.Table:
    """A table of version 1, with unit and scale where its footer tells them."""
    code = json.loads(table.schema.metadata[FOOTER_KEY])["code"]
    modules = (module.split(".") for module in code)
    scored_by = [name for *_, folder, name in modules if folder == "scoring"]
    known = [type_ for name, type_ in _TYPES_OF_VERSION_1.items() if name in scored_by]
    unit, scale = (known[0].unit, known[0].scale) if known else (None, None)
    for name, value in (("unit", unit), ("scale", scale)):
        column = pa.repeat(pa.scalar(value and str(value), pa.string()), table.num_rows)
        table = table.append_column(name, column)
    return table


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
    older={1: ("flops",), 2: ("flops",)},
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
