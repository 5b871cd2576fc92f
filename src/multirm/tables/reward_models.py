"""Reward models: their kinds and their names."""

import re
from collections.abc import Iterable
from enum import StrEnum


class Kind(StrEnum):
    """The four kinds of reward model: discriminative or generative × outcome or process."""

    DORM = "dORM"
    DPRM = "dPRM"
    GORM = "gORM"
    GPRM = "gPRM"

    @property
    def is_generative(self) -> bool:
        return self in (Kind.GORM, Kind.GPRM)

    @property
    def is_process(self) -> bool:
        return self in (Kind.DPRM, Kind.GPRM)


def trained_name(model: str, seed: int) -> str:
    """What a reward model is called that was trained with another than the study's first seed."""
    return f"{model}@{seed}"


def mean_name(model: str) -> str:
    """What the mean over several trainings of a reward model is called where the name of one would stand."""
    return f"{model}@mean"


def model_of(name: str) -> str:
    """The reward model that something so called is a training of, or their mean: what stands before the @.

    Other names, also such as `model@main`, are those of models themselves.
    """
    found = re.fullmatch(r"(.+)@(?:[0-9]+|mean)", name)
    return found[1] if found else name


def shown_models(names: Iterable[str]) -> dict[str, str]:
    """What a person is shown of a table's models, and as what: of a model with several trainings their mean."""
    every = list(dict.fromkeys(names))
    shown = {}
    for name in every:
        model, mean = model_of(name), mean_name(model_of(name))
        if mean in every:
            n_seeds = sum(model_of(other) == model for other in every) - 1
            shown[mean] = f"{model} ({n_seeds} seeds)"
        else:
            shown[name] = name
    return shown
