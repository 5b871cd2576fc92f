"""The interface of engines: a request for text goes in, completions come out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from multirm.errors import InputError, shown

Key = tuple[str | int, ...]

REPLACEMENT = "\ufffd"
"""What bytes are decoded to that are not, or not yet, a whole character."""


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
    """Token ids to continue, and the key of the item they belong to, which seeds its samples.

    To continue a completion, make a prompt of `[*prompt.ids, *completion.ids]`, with a key of its own.

    Attributes:
        turns: the turns of the conversation that the ids encode, alternating user and assistant, for services that
            take no ids. None if the ids are something else, such as a conversation with the start of the reply.
        max_tokens: the largest number of tokens of its completions, if that is less than the request's.
    """

    key: Key
    ids: list[int]
    turns: tuple[str, ...] | None = None
    max_tokens: int | None = None


@dataclass(frozen=True)
class Request:
    """What an engine is asked for: prompts, and how to continue them.

    Attributes:
        prompts: prompts with different keys.
        sampling: how many completions of each prompt, and how they are drawn.
        seed: seed of the samples; each sample's own seed depends on it and on the prompt's key.
        watch: ids of the tokens whose probabilities are wanted wherever one of them is drawn.
        stop: stop strings. The one that is complete first, character by character, ends a completion; if
            several are complete at the same character, the longest counts.
        done: keys of the prompts that were completed before the job was interrupted. They are not
            generated again, but batches are formed as if they were, so that rounding stays the same.
        is_continued: whether later requests will continue these prompts, and completions that end at a stop string. An
            engine that can keeps what it computed of them.

    Raises:
        InputError: two prompts have the same key, or a stop string is empty or contains U+FFFD.
    """

    prompts: Sequence[Prompt]
    sampling: Sampling
    seed: int
    watch: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    done: Collection[Key] = ()
    is_continued: bool = False

    def __post_init__(self) -> None:
        for key, times in Counter(prompt.key for prompt in self.prompts).items():
            if times > 1:
                raise InputError(
                    "prompts", expected="a key for each of them", found=f"{shown(key)} twice"
                )
        for stop in self.stop:
            if not stop or REPLACEMENT in stop:
                raise InputError("stop string", expected="text", found=shown(stop))

    @property
    def left(self) -> list[Prompt]:
        """The prompts that are still to be completed."""
        return [prompt for prompt in self.prompts if prompt.key not in self.done]


@dataclass(frozen=True)
class Completion:
    """One sampled continuation.

    Attributes:
        ids: the sampled token ids, without the end-of-sequence token. The token that completes a stop string
            is the last one, even if the string ends inside it.
        text: the decoded ids, up to the stop string. All ids decode to `text + stop + rest`.
        watched: for each index among `ids` at which a watched token was drawn, the natural-log
            probabilities there of all watched tokens under the model itself (temperature 1, nothing
            left out).
        truncated: the token limit came before the end-of-sequence token and before any stop string.
        stop: the stop string that ended the completion; None if none did.
        rest: the last token's text after the stop string.
        given_up: a service never returned it, and the user gave it up: it is empty and truncated.
    """

    ids: list[int]
    text: str
    watched: Mapping[int, tuple[float, ...]]
    truncated: bool
    stop: str | None = None
    rest: str = ""
    given_up: bool = False

    @property
    def n_drawn(self) -> int:
        """The number of tokens drawn, including the end-of-sequence token."""
        return len(self.ids) + (not self.truncated and self.stop is None)


@dataclass(frozen=True)
class TokenCounts:
    """The cost of a prompt's completions in tokens; None if the engine cannot know.

    What is cached depends on what ran before, so these counts may differ between runs: keep them out of tables.

    Attributes:
        computed: prompt tokens computed in prefill; counted once per prefill.
        cached: prompt tokens that prefill found in the cache; counted once per prefill.
        generated: tokens drawn, including end-of-sequence tokens.
    """

    computed: int | None
    cached: int | None
    generated: int | None


@dataclass(frozen=True)
class Completed:
    """A prompt with its completions, in the order of their numbers, and their cost."""

    prompt: Prompt
    completions: list[Completion]
    tokens: TokenCounts

    @classmethod
    def without_room(cls, prompt: Prompt, sampling: Sampling) -> "Completed":
        """A prompt that fills the model's context: its completions are empty and truncated."""
        nothing = Completion([], "", {}, truncated=True)
        return cls(prompt, [nothing] * sampling.n, TokenCounts(0, 0, 0))


class Engine(Protocol):
    """Something that continues prompts.

    Attributes:
        reproducible: whether sample i of a prompt depends on the model, the prompt's ids and key, the
            seed and i alone: neither on the other prompts nor on their order.
    """

    reproducible: bool

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """Yield each prompt that is not done with its completions, a few at a time, in any order."""
        ...
