"""Tokenizers of model families, with their real vocabularies, which are read as data from packages.

Those of DeepSeek V3, Gemma 3, Llama 3.1 and Qwen 3 are the files of the models; Mistral's are put together from the
vocabulary and the merges, by the rules in its file, and so is that of the reward models trained from Qwen 2.5, whose
vocabulary is Qwen 3's with other control tokens.
"""

import json
import struct
from base64 import b64decode
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from multirm.models.load import load_tokenizer
from tests.pretrained import pretrained

# As in Qwen2.5-Math-PRM, after the control tokens that Qwen 3 has, too.
PRM_TAGS = ["<|quad_start|>", *(f"<extra_{number}>" for number in range(14))]
# Qwen 2.5's without tools.
QWEN_CHAT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# Of Mistral-7B-Instruct-v0.3 without tools.
MISTRAL_CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + '[/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)


@cache
def llama() -> PreTrainedTokenizerBase:
    """Llama 3.1's: 128,000 tokens and 256 special ones, with a beginning-of-sequence token."""
    return load_tokenizer(str(pretrained("llama3_1")))


@cache
def deepseek() -> PreTrainedTokenizerBase:
    """DeepSeek V3's: 128,000 tokens and special ones, with a beginning-of-sequence token that it does not add."""
    return load_tokenizer(str(pretrained("deepseek_v3")))


@cache
def gemma() -> PreTrainedTokenizerBase:
    """Gemma 3's: 262,145 tokens, with a beginning-of-sequence token."""
    return load_tokenizer(str(pretrained("gemma3")))


@cache
def qwen() -> PreTrainedTokenizerFast:
    """That of reward models from Qwen 2.5: 151,643 tokens and special ones, without a beginning-of-sequence token."""
    file = json.loads((pretrained("qwen3") / "tokenizer.json").read_text())
    known = [token["content"] for token in file["added_tokens"]]
    special = [*known[: known.index(PRM_TAGS[0])], *PRM_TAGS]
    file["added_tokens"] = []
    rules = Tokenizer.from_str(json.dumps(file))
    rules.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=rules, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = QWEN_CHAT
    return fast


@cache
def mistral() -> PreTrainedTokenizerFast:
    """That of Mistral-7B-v0.1: 32,000 tokens of SentencePiece, with a beginning-of-sequence token."""
    return _mistral("v1")


def write_mistral(folder: Path) -> None:
    """Write the tokenizer of Mistral-7B-Instruct-v0.3, in which the marks of turns are control tokens."""
    fast = _mistral("v3")
    fast.chat_template = MISTRAL_CHAT
    fast.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text()) | {"tokenizer_class": "LlamaTokenizer", "legacy": False}
    path.write_text(json.dumps(config))


def _mistral(version: str) -> PreTrainedTokenizerFast:
    files = pretrained("mistral") / version
    pieces = b64decode((files / "vocab.bin").read_text()).decode().split("\n")
    merges = [
        (pieces[first], pieces[second])
        for first, second in struct.iter_unpack(
            "<2H", b64decode((files / "merges.bin").read_text())
        )
    ]
    ranks = {piece: number for number, piece in enumerate(pieces)}
    rules = Tokenizer(
        models.BPE(ranks, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    rules.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    rules.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = pieces[: pieces.index("<0x00>")]
    rules.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    rules.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=rules, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
