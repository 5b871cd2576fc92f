"""A study's settings of preference trees and of pairs as command-line arguments."""

from typing import Any

from multirm.study.options import option
from multirm.study.study import Study
from multirm.tables.accuracy import DEFAULT_AGGREGATION
from multirm.tables.preferences import GapUnit


def merging(study: Study, trees: str) -> list[str]:
    """The options for which segments are merged, and for what a solution is worth."""
    settings, reward = study.trees[trees], study.trees[trees].reward
    how = None
    if reward is not None:
        how = reward.aggregation or DEFAULT_AGGREGATION[study.models[reward.model].kind]
    return [
        *_likeness(study, trees),
        *option("--keep-apart", *settings.keep_apart),
        *option("--aggregation", how),
    ]


def _likeness(study: Study, trees: str) -> list[str]:
    settings = study.trees[trees]
    return [
        *option("--segments", settings.segments),
        *option("--similarity", settings.similarity),
        *option("--threshold", settings.threshold),
    ]


def outcome_rewards(wildcards: object, input: Any) -> list[str]:
    """The option for the rewards of solutions among a job's inputs, if there are any."""
    return option("--rewards", *input.rewards)


def pairing(study: Study, preferences: str) -> list[str]:
    """The options for which pairs are made."""
    settings = study.preferences[preferences]
    values = settings.model_dump(mode="json", exclude={"trees"}) | {"seed": study.seed}
    options = [option(f"--{name.replace('_', '-')}", value) for name, value in values.items()]
    return [word for words in options for word in words]


def counting(study: Study, preferences: str) -> list[str]:
    """The options for what is counted: pairs by the same gap, if it is in the unit of outcomes."""
    settings = study.preferences[preferences]
    return [
        *_likeness(study, settings.trees),
        *option("--gap", settings.gap),
        *option("--min-leaves", settings.min_leaves),
        *option("--seed", study.seed),
    ]


def is_counted(study: Study, preferences: str) -> bool:
    """Whether pairs are counted in other orders, too: those by outcomes, with a gap in their unit."""
    settings = study.preferences[preferences]
    return study.trees[settings.trees].reward is None and settings.unit is GapUnit.RAW
