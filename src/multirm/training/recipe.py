"""Training settings of a reward model: adapter, optimizer and schedule."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from cyclopts import Parameter

from multirm.models.dtype import Dtype
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
    """Settings shared by discriminative and generative training; each kind has a recipe of its own.

    Attributes:
        schedule: decay of the learning rate after its peak.
        max_length: longer examples, in tokens, are left out and counted.
        rank: rank of the adapter.
        alpha: the adapter is scaled by alpha / rank.
        epochs: passes over the examples.
        learning_rate: peak learning rate.
        batch_size: examples per step, over all processes together.
        device_batch_size: examples per forward pass in a process; by default as many of its share of a batch as
            fit into `activation_memory`. The gradient does not depend on it, except for the values that dropout
            draws.
        activation_memory: GB for the activations of a forward and backward pass; by default 16 of a GPU's memory,
            or 3 of main memory, but at most half of what may be used, divided among the processes. On a
            GPU, or if a single example takes more, activations are computed twice (gradient checkpointing). The
            gradient does not depend on it, except for the values that dropout draws.
        dtype: the precision of passes: auto is bfloat16 on a GPU and float32 on a CPU. Weights that are trained are
            float32 in any case.
        parallelism: how several processes share the model: with ddp, each has the whole backbone; with fsdp, each
            has a part of every layer, for backbones that are too large for a device's memory.
        dropout: dropout on the adapter's inputs.
        weight_decay: weight decay of AdamW.
        warmup: fraction of the steps before the peak.
        seed: seed of initial weights, dropout and order.
    """

    schedule: ClassVar[Literal["cosine", "linear"]]
    max_length: Count
    rank: Count
    alpha: Count
    epochs: Positive = 1
    learning_rate: Positive = 1e-4
    batch_size: Count = 16
    device_batch_size: Count | None = None
    activation_memory: Positive | None = None
    dtype: Dtype = Dtype.AUTO
    parallelism: Parallelism = Parallelism.DDP
    dropout: FractionBelowOne = 0.1
    weight_decay: PositiveOrZero = 0.01
    warmup: Fraction = 0.1
    seed: Seed = 42
