"""Where a text ends at a stop string, and what a completion's text is. All engines ask here."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import REPLACEMENT, Completion

# A text that begins in the middle may be decoded otherwise there: some tokenizers drop the first space.
_MARGIN = 8


class SplitText(NamedTuple):
    """A text with a stop string in it: what stands before that, the string, and what stands behind it."""

    text: str
    stop: str
    rest: str


def split_at_stop(text: str, stops: Sequence[str]) -> SplitText | None:
    """`text` taken apart at the stop string that is complete first, the longest one of several; None without any."""
    ends = [(text.find(stop) + len(stop), stop) for stop in stops if stop in text]
    if not ends:
        return None
    end, stop = min(ends, key=lambda found: (found[0], -len(found[1])))
    return SplitText(text[: end - len(stop)], stop, text[end:])


class StopSearch:
    """Looks for stop strings in a text as it is drawn, in time that does not grow with its length.

    It decodes a window of the last tokens, which begins where letters are whole and reaches back further
    than any stop string.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stops: Sequence[str]) -> None:
        """
        Args:
            stops: at least one, none of them empty or with U+FFFD in it.
        """
        self._tokenizer, self._stops = tokenizer, stops
        self._reach = max(map(len, stops)) + _MARGIN
        self._ids: list[int] = []
        # Places among the ids: there are enough letters between them, and few more behind the second.
        self._start = self._middle = 0
        self._n_letters = 0

    def add(self, token: int) -> bool:
        """Whether the text has a stop string in it once `token` is added."""
        self._ids.append(token)
        text = decode(self._tokenizer, self._ids[self._start :])
        if any(stop in text for stop in self._stops):
            return True
        if len(text) - self._n_letters >= self._reach and not text.endswith(REPLACEMENT):
            self._start, self._middle = self._middle, len(self._ids)
            self._n_letters = len(decode(self._tokenizer, self._ids[self._start :]))
        return False


def cut_at_stop(
    tokenizer: PreTrainedTokenizerBase, ids: list[int], stops: Sequence[str]
) -> list[int]:
    """`ids` up to the token that completes a stop string; all of them where none does."""
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
    """The completion that sampled ids are.

    Args:
        ids: as of a `Completion`; where there is a stop string in them, the last one completes it.
        truncated: whether the token limit came before the end-of-sequence token.
    """
    text = decode(tokenizer, ids)
    split = split_at_stop(text, stops)
    if split is None:
        return Completion(ids, text, watched, truncated)
    return Completion(ids, split.text, watched, False, split.stop, split.rest)


def decode(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """The text of ids, special tokens by their names."""
    text: str = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    return text
