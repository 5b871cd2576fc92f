"""What a training run trains, and on which targets."""

from enum import StrEnum


class Method(StrEnum):
    """Which weights of a backbone are trained."""

    LORA = "lora"
    """A LoRA adapter on every linear layer."""
    FULL = "full"
    """All of them."""


class Targets(StrEnum):
    """What is learned of a step that has been labelled."""

    LABELS = "labels"
    """Whether it is good or bad."""
    VALUES = "values"
    """How good it is, from 0 to 1: a soft label. A step that has only a label counts as 0 or 1."""
