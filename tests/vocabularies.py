"""Tokenizers with the real vocabularies of Llama 3, Qwen 2.5 and Mistral, from the files of installed packages.

The packages are read as data, never imported. Merges are derived from the ranks of the tokens: a token is the merge of
its two parts with the best ranks.
"""

import base64
from collections.abc import Iterator
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

LLAMA_CHAT = (
    "{{ bos_token }}{% for message in messages %}<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n"
    "{{ message['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
QWEN_CHAT = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

# The rules by which both families split text into words, where they agree: Llama 3 takes up to three digits at once.
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@cache
def llama() -> PreTrainedTokenizerFast:
    """Llama 3's: 128,000 tokens and 256 special ones, with a beginning-of-sequence token."""
    path = _file("llama-models", "llama_models/llama3/tokenizer.model")
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>"]
    special += [f"<|reserved_special_token_{number}|>" for number in (1, 2, 3)]
    special += ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>"]
    special += ["<|eot_id|>"] + [f"<|reserved_special_token_{number}|>" for number in range(5, 251)]
    rules = _byte_level(path, _WORDS.replace("DIGITS", "{1,3}"), special)
    rules.post_processor = processors.Sequence(
        [
            # As in the real file, where it trims offsets.
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", 128000)]
            ),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=rules, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"
    )
    fast.chat_template = LLAMA_CHAT
    return fast


@cache
def qwen() -> PreTrainedTokenizerFast:
    """Qwen 2.5's: 151,643 tokens and special ones, without a beginning-of-sequence token."""
    path = _file("dashscope", "dashscope/resources/qwen.tiktoken")
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>"]
    special += ["<|object_ref_end|>", "<|box_start|>", "<|box_end|>", "<|quad_start|>"]
    special += [f"<extra_{number}>" for number in range(14)]
    rules = _byte_level(path, _WORDS.replace("DIGITS", ""), special)
    rules.normalizer = normalizers.NFC()
    rules.post_processor = processors.ByteLevel(trim_offsets=False)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=rules, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = QWEN_CHAT
    return fast


@cache
def mistral() -> PreTrainedTokenizerFast:
    """Mistral 7B's: 32,000 tokens of SentencePiece, with byte fallback and a beginning-of-sequence token."""
    path = _file("mistral-common", "mistral_common/data/tokenizer.model.v1")
    pieces = list(_sentence_pieces(path.read_bytes()))
    ranks = {piece: number for number, piece in enumerate(pieces)}
    rules = Tokenizer(
        models.BPE(ranks, _merges_of(ranks), unk_token="<unk>", fuse_unk=True, byte_fallback=True)
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
    rules.add_special_tokens(
        [AddedToken(name, normalized=False, special=True) for name in ("<unk>", "<s>", "</s>")]
    )
    rules.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=rules, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def _file(package: str, path: str) -> Path:
    return Path(str(distribution(package).locate_file(path)))


def _byte_level(path: Path, words: str, special: list[str]) -> Tokenizer:
    """Byte-level BPE from a file with a token in base64 and its rank on each line."""
    letters = _letters_of_bytes()
    ranks: dict[str, int] = {}
    for line in path.read_bytes().splitlines():
        token, rank = line.split()
        ranks["".join(letters[byte] for byte in base64.b64decode(token))] = int(rank)
    rules = Tokenizer(models.BPE(ranks, _merges_of(ranks), ignore_merges=True))
    rules.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(words), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    rules.decoder = decoders.ByteLevel()
    rules.add_special_tokens([AddedToken(name, normalized=False) for name in special])
    return rules


def _merges_of(ranks: dict[str, int]) -> list[tuple[str, str]]:
    """The merges behind a vocabulary, in the order of the tokens' ranks."""
    merges = []
    for token in sorted(ranks, key=ranks.__getitem__):
        parts = [
            (token[:cut], token[cut:])
            for cut in range(1, len(token))
            if token[:cut] in ranks and token[cut:] in ranks
        ]
        merges += sorted(parts, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    return merges


def _letters_of_bytes() -> list[str]:
    """The letter that stands for each byte in byte-level vocabularies (as in GPT-2's)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {byte: chr(byte) for byte in printable}
    letters |= {byte: chr(256 + number) for number, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def _sentence_pieces(content: bytes) -> Iterator[str]:
    """The pieces in a SentencePiece model: field 1 of each message in field 1 of a protocol buffer."""
    for field, value in _fields(content):
        if field == 1:
            yield next(text for number, text in _fields(value) if number == 1).decode()


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protocol buffer that have a length, with their numbers."""
    place = 0
    while place < len(content):
        key, place = _variable_length(content, place)
        kind = key & 7
        if kind == 2:
            length, place = _variable_length(content, place)
            yield key >> 3, content[place : place + length]
            place += length
        elif kind == 0:
            _, place = _variable_length(content, place)
        else:
            place += 8 if kind == 1 else 4


def _variable_length(content: bytes, place: int) -> tuple[int, int]:
    """An integer in groups of seven bits, the lowest first, and the place after it."""
    number = shift = 0
    while True:
        byte = content[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place
