r"""Text to token ids, the same token for token in training and in scoring.

Discriminative text (Multi-RM, arXiv 2510.00492): the question + " \n\n", then each step + " \n\n\n\n",
every piece tokenized on its own, special tokens only before the first. A step's label sits on the last
token of its piece, and its probability is the softmax there over the two tokens `-` and `+`.

Generative text: the prompt as user turn of the chat template, then the reply, which starts with
`prompts.REPLY_START`; prompt and critique are tokenized apart, so that a critique is learned after exactly
the ids that it is sampled after.

Questions, steps and critiques are other people's text. Where they spell a token that shapes a conversation
(`<|im_end|>`, `</s>`), they get the tokens of its letters, never the token itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from multirm.errors import InputError, shown
from multirm.text.chat import chat_frame
from multirm.text.prompts import END_OF_THINKING, REPLY_START

if TYPE_CHECKING:
    # Typing only: the stages that read and write no text do without transformers.
    from transformers import PreTrainedTokenizerBase

QUESTION_END = " \n\n"
STEP_END = " \n\n\n\n"
STEP_TOKENS = ("-", "+")
VERDICT_TOKENS = (" No", " Yes")


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


def single_token(tokenizer: PreTrainedTokenizerBase, text: str) -> int:
    """The id of the one token that `text` is.

    Raises:
        InputError: the tokenizer makes more or fewer than one token of it.
    """
    ids = tokenizer.encode(text, add_special_tokens=False)
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
    """The ids of ` No` and ` Yes`, in that order: column 1 of their softmax is the reward."""
    return single_token(tokenizer, VERDICT_TOKENS[0]), single_token(tokenizer, VERDICT_TOKENS[1])


def encode_solution(
    tokenizer: PreTrainedTokenizerBase,
    question: str,
    steps: Sequence[str],
    layout: SolutionLayout = MULTI_RM_LAYOUT,
) -> EncodedSolution:
    """Encode a solution for a discriminative reward model; one step end per step, always."""
    controls = _controls(tokenizer)
    opening, *pieces = _apart(controls, question + layout.question_end)
    ids = [*tokenizer.encode(opening), *_ids(tokenizer, pieces)]
    ends = []
    for step in steps:
        ids += _ids(tokenizer, _apart(controls, step + layout.step_end))
        ends.append(len(ids) - 1)
    return EncodedSolution(ids, ends)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """The ids that a critique continues: the prompt as user turn and the start of the reply.

    Raises:
        InputError: what `chat.chat_frame` refuses.
    """
    frame = chat_frame(tokenizer)
    # One text where nothing is to be taken apart: a token may span what the template says and the prompt.
    first, *rest = _apart(_controls(tokenizer), frame.trim(prompt))
    pieces = [frame.before + first, *rest]
    pieces[-1] += frame.after + REPLY_START
    return _ids(tokenizer, pieces)


def encode_critique(
    tokenizer: PreTrainedTokenizerBase, prompt: str, critique: str
) -> EncodedCritique:
    """A training example of a generative reward model: the loss is on the critique and its end.

    Raises:
        InputError: the tokenizer has no chat template, or nothing to end a text with.
    """
    prefix = encode_prompt(tokenizer, prompt)
    if tokenizer.eos_token_id is None:
        raise InputError(
            tokenizer.name_or_path or "tokenizer",
            expected="an end-of-sequence token",
            found="none",
            remedy="choose a backbone whose texts can end",
        )
    completion = _ids(tokenizer, _apart(_controls(tokenizer), critique))
    return EncodedCritique([*prefix, *completion, int(tokenizer.eos_token_id)], len(prefix))


def _controls(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    """Where a name begins that stands for a token which other people's text may spell but not be."""
    return _find_controls(tokenizer, str(tokenizer.chat_template or ""), len(tokenizer))


@lru_cache(maxsize=8)
def _find_controls(tokenizer: PreTrainedTokenizerBase, template: str, size: int) -> re.Pattern[str]:
    """The names of special tokens, and of those that the chat template has.

    Some families (DeepSeek-R1) do not call the tokens special that open the turns of a conversation.
    The marks of thinking are for critiques to use, and runs of spaces for everybody.
    """
    names = {
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if len(token.content.strip()) > 1 and (token.special or token.content in template)
    }
    names -= {REPLY_START.split("\n")[0], END_OF_THINKING}
    return re.compile(f"(?={'|'.join(map(re.escape, sorted(names)))})" if names else "(?!)")


def _apart(controls: re.Pattern[str], text: str) -> list[str]:
    """`text`, cut behind the first letter of all that spells a control token; whole where nothing does."""
    cuts = [0, *(found.start() + 1 for found in controls.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(cuts)]


def _ids(tokenizer: PreTrainedTokenizerBase, pieces: Sequence[str]) -> list[int]:
    return [i for piece in pieces for i in tokenizer.encode(piece, add_special_tokens=False)]
