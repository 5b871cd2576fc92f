"""Whatever class a folder's configuration names, texts get the ids of tokenizer.json, or it is refused."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from multirm.errors import InputError
from multirm.models.load import load_tokenizer
from multirm.text.encoding import encode_solution

TEXTS = [
    "Let x = 3.\n\nSo 12 + 30 = 42, it's (C).\n",
    "Step 1: The step is \\boxed{correct}\n\n\n\n",
    "naïve 数学 🙂",
    " Yes No + -",
]
# As in DeepSeek's and gpt4o's: digits in threes, and other pieces than GPT-2's.
PIECES = Regex(r"\p{N}{1,3}|[^\r\n\p{L}\p{N}]?\p{L}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+")
SPECIAL = ["<|begin|>", "<|end|>"]


def write_tokenizer(folder: Path, pieces: Regex = PIECES) -> Tokenizer:
    """A byte-level tokenizer.json that adds a token before each text."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(pieces, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words.train_from_iterator(TEXTS * 20, trainer)
    words.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A", special_tokens=[("<|begin|>", 0)]
    )
    folder.mkdir(exist_ok=True)
    words.save(str(folder / "tokenizer.json"))
    return words


def configure(folder: Path, name: str | None, model_type: str | None, **settings: Any) -> None:
    settings |= {"bos_token": SPECIAL[0], "eos_token": SPECIAL[1]}
    settings |= {"tokenizer_class": name} if name else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if model_type:
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}))


@pytest.mark.parametrize("model_type", [None, "llama", "qwen2", "qwen3", "gemma3_text", "gpt2"])
@pytest.mark.parametrize(
    "name",
    [None, "LlamaTokenizerFast", "GPT2Tokenizer", "Qwen2Tokenizer", "PreTrainedTokenizerFast"],
)
def test_texts_get_the_ids_of_the_file(
    tmp_path: Path, name: str | None, model_type: str | None
) -> None:
    file = write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", name, model_type)
    tokenizer = load_tokenizer(str(tmp_path / "model"))

    @given(st.lists(st.sampled_from([*TEXTS, *SPECIAL, " ", "\n", "\t", "é", "7"])).map("".join))
    def check(text: str) -> None:
        assert tokenizer.encode(text) == file.encode(text).ids
        plain = file.encode(text, add_special_tokens=False).ids
        assert tokenizer.encode(text, add_special_tokens=False) == plain
        assert tokenizer.decode(plain) == text

    check()
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1)
    steps = encode_solution(tokenizer, "Why?", ["Let x = 3.", "So."])
    assert tokenizer.decode(steps.ids[1:]) == "Why? \n\nLet x = 3. \n\n\n\nSo. \n\n\n\n"


def test_an_adapters_own_tokenizer_is_checked_as_well(tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path / "adapter")
    configure(tmp_path / "adapter", "LlamaTokenizerFast", None)
    (tmp_path / "adapter" / "adapter_config.json").write_text("{}")
    tokenizer = load_tokenizer(str(tmp_path / "adapter"))
    assert tokenizer.encode(TEXTS[0]) == file.encode(TEXTS[0]).ids


def test_following_the_file_instead_is_reported_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", "LlamaTokenizerFast", "llama")
    with caplog.at_level(logging.WARNING):
        load_tokenizer(str(tmp_path / "model"))
    (line,) = [
        record.getMessage()
        for record in caplog.records
        if record.name == "multirm.models.tokenizer"
    ]
    assert "with LlamaTokenizer" in line
    assert "using tokenizer.json instead" in line
    assert "\n" not in line


