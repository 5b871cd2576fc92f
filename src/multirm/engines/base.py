"""The interface between verification and whatever generates text: prompts in, completions out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn. `temperature` 0 is greedy; `top_k` 0, `top_p` 1 and `min_p` 0 leave all tokens in."""

    n: int
    max_tokens: int
    temperature: float = 0.6
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0


@dataclass(frozen=True)
class Prompt:
    """Token ids to continue, and the key of the item they belong to, which seeds its samples."""

    key: tuple[str | int, ...]
    ids: list[int]


@dataclass(frozen=True)
class Completion:
    """One sampled continuation.

    Attributes:
        ids: the sampled token ids, without the end-of-sequence token.
        text: the ids decoded.
        watched: for each id, the natural-log probabilities of the watched tokens at its position,
            under the model itself (temperature 1, nothing left out).
        truncated: the token limit came before the end-of-sequence token.
    """

    ids: list[int]
    text: str
    watched: list[tuple[float, ...]]
    truncated: bool


class Engine(Protocol):
    """Anything that continues prompts."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, watch: Sequence[int], seed: int
    ) -> Iterator[tuple[Prompt, list[Completion]]]:
        """Yield each prompt with its `sampling.n` completions as they are done, in any order.

        Sample i of a prompt depends on the model, the prompt's ids and key, `seed` and i alone:
        neither on the other prompts nor on their order.
        """
        ...
