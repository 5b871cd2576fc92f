"""Stop strings: finding where one ends a text. All engines use this module."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import REPLACEMENT, Completion

# Characters at the start of a window that may be decoded differently there: some tokenizers drop a leading space.
_MARGIN = 8


class SplitText(NamedTuple):
    """A text split into the part before a stop string, the stop string, and the part after it."""

    text: str
    stop: str
    rest: str


def split_at_stop(text: str, stops: Sequence[str]) -> SplitText | None:
    """Split `text` at the stop string that is complete first, the longest if there are several. None without any."""
    ends = [(text.find(stop) + len(stop), stop) for stop in stops if stop in text]
    if not ends:
        return None
    end, stop = min(ends, key=lambda found: (found[0], -len(found[1])))
    return SplitText(text[: end - len(stop)], stop, text[end:])


class StopSearch:
    """Searches a text for stop strings while its tokens are drawn.

    The time per token does not grow with the text: only a window of the last tokens is decoded. It starts
    between two whole characters and is longer than any stop string.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str]) -> None:
        """
        Args:
            stops: at least one; none is empty or contains U+FFFD.
        """
        self._tokenizer, self._stops = tokenizer, stops
        self._reach = max(map(len, stops)) + _MARGIN
        self._ids: list[int] = []
        # Positions in the ids. The text between them has at least `_reach` characters (none at first); once the
        # text after the second one has as many, both move on.
        self._start = self._middle = 0
        self._n_characters = 0

    def add(self, token: int) -> bool:
        """Append a token. Returns whether the text contains a stop string now."""
        self._ids.append(token)
        text = decode(self._tokenizer, self._ids[self._start :])
        if any(stop in text for stop in self._stops):
            return True
        if len(text) - self._n_characters >= self._reach and not text.endswith(REPLACEMENT):
            self._start, self._middle = self._middle, len(self._ids)
            self._n_characters = len(decode(self._tokenizer, self._ids[self._start :]))
        return False


def cut_at_stop(
    tokenizer: PreTrainedTokenizerBase, ids: list[int], stops: Sequence[str]
) -> list[int]:
    """`ids` up to the token that completes a stop string; all of them if none does."""
    if stops:
        search = StopSearch(tokenizer, stops)
        for place, token in enumerate(ids):
            if search.add(token):
                return ids[: place + 1]
    return ids


def completion_of(
    tokenizer: PreTrainedTokenizerBase,
    ids: list[int],
    stops: Sequence[str],
    watched: Mapping[int, tuple[float, ...]],
    truncated: bool,
) -> Completion:
    """Decode sampled ids, and split their text at its stop string.

    Args:
        ids: as in `Completion`. If they contain a stop string, the last one completes it.
        truncated: whether the token limit came before the end-of-sequence token.
    """
    text = decode(tokenizer, ids)
    split = split_at_stop(text, stops)
    if split is None:
        return Completion(ids, text, watched, truncated)
    return Completion(ids, split.text, watched, False, split.stop, split.rest)


def decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """The text of ids, including the names of special tokens."""
    text: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text
