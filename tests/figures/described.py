"""Reward models of which only the kind is known."""

from collections.abc import Mapping

from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind


def described(kinds: Mapping[str, str | None]) -> list[RewardModel]:
    """Reward models by their names, each with its kind."""
    return [
        RewardModel(model=name, run_of=name, kind=Kind(kind) if kind else None)
        for name, kind in kinds.items()
    ]
