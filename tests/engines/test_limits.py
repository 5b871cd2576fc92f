"""Where texts end, by tokenizers and settings that say so, contradict, or say nothing."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from multirm.engines.base import Prompt, Sampling
from multirm.engines.limits import (
    cache_bytes,
    configuration,
    end_tokens,
    generation_settings,
    settings_folder,
    token_limit,
)
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.engines.openai import OpenaiEngine
from multirm.engines.transformers import TransformersEngine
from multirm.errors import InputError
from multirm.models.load import load_model, load_tokenizer


@pytest.mark.parametrize("settings", [{}, {"num_key_value_heads": 2}, {"head_dim": 24}], ids=str)
def test_bytes_of_a_token_are_those_of_its_keys_and_values(settings: dict[str, int]) -> None:
    shape = {"hidden_size": 32, "intermediate_size": 8, "num_attention_heads": 4, "vocab_size": 9}
    config = LlamaConfig(**shape, num_hidden_layers=3, **settings)
    cache = LlamaForCausalLM(config)(torch.tensor([[1]]), use_cache=True).past_key_values
    states = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert cache_bytes(config, torch.float32) == states


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_model, tmp_path / "model")


def ends(folder: Path) -> list[int]:
    return end_tokens(generation_settings(folder), load_tokenizer(str(folder)))


def test_both_have_a_say(folder: Path) -> None:
    assert ends(folder) == [1]
    GenerationConfig(eos_token_id=[9, 1, 7]).save_pretrained(folder)
    assert ends(folder) == [1, 9, 7]
    (folder / "generation_config.json").unlink()
    assert ends(folder) == [1]


def test_a_text_that_nothing_ends_is_refused(folder: Path) -> None:
    """By the engine, too: it would go on to the last token of each."""
    tokenizer, model = load_tokenizer(str(folder)), load_model(str(folder))
    tokenizer.eos_token = None
    assert end_tokens(model.generation_config, tokenizer) == [1]
    model.generation_config.eos_token_id = None
    with pytest.raises(InputError, match=r"model: expected a token that ends a text.*found none;"):
        TransformersEngine(model, tokenizer)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"eos_token_id": ', "[" * 100_000, "\ud800"])
def test_damaged_settings_are_refused(folder: Path, content: str) -> None:
    path = folder / "generation_config.json"
    path.write_text(content, "utf-8", "surrogatepass")
    with pytest.raises(InputError, match=r"generation_config\.json: expected settings") as caught:
        load_engine(EngineName.TRANSFORMERS, str(folder))
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match=r"generation_config\.json: expected settings"):
        OpenaiEngine(str(folder), "http://127.0.0.1:1/v1")


@pytest.mark.parametrize("content", ["[]", "{", '{"model_type": "abacus"}', '{"model_type": 3}'])
def test_a_configuration_that_is_none_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"model: expected a model.*config\.json, found") as caught:
        configuration(folder)
    assert "\n" not in str(caught.value)


def test_an_adapters_settings_are_its_bases(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    settings = {"base_model_name_or_path": str(folder), "peft_type": "LORA"}
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    assert settings_folder(str(adapter)) == folder
    assert settings_folder(str(folder)) == folder


@pytest.mark.parametrize("end", ['"<|end|>"', "[1, null, -1]", "1.5", "[[1]]", "{}"])
def test_an_end_that_is_no_token_is_refused(folder: Path, end: str) -> None:
    (folder / "generation_config.json").write_text(f'{{"eos_token_id": {end}}}')
    with pytest.raises(InputError, match=r"eos_token_id|settings of generation") as caught:
        ends(folder)
    assert "\n" not in str(caught.value)


def test_the_smallest_limit_counts() -> None:
    sampling, ids = Sampling(n=1, max_tokens=9), [1, 2]
    assert token_limit(Prompt(("q",), ids), sampling, None) == 9
    assert token_limit(Prompt(("q",), ids, max_tokens=5), sampling, 20) == 5
    assert token_limit(Prompt(("q",), ids, max_tokens=50), sampling, 20) == 9
    assert token_limit(Prompt(("q",), ids, max_tokens=5), sampling, 4) == 2
    assert token_limit(Prompt(("q",), ids, max_tokens=5), sampling, 1) == 0
