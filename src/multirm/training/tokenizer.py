"""Train a small byte-level BPE tokenizer on a study's own text, with what reward models need."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

from multirm.text.encoding import QUESTION_END, STEP_END, STEP_TOKENS, VERDICT_TOKENS
from multirm.text.prompts import END_OF_THINKING, REPLY_START, VERDICT_MARKS

STEP_VERDICTS = (" The step is \\boxed{incorrect}", " The step is \\boxed{correct}")
SPECIAL = ("<|begin|>", "<|end|>", "<|pad|>", "<|user|>", "<|assistant|>")
_CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
# Pieces that tokens cannot cross. Common starts of sentences and lines are one piece, and so is a full stop with
# the line ends after it: this saves tokens, which are expensive for such a small model.
_PIECES = Regex(
    r"\n[A-J]\.|\n+Step \d+:| ?The \p{Ll}+ of\b|\. ?\n+|"
    r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)


def train_tokenizer(
    texts: Sequence[str], templates: Sequence[str], vocabulary: int, max_length: int
) -> PreTrainedTokenizerFast:
    """Train a tokenizer of at most `vocabulary` tokens that can encode any text.

    Sentences that all prompts (of `templates`) or critiques share become one token each: they carry no
    information, and such a small model would spend most of its time on them.
    """
    fixed = _fixed_sentences(templates)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_PIECES, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary - len(fixed),
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    needed = [*VERDICT_TOKENS, *STEP_TOKENS, QUESTION_END, STEP_END]
    tokenizer.train_from_iterator([*texts, *needed * len(texts)], trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in fixed])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], tokenizer.token_to_id(SPECIAL[0]))]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=SPECIAL[1],
        pad_token=SPECIAL[2],
        model_max_length=max_length,
    )
    fast.chat_template = _CHAT_TEMPLATE
    return fast


def shared_lines(conversations: Iterable[Mapping[str, Any]]) -> list[str]:
    """For each task, the lines that the last turns of its conversations share: those of its template.

    Args:
        conversations: rows of a conversations table.
    """
    shared: dict[str, list[str]] = {}
    for row in conversations:
        lines = row["turns"][-1].splitlines()
        known = shared.get(row["task"], lines)
        shared[row["task"]] = [line for line in known if line in lines]
    return ["\n".join(lines) for lines in shared.values()]


def _fixed_sentences(templates: Sequence[str]) -> list[str]:
    start, verify = REPLY_START.split("\n")
    lines = [
        line.strip()
        for template in templates
        for line in template.splitlines()
        if line.strip() and not re.search(r"\{(question|solution)\}", line)
    ]
    marks = VERDICT_MARKS.values()
    return list(
        dict.fromkeys([start, END_OF_THINKING, f"\n{verify}", *STEP_VERDICTS, *marks, *lines])
    )
