"""One reward for each whole answer: right or wrong, or what a reward model says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from multirm.errors import InputError, shown
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS

OutcomeReward = Callable[[Row], float | None]


def outcome_reward(rewards: Path | None, aggregation: Aggregation | None) -> OutcomeReward:
    """What a row of the solutions table is worth; None if that is unknown.

    Args:
        rewards: a model's rewards of the solutions; None for 1 and 0, the solutions' outcomes.
        aggregation: how a solution's rewards become one.

    Raises:
        InputError: rewards without an aggregation or the reverse, of several models, or not of a solution.
    """
    if (rewards is None) != (aggregation is None):
        given, missing = (
            ("rewards", "aggregation") if aggregation is None else ("aggregation", "rewards")
        )
        raise InputError(f"--{missing}", expected=f"it beside --{given}", found="none")
    if rewards is None or aggregation is None:
        return lambda solution: solution["outcome"]
    table = parquet.read(rewards, REWARDS)
    models = sorted(set(table["model"].to_pylist()))
    if len(models) > 1:
        raise InputError(rewards, expected="rewards of one model", found=", ".join(models))
    values = aggregate_lists(table["rewards"].combine_chunks(), aggregation)
    keys = zip(*(table[name].to_pylist() for name in SOLUTIONS.key), strict=True)
    known = dict(zip(keys, values.tolist(), strict=True))

    def reward(solution: Row) -> float | None:
        key = tuple(solution[name] for name in SOLUTIONS.key)
        if key not in known:
            raise InputError(rewards, expected=f"rewards of {shown(key)}", found="none")
        value: float = known[key]
        return None if np.isnan(value) else value

    return reward


def parameters_of(aggregation: Aggregation | None) -> dict[str, Any]:
    """For a table's provenance: what the rewards are."""
    return {"reward": "outcome" if aggregation is None else f"{aggregation} of a reward model"}
