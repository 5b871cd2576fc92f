"""How a reward model is trained: its adapter, its optimizer and its schedule."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from cyclopts import Parameter

from multirm.models.parallelism import Parallelism
from multirm.running.numbers import (
    Count,
    Fraction,
    FractionBelowOne,
    Positive,
    PositiveOrZero,
    Seed,
)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that discriminative and generative training share; each has a recipe of its own kind.

    Attributes:
        schedule: of the learning rate after its peak.
        max_length: examples of more tokens are left out whole, and counted.
        rank: of the adapter.
        alpha: the adapter counts alpha / rank times.
        epochs: passes over the examples.
        learning_rate: at its peak.
        batch_size: examples per step, over all processes together.
        device_batch_size: examples that a process reads at once; by default as many of its share of a batch
            as 16 GB of a GPU or 3 GB of main memory are enough for. The gradient does not depend on it.
        parallelism: of several processes; ddp, each has the whole backbone, or fsdp, each has a part of
            every layer, for backbones that are too much for a device's memory.
        dropout: on the adapter's inputs.
        weight_decay: of AdamW.
        warmup: share of the steps before the peak.
        seed: of the first weights, dropout and order.
    """

    schedule: ClassVar[Literal["cosine", "linear"]]
    max_length: Count
    rank: Count
    alpha: Count
    epochs: Positive = 1
    learning_rate: Positive = 1e-4
    batch_size: Count = 16
    device_batch_size: Count | None = None
    parallelism: Parallelism = Parallelism.DDP
    dropout: FractionBelowOne = 0.1
    weight_decay: PositiveOrZero = 0.01
    warmup: Fraction = 0.1
    seed: Seed = 42
