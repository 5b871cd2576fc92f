"""A training run as a list of steps: the examples of each update, and its learning rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import Tensor
from transformers import PreTrainedModel


class Countable(Protocol):
    """What every kind of example says of itself: its length, and how much it counts."""

    @property
    def n_tokens(self) -> int:
        """Its length, by which examples are grouped."""

    @property
    def count(self) -> float:
        """How much it counts in the mean loss of a step, such as its number of labels."""


E = TypeVar("E", bound=Countable)

Loss = Callable[[PreTrainedModel, Sequence[E]], Tensor]
"""The loss of the examples that a model reads at once, summed: a scalar on the model's device."""


@dataclass(frozen=True)
class Step(Generic[E]):
    """One update of the weights.

    Attributes:
        parts: the examples that this process reads, those of a part at once; every process has as many parts.
        count: of the examples of all processes; the summed loss is divided by it.
        n_tokens: tokens of all processes' examples.
        learning_rate: of this update.
        epoch: passes over the examples that are complete after it.
        is_logged: whether the learning curve has a point here.
    """

    parts: Sequence[Sequence[E]]
    count: float
    n_tokens: int
    learning_rate: float
    epoch: float
    is_logged: bool
