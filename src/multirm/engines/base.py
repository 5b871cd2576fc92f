"""The interface between whoever wants text and whatever generates it: a request goes in, completions come out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from multirm.errors import InputError, shown

Key = tuple[str | int, ...]

REPLACEMENT = "\ufffd"
"""What is decoded in the place of bytes that are no letter, or not a whole one yet."""


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

    A completion is continued by the prompt `[*prompt.ids, *completion.ids]`, with a key of its own.
    """

    key: Key
    ids: list[int]


@dataclass(frozen=True)
class Request:
    """Prompts, and how they are to be continued.

    Attributes:
        prompts: with different keys.
        sampling: how completions are drawn, and how many of each prompt.
        seed: of the samples, together with the prompts' keys.
        watch: ids of the tokens to watch.
        stop: strings; the first of them that is generated ends a completion. It is the one that is complete
            earliest, letter by letter; of several that are complete at the same letter, the longest.
        done: keys of the prompts that were completed before the job was interrupted. They are not
            generated again; but they decide what is read together, and so how numbers are rounded.

    Raises:
        InputError: two prompts have the same key, or a stop string is empty or no text.
    """

    prompts: Sequence[Prompt]
    sampling: Sampling
    seed: int
    watch: tuple[int, ...] = ()
    stop: tuple[str, ...] = ()
    done: Collection[Key] = ()

    def __post_init__(self) -> None:
        for key, times in Counter(prompt.key for prompt in self.prompts).items():
            if times > 1:
                raise InputError(
                    "prompts", expected="a key for each of them", found=f"{shown(key)} twice"
                )
        for stop in self.stop:
            if not stop or REPLACEMENT in stop:
                raise InputError("stop string", expected="letters", found=shown(stop))

    @property
    def left(self) -> list[Prompt]:
        """The prompts that are not done."""
        return [prompt for prompt in self.prompts if prompt.key not in self.done]


@dataclass(frozen=True)
class Completion:
    """One sampled continuation.

    Attributes:
        ids: the sampled token ids, without the end-of-sequence token; with the whole of the token that
            completes a stop string.
        text: the ids decoded, up to the stop string. `text + stop + rest` is all that they decode to.
        watched: for each index among `ids` at which a watched token was drawn, the natural-log
            probabilities there of all watched tokens under the model itself (temperature 1, nothing
            left out).
        truncated: the token limit came before the end-of-sequence token and before any stop string.
        stop: the stop string that ended it; None where none did.
        rest: what the last token says after the stop string.
    """

    ids: list[int]
    text: str
    watched: Mapping[int, tuple[float, ...]]
    truncated: bool
    stop: str | None = None
    rest: str = ""

    @property
    def n_drawn(self) -> int:
        """How many tokens were drawn, the end-of-sequence token among them."""
        return len(self.ids) + (not self.truncated and self.stop is None)


@dataclass(frozen=True)
class TokenCounts:
    """What the completions of a prompt have cost, in tokens; None where the engine cannot know.

    How much is in a cache depends on what ran before, so that no two runs need to agree.

    Attributes:
        computed: tokens of the prompt that the model computed in prefill, counted each time that it did.
        cached: tokens of the prompt that prefill found in a cache, likewise.
        generated: tokens drawn, end-of-sequence tokens among them.
    """

    computed: int | None
    cached: int | None
    generated: int | None


@dataclass(frozen=True)
class Completed:
    """A prompt with its completions, in the order of their numbers, and what they have cost."""

    prompt: Prompt
    completions: list[Completion]
    tokens: TokenCounts

    @classmethod
    def without_room(cls, prompt: Prompt, sampling: Sampling) -> "Completed":
        """That of a prompt after which the model's context has no room."""
        nothing = Completion([], "", {}, truncated=True)
        return cls(prompt, [nothing] * sampling.n, TokenCounts(0, 0, 0))


class Engine(Protocol):
    """Anything that continues prompts.

    Attributes:
        reproducible: whether sample i of a prompt depends on the model, the prompt's ids and key, the
            seed and i alone: neither on the other prompts nor on their order.
    """

    reproducible: bool

    def generate(self, request: Request) -> Iterator[list[Completed]]:
        """Yield each prompt that is left with its completions, some at a time, as they are done, in any order."""
        ...
