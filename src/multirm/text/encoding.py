r"""Text to token ids, identical in training and scoring.

Discriminative text (Multi-RM, arXiv 2510.00492): the question + " \n\n", then each step + " \n\n\n\n",
every piece tokenized on its own, special tokens only before the first. A step's label sits on the last
token of its piece, and its probability is the softmax over the two tokens `-` and `+` at that position.

Generative text: the prompt as the user turn of the chat template, then the reply, which starts with
`prompts.REPLY_START`. Prompt and critique are tokenized separately, so that a critique follows exactly the same ids
in training as in sampling.

Conversations: alternating user and assistant turns as the chat template renders them, up to the open turn of the
assistant, then its reply.

Questions, steps, turns and critiques are untrusted text. If they spell a control token (`<|im_end|>`, `</s>`), they
get the tokens of its characters, never the token itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from multirm.errors import InputError, shown
from multirm.text.chat import chat_frame, conversation_frame, fill_conversation
from multirm.text.prompts import END_OF_THINKING, REPLY_START

if TYPE_CHECKING:
    # Typing only: stages without tokenization run without transformers.
    from transformers import PreTrainedTokenizerBase

QUESTION_END = " \n\n"
STEP_END = " \n\n\n\n"
STEP_TOKENS = ("-", "+")
VERDICT_TOKENS = (" No", " Yes")

# How control tokens are written, with full-width bars in DeepSeek's.
_MARK = re.compile(r"<[|｜].+[|｜]>")


@dataclass(frozen=True)
class SolutionLayout:
    """How a question and its steps become the text that a discriminative reward model reads.

    Attributes:
        question_end: what follows the question.
        step_end: what follows each step.
    """

    question_end: str
    step_end: str


MULTI_RM_LAYOUT = SolutionLayout(QUESTION_END, STEP_END)


@dataclass(frozen=True)
class EncodedSolution:
    """Token ids of a question and its steps, and for each step the index of its last token."""

    ids: list[int]
    step_ends: list[int]


@dataclass(frozen=True)
class EncodedCritique:
    """Token ids of a prompt and a critique with its end-of-sequence token; the first `n_prompt` carry no loss."""

    ids: list[int]
    n_prompt: int


@dataclass(frozen=True)
class EncodedReply:
    """Token ids of a conversation and of the reply with its end-of-sequence token; the first `n_prompt` are given."""

    ids: list[int]
    n_prompt: int


def single_token(tokenizer: PreTrainedTokenizerBase, text: str, after: str = "") -> int:
    """The id of a text that is a single token.

    Args:
        after: the text before it. Some tokenizers (SentencePiece) put a space of their own before a whole text.

    Raises:
        InputError: the tokenizer does not encode it as one known token.
    """
    n_before = len(tokenizer.encode(after, add_special_tokens=False)) if after else 0
    ids = tokenizer.encode(after + text, add_special_tokens=False)[n_before:]
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise InputError(
            tokenizer.name_or_path or "tokenizer",
            expected=f"{shown(text)} to be a single token",
            found=f"{len(ids)} tokens" if len(ids) != 1 else "an unknown one",
            remedy="choose a backbone whose tokenizer has it",
        )
    return int(ids[0])


def step_candidates(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The ids of `-` and `+`, in that order: column 1 of their softmax is the reward."""
    return single_token(tokenizer, STEP_TOKENS[0]), single_token(tokenizer, STEP_TOKENS[1])


