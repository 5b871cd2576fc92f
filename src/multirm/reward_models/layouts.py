"""Text of a format to token ids, and the places among them at which rewards are read."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from tokenizers import Tokenizer, processors
from transformers import PreTrainedTokenizerBase

from multirm.errors import InputError, shown
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import Layout
from multirm.text.chat import Turns, chat_turns
from multirm.text.encoding import without_controls

logger = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"\{(question|step|number)\}")

# How many pairs of turns are compared to know how a chat template continues a conversation.
_PAIRS = 3


@dataclass(frozen=True)
class EncodedText:
    """A solution as a model reads it.

    Attributes:
        ids: token ids.
        places: for each reward, the index of the token at which it is read. None if there is no such token, because
            a step is empty, or the tokenizer joins its end with other text.
        is_changed: whether the format deletes part of the question or of a step.
        prompt_end: with `read = "after"`, the index of the last token before the steps.
    """

    ids: list[int]
    places: list[int | None]
    is_changed: bool = False
    prompt_end: int | None = None


@dataclass(frozen=True)
class _Piece:
    """A piece of text.

    Attributes:
        text: the text.
        is_fixed: whether it is the format's or the chat template's, so that it may have control tokens.
        is_read: whether a reward is read at its last token.
    """

    text: str
    is_fixed: bool
    is_read: bool = False


class Encoder:
    """Encodes solutions in a layout.

    Texts of questions and steps never become control tokens or tags, even if they spell them.

    Args:
        layout: the layout.
        tokenizer: the model's tokenizer.

    Raises:
        InputError: the layout's tag is not a token of the tokenizer, or a chat needs a template that it does not have.
    """

    def __init__(self, layout: Layout, tokenizer: PreTrainedTokenizerBase) -> None:
        self._layout, self._tokenizer = layout, tokenizer
        self._rules = _with_offsets(tokenizer)
        self._tag = None
        if layout.tag is not None:
            self._tag = _tag_token(self._rules, layout.tag, layout.tokenized)
        self._turns = Turns("", "", "", "")
        if layout.kind != "text":
            pairs = _PAIRS if layout.kind == "turns" else 1
            self._turns = chat_turns(tokenizer, layout.system, pairs)
        added = sorted(token for token in tokenizer.get_added_vocab() if len(token.strip()) > 1)
        own = [token for token in added if any(token in piece for piece in layout.step)]
        # After the first character of each tag that a text spells.
        self._tags = re.compile(f"(?={'|'.join(map(re.escape, own))})" if own else "(?!)")
        is_found = layout.tag is None or self._tag not in (None, tokenizer.unk_token_id)
        if not is_found or None in self.encode(Solution("Is it?", ("So.", "Yes."))).places:
            raise InputError(
                tokenizer.name_or_path or "tokenizer",
                expected=f"a tokenizer of the format, with {shown(layout.tag or layout.reply)} as one token",
                found="another one",
                remedy="choose the format that the model was trained with",
            )

    def encode(self, solution: Solution) -> EncodedText:
        """The ids of a solution, with a place for each step, or one for the whole."""
        question = self._cleaned(solution.question)
        steps = [self._cleaned(step) for step in solution.steps]
        pieces = [piece for piece in self._pieces(question, steps) if piece.text or piece.is_read]
        ids, places = self._opening(), []
        is_one = self._layout.tokenized == "together"
        for run in [pieces] if is_one else [[piece] for piece in pieces]:
            added, found = self._tokens(run)
            places += [None if place is None else len(ids) + place for place in found]
            ids += added
        as_given = question == solution.question.strip() and steps == [
            step.strip() for step in solution.steps
        ]
        prompt_end = places.pop(0) if self._layout.read == "after" else None
        checked = [self._checked(ids, place) for place in places]
        return EncodedText(ids, checked, not as_given, prompt_end)

    def _opening(self) -> list[int]:
        tokenizer, layout = self._tokenizer, self._layout
        if layout.kind != "text" or layout.opening == "none":
            return []
        if layout.opening == "bos":
            return [] if tokenizer.bos_token_id is None else [int(tokenizer.bos_token_id)]
        return [int(token) for token in tokenizer.encode("")]

    def _cleaned(self, text: str) -> str:
        for removed in self._layout.remove:
            # Again, because what is left may join to another one.
            while removed in text:
                text = text.replace(removed, "")
        return text.strip()

    def _pieces(self, question: str, steps: Sequence[str]) -> Iterator[_Piece]:
        layout, turns = self._layout, self._turns
        if layout.kind == "turns":
            yield from self._pieces_of_turns(question, steps)
            return
        yield _Piece(turns.before, is_fixed=True)
        yield _filled(layout.question, {"question": question})
        yield _Piece(turns.to_assistant, is_fixed=True, is_read=layout.read == "after")
        for number, step in enumerate(steps, start=1):
            for position, piece in enumerate(layout.step):
                texts = {"step": step, "number": str(number)}
                yield _filled(piece, texts, is_read=position == layout.read)
            if number < len(steps):
                yield _Piece(layout.between, is_fixed=True, is_read=layout.read == "after")
        if layout.read == "after" and steps:
            yield _Piece(turns.after.rstrip(), is_fixed=True, is_read=True)
        elif layout.read == "end":
            yield _Piece(turns.after, is_fixed=True, is_read=True)

    def _pieces_of_turns(self, question: str, steps: Sequence[str]) -> Iterator[_Piece]:
        layout, turns = self._layout, self._turns
        yield _Piece(turns.before, is_fixed=True)
        for number, step in enumerate(steps, start=1):
            texts = {"question": question, "step": step, "number": str(number)}
            if number == 1:
                yield _filled(layout.question, texts)
            else:
                yield _Piece(layout.reply + turns.to_user, is_fixed=True)
                yield _filled(layout.step[0], texts)
            yield _Piece(turns.to_assistant, is_fixed=True, is_read=True)

    def _tokens(self, pieces: Sequence[_Piece]) -> tuple[list[int], list[int | None]]:
        """The ids of pieces as one text, and the places at the ends of those that are read."""
        runs, ends = [""], []
        for piece in pieces:
            first, *rest = [piece.text] if piece.is_fixed else self._apart(piece.text)
            runs[-1] += first
            runs += rest
            if piece.is_read:
                ends.append((len(runs) - 1, len(runs[-1])))
        ids: list[int] = []
        place_of: dict[tuple[int, int], int] = {}
        for number, run in enumerate(runs):
            encoded = self._rules.encode(run, add_special_tokens=False)
            # A character of several tokens is at the same offsets in all of them: the last one counts.
            for place, (_, end) in enumerate(encoded.offsets, start=len(ids)):
                place_of[number, end] = place
            ids += encoded.ids
        return ids, [place_of.get(end) for end in ends]

    def _apart(self, text: str) -> list[str]:
        found = []
        for piece in without_controls(self._tokenizer, text):
            cuts = [0, *(tag.start() + 1 for tag in self._tags.finditer(piece)), len(piece)]
            found += [piece[start:end] for start, end in pairwise(cuts)]
        return found or [""]

    def _checked(self, ids: Sequence[int], place: int | None) -> int | None:
        return place if place is None or self._tag in (None, ids[place]) else None


def warn_of_texts(encoded: Sequence[EncodedText]) -> None:
    """Warn of texts that the format cannot represent as they are."""
    if n_changed := sum(each.is_changed for each in encoded):
        logger.warning("%d solutions have texts of which the format deletes a part", n_changed)
    if n_unread := sum(each.places.count(None) for each in encoded):
        logger.warning(
            "%d rewards are missing: of empty steps, or of steps whose end the tokenizer joins with other text",
            n_unread,
        )


def _filled(template: str, texts: Mapping[str, str], is_read: bool = False) -> _Piece:
    """A piece of a layout with its placeholders filled; braces in the texts are left alone."""
    text, n_filled = _PLACEHOLDER.subn(lambda found: texts.get(found[1], found[0]), template)
    return _Piece(text, is_fixed=not n_filled, is_read=is_read)


# Copying a vocabulary of this size takes a second.
@lru_cache(maxsize=4)
def _with_offsets(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """A tokenizer's rules without the last stage, which may trim spaces and line ends off the offsets of tokens."""
    rules = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    rules.post_processor = processors.Sequence([])
    rules.no_truncation()
    rules.no_padding()
    return rules


def _tag_token(rules: Tokenizer, tag: str, tokenized: str) -> int | None:
    """The token of a tag after a word, as after a step, or on its own; None if it is not a single one."""
    word = rules.encode("word", add_special_tokens=False).ids if tokenized == "together" else []
    ids = rules.encode(("word" if word else "") + tag, add_special_tokens=False).ids
    return ids[-1] if len(ids) == len(word) + 1 and ids[:-1] == word else None
