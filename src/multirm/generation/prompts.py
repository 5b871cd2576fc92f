"""Prompts that are conversations."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Key, Prompt
from multirm.text.encoding import encode_conversation


def conversation_prompt(
    tokenizer: PreTrainedTokenizerBase, key: Key, turns: Sequence[str]
) -> Prompt:
    """A prompt of alternating user and assistant turns, which any engine can answer.

    Raises:
        InputError: as `encode_conversation`.
    """
    return Prompt(key, encode_conversation(tokenizer, turns), tuple(turns))
