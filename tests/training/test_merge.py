"""A merged model is its base and adapter together, and loads by itself."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from multirm.errors import InputError
from multirm.files import digest, digests
from multirm.models import load_adapter, load_model, load_tokenizer
from multirm.provenance import read_from_folder
from multirm.training.lora import save_adapter
from multirm.training.merge import merge_adapter
from multirm.training.sharding import trained_weights
from tests.origins import made_of


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """An adapter that changes much: its weights are random, none zero."""
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["q_proj", "v_proj", "down_proj"],
        task_type="CAUSAL_LM",
        init_lora_weights=False,
    )
    model = get_peft_model(load_model(str(tiny_model)), config)
    origin = made_of({"rank": 4})
    tokenizer = load_tokenizer(str(tiny_model))
    save_adapter(model, trained_weights(model), tokenizer, tmp_path / "adapter", origin)
    return tmp_path / "adapter"


def test_merged_logits_equal_the_adapters(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged"
    merge_adapter(str(tiny_model), adapter, merged)
    assert [path.name for path in merged.glob("*.safetensors")] == ["model.safetensors"]
    assert not (merged / "adapter_config.json").exists()

    ids = torch.arange(40).reshape(2, 20)
    with torch.no_grad():
        alone = AutoModelForCausalLM.from_pretrained(merged)(ids).logits
        base = load_model(str(tiny_model), torch.float32).cpu()
        before = base(ids).logits
        both = load_adapter(base, adapter)(ids).logits
    torch.testing.assert_close(alone, both, atol=1e-5, rtol=0)
    assert (both - before).abs().max() > 0.1
    text = "The answer is (C). + -"
    assert load_tokenizer(str(merged)).encode(text) == load_tokenizer(str(tiny_model)).encode(text)


def test_it_says_of_what_adapter_and_backbone_it_is(
    tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    merged = tmp_path / "merged"
    merge_adapter(str(tiny_model), adapter, merged)
    told = read_from_folder(merged)
    assert told is not None
    assert (told.made, told.parameters) == ("merged model", {"backbone": [tiny_model.name]})
    assert told.inputs == digests([adapter, tiny_model])
    assert told.files["model.safetensors"] == digest(merged / "model.safetensors")
    assert {"config.json", "tokenizer.json"} <= set(told.files)


def test_the_base_keeps_its_precision(tiny_model: Path, adapter: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    load_model(str(tiny_model), torch.bfloat16).save_pretrained(half)
    merge_adapter(str(half), adapter, tmp_path / "merged")
    assert load_model(str(tmp_path / "merged"), "auto").dtype == torch.bfloat16


def test_an_adapter_for_another_base_leaves_what_stood(adapter: Path, tmp_path: Path) -> None:
    other, merged = tmp_path / "other", tmp_path / "merged"
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
        )
    ).save_pretrained(other)
    merged.mkdir()
    (merged / "model.safetensors").write_bytes(b"an earlier one")
    with pytest.raises(InputError, match=r"adapter: expected an adapter for .*other, found size"):
        merge_adapter(str(other), adapter, merged)
    assert (merged / "model.safetensors").read_bytes() == b"an earlier one"
    assert [path.name for path in merged.iterdir()] == ["model.safetensors"]
