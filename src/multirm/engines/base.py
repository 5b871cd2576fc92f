"""The interface between verification and whatever generates text: prompts in, completions out."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Sampling:
    """How completions are drawn: samples `first` to `first + n - 1` of each prompt.

    `temperature` 0 is greedy; `top_k` 0, `top_p` 1 and `min_p` 0 leave all tokens in.
    """

    n: int
    max_tokens: int
    temperature: float = 0.6
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    first: int = 0


@dataclass(frozen=True)
class Prompt:
    """Token ids to continue, and the key of the item they belong to, which seeds its samples."""

    key: Key
    ids: list[int]


@dataclass(frozen=True)
class Completion:
    """One sampled continuation.

    Attributes:
        ids: the sampled token ids, without the end-of-sequence token.
        text: the ids decoded.
        watched: for each index among `ids` at which a watched token was drawn, the natural-log
            probabilities there of all watched tokens under the model itself (temperature 1, nothing
            left out).
        truncated: the token limit came before the end-of-sequence token.
    """

    ids: list[int]
    text: str
    watched: Mapping[int, tuple[float, ...]]
    truncated: bool


Completed = tuple[Prompt, list[Completion]]


class Engine(Protocol):
    """Anything that continues prompts.

    Attributes:
        reproducible: whether sample i of a prompt depends on the model, the prompt's ids and key, the
            seed and i alone: neither on the other prompts nor on their order.
    """

    reproducible: bool

    def generate(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        watch: Sequence[int],
        seed: int,
        done: Collection[Key] = (),
    ) -> Iterator[list[Completed]]:
        """Yield each prompt with its `sampling.n` completions, some at a time, as they are done, in any order.

        Args:
            prompts: with different keys.
            watch: ids of the tokens to watch.
            done: keys of the prompts that were yielded before the job was interrupted. They are not
                generated again; but they decide what is read together, and so how numbers are rounded.
        """
        ...
