"""A training run as a list of steps: the examples of each update, and its learning rate."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from torch import Tensor
from transformers import PreTrainedModel


class Countable(Protocol):
    """What every kind of example has: a length and a loss weight."""

    @property
    def n_tokens(self) -> int:
        """Its length, by which examples are grouped."""

    @property
    def count(self) -> float:
        """Its weight in the mean loss of a step, such as its number of labels."""


E = TypeVar("E", bound=Countable)

Loss = Callable[[PreTrainedModel, Sequence[E]], Tensor]
"""The summed loss of one forward pass over examples: a scalar on the model's device."""


@dataclass(frozen=True)
class Step(Generic[E]):
    """One update of the weights.

    Attributes:
        parts: this process's examples, one forward pass per part; all processes have equally many parts.
        count: total count of all processes' examples, by which the summed loss is divided.
        n_tokens: number of tokens of all processes' examples.
        learning_rate: learning rate of this update.
        epoch: passes over the examples that are complete after it.
        is_logged: whether the learning curve has a point here.
    """

    parts: Sequence[Sequence[E]]
    count: float
    n_tokens: int
    learning_rate: float
    epoch: float
    is_logged: bool