def verdict_candidates(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The ids of ` No` and ` Yes` after a question, in that order: column 1 of their softmax is the reward."""
    no, yes = VERDICT_TOKENS
    return single_token(tokenizer, no, after="?"), single_token(tokenizer, yes, after="?")


def encode_solution(
    tokenizer: PreTrainedTokenizerBase,
    question: str,
    steps: Sequence[str],
    layout: SolutionLayout = MULTI_RM_LAYOUT,
) -> EncodedSolution:
    """Encode a solution for a discriminative reward model, with exactly one step end per step."""
    controls = _controls(tokenizer)
    opening, *pieces = _apart(controls, question + layout.question_end)
    ids = [*tokenizer.encode(opening), *_ids(tokenizer, pieces)]
    ends = []
    for step in steps:
        ids += _ids(tokenizer, _apart(controls, step + layout.step_end))
        ends.append(len(ids) - 1)
    return EncodedSolution(ids, ends)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """The ids that a critique continues: the prompt as user turn, and the start of the reply.

    Raises:
        InputError: as `chat.chat_frame`.
    """
    frame = chat_frame(tokenizer)
    # One text unless it must be split: a token may span the template's text and the prompt.
    first, *rest = _apart(_controls(tokenizer), frame.trim(prompt))
    pieces = [frame.before + first, *rest]
    pieces[-1] += frame.after + REPLY_START
    return _ids(tokenizer, pieces)


def encode_critique(
    tokenizer: PreTrainedTokenizerBase, prompt: str, critique: str
) -> EncodedCritique:
    """A training example of a generative reward model: the loss is on the critique and its end.

    Raises:
        InputError: the tokenizer has no usable chat template, or no end-of-sequence token.
    """
    prefix = encode_prompt(tokenizer, prompt)
    completion = _ids(tokenizer, _apart(_controls(tokenizer), critique))
    return EncodedCritique([*prefix, *completion, _end_of_text(tokenizer)], len(prefix))


def encode_conversation(tokenizer: PreTrainedTokenizerBase, turns: Sequence[str]) -> list[int]:
    """The ids that a reply continues: alternating user and assistant turns, and the open turn of the assistant.

    They are those of transformers' `apply_chat_template` with `add_generation_prompt`, unless a turn spells a control
    token or a mark of thinking: these stay text.

    Args:
        turns: an odd number of texts; the user's are the first, the third, … and the last.

    Raises:
        InputError: as `chat.conversation_frame`.
    """
    frame = conversation_frame(tokenizer, len(turns))
    controls = _turn_controls(tokenizer)
    # One text unless it must be split: a token may span the template's text and a turn.
    pieces = [""]
    for place, text in enumerate(fill_conversation(frame, turns)):
        is_turn = place % 2 == 1
        first, *rest = _apart(controls, text) if is_turn else [text]
        pieces[-1] += first
        pieces += rest
    return _ids(tokenizer, pieces)


def encode_start(tokenizer: PreTrainedTokenizerBase, turns: Sequence[str], start: str) -> list[int]:
    """A conversation with the start of the reply to it, which a model goes on from.

    Args:
        turns: as for `encode_conversation`.
        start: the start; what it is continued with is tokenized apart from it.

    Raises:
        InputError: as `encode_conversation`.
    """
    started = _ids(tokenizer, _apart(_turn_controls(tokenizer), start)) if start else []
    return [*encode_conversation(tokenizer, turns), *started]


def encode_reply(
    tokenizer: PreTrainedTokenizerBase, turns: Sequence[str], reply: str
) -> EncodedReply:
    """A conversation with the reply to it, to learn the reply and its end.

    Args:
        turns: as for `encode_conversation`.
        reply: may contain marks of thinking.

    Raises:
        InputError: the tokenizer has no usable chat template, or no end-of-sequence token.
    """
    prefix = encode_conversation(tokenizer, turns)
    completion = _ids(tokenizer, _apart(_controls(tokenizer), reply))
    return EncodedReply([*prefix, *completion, _end_of_text(tokenizer)], len(prefix))


def _end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    if tokenizer.eos_token_id is None:
        raise InputError(
            tokenizer.name_or_path or "tokenizer",
            expected="an end-of-sequence token",
            found="none",
            remedy="choose a backbone whose tokenizer has one",
        )
    return int(tokenizer.eos_token_id)


def _turn_controls(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """A pattern that matches where the name of a control token or of a mark of thinking starts."""
    known = {token.content for token in tokenizer.added_tokens_decoder.values()}
    marks = sorted(known & {REPLY_START.split("\n")[0], END_OF_THINKING})
    pattern = _controls(tokenizer).pattern
    return re.compile("|".join([pattern, *(f"(?={re.escape(mark)})" for mark in marks)]))


def without_controls(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """Split a text so that, encoded one by one, none of its pieces gives a control token that the text spells."""
    return _apart(_controls(tokenizer), text)


def _controls(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """A pattern that matches where the name of a control token starts."""
    return _find_controls(tokenizer, str(tokenizer.chat_template or ""), len(tokenizer))


@lru_cache(maxsize=8)
def _find_controls(tokenizer: PreTrainedTokenizerBase, template: str, size: int) -> re.Pattern[str]:
    """A pattern for the names of special tokens, and of added tokens that are used or written as control tokens.

    Some families do not mark all of them as special: those that open a turn (DeepSeek), or a file (Qwen). The marks of
    thinking are excluded, because critiques use them, and so are runs of spaces.
    """
    names = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if len(token.content.strip()) > 1
        and (token.special or token.content in template or _MARK.fullmatch(token.content))
    }
    names -= {REPLY_START.split("\n")[0], END_OF_THINKING}
    if not names:
        return re.compile("(?!)")
    # Hundreds of names are compared only where one may start.
    starts = "".join(sorted({re.escape(name[0]) for name in names}))
    return re.compile(f"(?=[{starts}])(?={'|'.join(map(re.escape, sorted(names)))})")


def _apart(controls: re.Pattern[str], text: str) -> list[str]:
    """Split `text` after the first character of each control token that it spells."""
    cuts = [0, *(found.start() + 1 for found in controls.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _ids(tokenizer: PreTrainedTokenizerBase, pieces: Sequence[str]) -> list[int]:
    return [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]
