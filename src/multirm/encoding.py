r"""Text to token ids, the same token for token in training and in scoring.

Discriminative text (Multi-RM, arXiv 2510.00492): the question + " \n\n", then each step + " \n\n\n\n",
every piece tokenized on its own, special tokens only before the first. A step's label sits on the last
token of its piece, and its probability is the softmax there over the two tokens `-` and `+`.

Generative text: the prompt as user turn of the chat template, then the reply, which starts with
`prompts.REPLY_START`; prompt and critique are tokenized apart, so that a critique is learned after exactly
the ids that it is sampled after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from multirm.errors import InputError, shown
from multirm.prompts import REPLY_START

if TYPE_CHECKING:
    # Typing only: the stages that read and write no text do without transformers.
    from transformers import PreTrainedTokenizerBase

QUESTION_END = " \n\n"
STEP_END = " \n\n\n\n"
STEP_TOKENS = ("-", "+")
VERDICT_TOKENS = (" No", " Yes")


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
    tokenizer: PreTrainedTokenizerBase, question: str, steps: Sequence[str]
) -> EncodedSolution:
    """Encode a solution for a discriminative reward model; one step end per step, always."""
    ids = list(tokenizer.encode(question + QUESTION_END))
    ends = []
    for step in steps:
        ids += tokenizer.encode(step + STEP_END, add_special_tokens=False)
        ends.append(len(ids) - 1)
    return EncodedSolution(ids, ends)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: str) -> list[int]:
    """The ids that a critique continues: the prompt as user turn and the start of the reply.

    Chat templates that open the thinking themselves are not made to open it twice.

    Raises:
        InputError: the tokenizer has no chat template.
    """
    if not tokenizer.chat_template:
        raise InputError(
            tokenizer.name_or_path or "tokenizer",
            expected="a chat template",
            found="none",
            remedy="generative reward models need a backbone that was trained to chat",
        )
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
    )
    opening = REPLY_START.split("\n")[0]
    if text.rstrip().endswith(opening):
        text = text.rstrip().removesuffix(opening)
    return list(tokenizer.encode(text + REPLY_START, add_special_tokens=False))


def encode_critique(
    tokenizer: PreTrainedTokenizerBase, prompt: str, critique: str
) -> EncodedCritique:
    """A training example of a generative reward model: the loss is on the critique and its end."""
    prefix = encode_prompt(tokenizer, prompt)
    completion = tokenizer.encode(critique, add_special_tokens=False)
    return EncodedCritique([*prefix, *completion, int(tokenizer.eos_token_id)], len(prefix))
