"""Estimate the activation memory of a training step, and from it how many examples fit into one forward pass.

The formulas are for Llama-like decoders with an adapter on every linear layer.
`tests/benchmarks/training_memory.py` compares them with measured peaks.
"""

from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, Literal, Self

from multirm.models.dtype import Dtype

Device = Literal["cpu", "cuda"]

# Values that one layer keeps per token for its gradient, in multiples of the hidden and the feed-forward size: the
# inputs of its linear layers, masks of adapters' dropout, norms, activations and attention. Counted on a CPU; on a GPU,
# other layers than those of `training.low_rank` may be in use.
_OF_HIDDEN: dict[Device, float] = {"cpu": 9.5, "cuda": 16}
_OF_FEED_FORWARD: dict[Device, float] = {"cpu": 4.25, "cuda": 5.25}
# What the fragmentation of a CPU's heap multiplies them by: much where kept and freed values alternate.
_HEAP, _HEAP_CHECKPOINTED = 1.9, 3.4
_BUDGET: dict[Device, float] = {"cpu": 3e9, "cuda": 16e9}
_SHARE_OF_MACHINE = 0.5

# Limits on the logits in memory at once, in values and in tokens; probabilities and gradients take as much each.
LOGITS_AT_ONCE = 2**26
TOKENS_OF_LOGITS = 1024


@dataclass(frozen=True)
class Decoder:
    """The shape of a decoder; sizes may be fractional if they are estimated."""

    layers: float
    hidden: float
    feed_forward: float

    @classmethod
    def of(cls, config: Any) -> Self:
        """From a transformers configuration."""
        text = config.get_text_config()
        hidden = text.hidden_size
        return cls(
            text.num_hidden_layers, hidden, getattr(text, "intermediate_size", None) or 4 * hidden
        )

    @classmethod
    def guessed(cls, parameters: float) -> Self:
        """An estimate from the number of parameters, on the large side: 32 layers of 12 hidden² would be narrower."""
        hidden = sqrt(parameters) / 16
        return cls(32, hidden, 3.5 * hidden)


@dataclass(frozen=True)
class Reading:
    """How a process splits its share of a batch into forward passes.

    Attributes:
        at_once: examples per forward pass, a divisor of its share.
        is_checkpointed: whether gradient checkpointing is used.
        memory: upper bound on the memory for activations, in bytes.
    """

    at_once: int
    is_checkpointed: bool
    memory: float


def default_budget(device: Device, usable: float = inf) -> float:
    """Bytes for activations: 16 GB on a GPU; on a CPU, 3 GB or half of what a process may use, if that is less.

    Args:
        usable: bytes of main memory that a process may use.
    """
    return _BUDGET["cuda"] if device == "cuda" else min(_BUDGET["cpu"], _SHARE_OF_MACHINE * usable)


def reading(
    decoder: Decoder,
    device: Device,
    share: int,
    longest: int,
    at_once: int | None = None,
    budget: float | None = None,
    dtype: Dtype = Dtype.AUTO,
) -> Reading:
    """The most examples per forward pass in a budget of memory; at least one.

    On a CPU, gradient checkpointing is used only if necessary: without it, training is faster, and the gradients are
    bit-identical.

    Args:
        share: examples of a batch per process.
        longest: tokens of the longest example.
        at_once: examples per forward pass, if fixed.
        budget: bytes for activations; by default `default_budget`.
        dtype: precision of passes.
    """
    most = default_budget(device) if budget is None else budget
    choices = [at_once] if at_once else [n for n in range(share, 0, -1) if share % n == 0]
    kept = longest * _kept(decoder)
    for n in choices if device == "cpu" else ():
        if n * kept <= most:
            return Reading(n, False, n * kept)
    checkpointed = longest * _checkpointed(decoder, device, dtype)
    fitting = [n for n in choices if n * checkpointed <= most]
    n = max(fitting, default=min(choices))
    return Reading(n, True, n * checkpointed)


def logits_memory(vocabulary: int | None, n_tokens: float) -> float:
    """Bytes of one part of the logits, its probabilities and its gradients; a vocabulary of None has any size."""
    logits = min(LOGITS_AT_ONCE, TOKENS_OF_LOGITS * (vocabulary or LOGITS_AT_ONCE))
    return 3 * 4 * min(logits, n_tokens * (vocabulary or LOGITS_AT_ONCE))


def pretraining_memory(decoder: Decoder, vocabulary: int, n_tokens: int) -> float:
    """Bytes of a forward pass over `n_tokens` tokens on a CPU, with the logits of all of them."""
    return n_tokens * (_kept(decoder) + 3 * 4 * vocabulary)


def _kept(decoder: Decoder) -> float:
    """Bytes per token on a CPU without gradient checkpointing."""
    return _HEAP * 4 * decoder.layers * _of_layer(decoder, "cpu")


def _checkpointed(decoder: Decoder, device: Device, dtype: Dtype) -> float:
    """Bytes per token with gradient checkpointing: the inputs of all layers, and one layer with its gradients."""
    inputs = 1.2 * decoder.layers * decoder.hidden
    heap = _HEAP_CHECKPOINTED if device == "cpu" else 1
    # On a CPU, what bf16 saves is not counted.
    of_value = 4 if device == "cpu" or dtype is Dtype.FLOAT32 else 2
    return heap * of_value * (inputs + 2 * _of_layer(decoder, device))


def _of_layer(decoder: Decoder, device: Device) -> float:
    return _OF_HIDDEN[device] * decoder.hidden + _OF_FEED_FORWARD[device] * decoder.feed_forward
