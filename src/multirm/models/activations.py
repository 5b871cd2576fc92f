"""What a decoder keeps in memory between the two passes of a training, and how many examples are read at once.

The laws are for decoders of the Llama kind with an adapter on every linear layer.
`tests/benchmarks/training_memory.py` holds them against peaks that it measures.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Literal, Self

Device = Literal["cpu", "cuda"]

# What one layer keeps of a token for its gradient, in hidden sizes and in feed-forward sizes: what its linear
# layers, their adapters' dropout, norms, activations and attention were given.
_OF_HIDDEN, _OF_FEED_FORWARD = 16, 5.25
# A CPU's heap has gaps between what it holds, which come to three quarters of that.
_HEAP = 1.75
_BYTES: dict[Device, int] = {"cpu": 4, "cuda": 2}
_BUDGET: dict[Device, float] = {"cpu": 3e9, "cuda": 16e9}

# Logits that stand at once, of so many tokens at most; beside them stand as many probabilities and gradients.
LOGITS_AT_ONCE = 2**26
TOKENS_OF_LOGITS = 1024


@dataclass(frozen=True)
class Decoder:
    """The shape of a decoder, which need not be whole numbers where it is a guess."""

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
        """One of so many parameters, larger than most: 32 layers of twelve squares would be narrower."""
        hidden = sqrt(parameters) / 16
        return cls(32, hidden, 3.5 * hidden)


@dataclass(frozen=True)
class Reading:
    """How a process reads its share of a batch.

    Attributes:
        at_once: examples, a divisor of its share.
        is_checkpointed: whether layers are computed once more for their gradients, rather than kept.
        memory: bytes that this takes at most.
    """

    at_once: int
    is_checkpointed: bool
    memory: float


def reading(
    decoder: Decoder, device: Device, share: int, longest: int, at_once: int | None = None
) -> Reading:
    """As much at once as a budget of 3 GB on a CPU and 16 GB on a GPU allows, and one example at least.

    On a CPU layers are kept where they may be: that is faster, and gives the same gradients to the bit.

    Args:
        share: examples of a batch that fall to one process.
        longest: tokens of the longest example.
        at_once: examples, where that is settled.
    """
    choices = [at_once] if at_once else [n for n in range(share, 0, -1) if share % n == 0]
    kept = longest * _kept(decoder)
    for n in choices if device == "cpu" else ():
        if n * kept <= _BUDGET[device]:
            return Reading(n, False, n * kept)
    checkpointed = longest * _checkpointed(decoder, device)
    fitting = [n for n in choices if n * checkpointed <= _BUDGET[device]]
    n = max(fitting, default=min(choices))
    return Reading(n, True, n * checkpointed)


def logits_memory(vocabulary: int | None, n_tokens: float) -> float:
    """Bytes of a part of the logits over a vocabulary, of any size where None, and of what is made of them."""
    logits = min(LOGITS_AT_ONCE, TOKENS_OF_LOGITS * (vocabulary or LOGITS_AT_ONCE))
    return 3 * 4 * min(logits, n_tokens * (vocabulary or LOGITS_AT_ONCE))


def pretraining_memory(decoder: Decoder, vocabulary: int, n_tokens: int) -> float:
    """Bytes of so many tokens read at once on a CPU, with logits of all of them."""
    return n_tokens * (_kept(decoder) + 3 * 4 * vocabulary)


def _kept(decoder: Decoder) -> float:
    """Bytes per token on a CPU if all layers are kept."""
    return _HEAP * _BYTES["cpu"] * decoder.layers * _of_layer(decoder)


def _checkpointed(decoder: Decoder, device: Device) -> float:
    """Bytes per token if all layers' inputs are kept, and one layer with its gradients.

    Large blocks do not come from a CPU's heap then (`training.fine_tuning.spare_memory`).
    """
    inputs = 1.2 * decoder.layers * decoder.hidden
    return _BYTES[device] * (inputs + 2 * _of_layer(decoder))


def _of_layer(decoder: Decoder) -> float:
    return _OF_HIDDEN * decoder.hidden + _OF_FEED_FORWARD * decoder.feed_forward