def test_a_saved_copy_is_still_right(tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", "LlamaTokenizerFast", "llama")
    load_tokenizer(str(tmp_path / "model")).save_pretrained(tmp_path / "merged")
    shutil.copy(tmp_path / "model" / "config.json", tmp_path / "merged")
    tokenizer = load_tokenizer(str(tmp_path / "merged"))
    assert tokenizer.encode(TEXTS[0]) == file.encode(TEXTS[0]).ids
    saved = Tokenizer.from_file(str(tmp_path / "merged" / "tokenizer.json"))
    assert saved.encode(TEXTS[0]).ids == file.encode(TEXTS[0]).ids


def test_truncation_in_the_file_is_ignored(tmp_path: Path) -> None:
    file = write_tokenizer(tmp_path / "model")
    text = TEXTS[0] * 50
    expected = file.encode(text).ids
    file.enable_truncation(16)
    file.enable_padding(length=64)
    file.save(str(tmp_path / "model" / "tokenizer.json"))
    configure(tmp_path / "model", "PreTrainedTokenizerFast", "llama")
    assert load_tokenizer(str(tmp_path / "model")).encode(text) == expected


def test_probes_give_no_warnings(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", "PreTrainedTokenizerFast", "llama", model_max_length=20)
    tokenizer = load_tokenizer(str(tmp_path / "model"))
    assert "longer than" not in caplog.text
    tokenizer.encode(TEXTS[0] * 20)
    assert "longer than" in caplog.text


def test_a_tokenizer_that_differs_from_the_file_is_refused(tmp_path: Path) -> None:
    write_tokenizer(tmp_path / "model")
    configure(
        tmp_path / "model", "PreTrainedTokenizerFast", "llama", extra_special_tokens=["x = 3"]
    )
    with pytest.raises(
        InputError, match=r"model: expected a tokenizer that .* reads as defined in tokenizer"
    ):
        load_tokenizer(str(tmp_path / "model"))


def test_a_tokenizer_without_the_file_must_keep_spaces(tmp_path: Path) -> None:
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,;()+=-'"]
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]", *letters, *("##" + x for x in letters)]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(
        InputError, match=r"decodes texts to what was encoded, found .*put the model's"
    ):
        load_tokenizer(str(tmp_path))


def test_a_missing_bos_token_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", None, "llama", add_bos_token=True)
    with caplog.at_level(logging.WARNING):
        load_tokenizer(str(tmp_path / "model"))
    assert "asks for" not in caplog.text
    file.post_processor = processors.ByteLevel()
    file.save(str(tmp_path / "model" / "tokenizer.json"))
    with caplog.at_level(logging.WARNING):
        load_tokenizer(str(tmp_path / "model"))
    assert "asks for <|begin|> before a text" in caplog.text


def without(*names: str) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        words = json.loads(content)
        for name in names:
            del words["model"]["vocab"][name]
        return json.dumps(words).encode()

    return change


@pytest.mark.parametrize(
    "broken",
    [
        without("Ġ+"),
        without("é", "Ã"),
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"[]",
        lambda content: b"{}",
        lambda content: b"[" * 100_000,
        lambda content: b"\xff" + content,
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b'"type":"BPE"', b'"type":"Abacus"'),
        lambda content: content.replace(b'"type":"BPE"', b'"type":"WordPiece"'),
        lambda content: content.replace(rb"\\p{N}{1,3}", rb"(\\p{N}{1,3}"),
    ],
)
def test_a_broken_file_is_one_line(tmp_path: Path, broken: Callable[[bytes], bytes]) -> None:
    write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", None, "llama")
    path = tmp_path / "model" / "tokenizer.json"
    content = json.dumps(json.loads(path.read_text()), separators=(",", ":")).encode()
    changed = broken(content)
    assert changed != content
    path.write_bytes(changed)
    with pytest.raises(
        InputError, match=r"model/tokenizer\.json: expected a complete tokenizer"
    ) as caught:
        load_tokenizer(str(tmp_path / "model"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", "[]"),
        ("tokenizer_config.json", "{"),
        ("tokenizer_config.json", '{"tokenizer_class": 3}'),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"x": 1}}'),
        ("tokenizer_config.json", '{"eos_token": {"content": 7}}'),
        ("tokenizer_config.json", '{"chat_template": 7, "eos_token": []}'),
        ("tokenizer_config.json", "[" * 100_000),
        ("config.json", "[]"),
        ("config.json", '{"model_type": []}'),
    ],
)
def test_broken_settings_are_one_line(tmp_path: Path, name: str, content: str) -> None:
    write_tokenizer(tmp_path / "model")
    configure(tmp_path / "model", None, "llama")
    (tmp_path / "model" / name).write_text(content)
    with pytest.raises(InputError, match="model: expected a model folder") as caught:
        load_tokenizer(str(tmp_path / "model"))
    assert "\n" not in str(caught.value)
