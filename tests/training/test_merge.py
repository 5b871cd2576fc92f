"""A merged model is its base and adapter together, and loads by itself."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    set_seed,
)

from multirm.errors import InputError
from multirm.models.load import load_adapter, load_model, load_tokenizer
from multirm.running.files import digest, digests
from multirm.running.provenance import read_from_folder
from multirm.training.lora import save_adapter
from multirm.training.merge import merge_adapter
from multirm.training.sharding import trained_weights
from tests.conftest import byte_level_tokenizer
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
    save_adapter(model, trained_weights(model), tokenizer, tmp_path / "adapter", origin, [])
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


def test_the_provenance_names_adapter_and_backbone(
    tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    merged = tmp_path / "merged"
    merge_adapter(str(tiny_model), adapter, merged)
    told = read_from_folder(merged)
    assert told is not None
    assert told.made == "merged model"
    assert told.parameters["backbone"] == [tiny_model.name]
    assert told.parameters["dtype"] == "float32"
    assert told.inputs == digests([adapter, tiny_model])
    assert told.files["model.safetensors"] == digest(merged / "model.safetensors")
    assert {"config.json", "tokenizer.json"} <= set(told.files)


def in_half(tiny_model: Path, folder: Path) -> Path:
    """The tiny model in bf16, as most hub models."""
    load_model(str(tiny_model), torch.bfloat16).save_pretrained(folder)
    load_tokenizer(str(tiny_model)).save_pretrained(folder)
    return folder


def slightly_trained(base: Path, folder: Path) -> Path:
    """An adapter whose changes are a thousandth of the weights, as after a short training run."""
    config = LoraConfig(
        r=4, target_modules=["q_proj", "up_proj"], task_type="CAUSAL_LM", init_lora_weights=False
    )
    model = get_peft_model(load_model(str(base), torch.float32), config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight *= 3e-4 / weight.abs().mean()
    tokenizer = load_tokenizer(str(base))
    save_adapter(model, trained_weights(model), tokenizer, folder, made_of(), [])
    return folder


def rewards(model: PreTrainedModel) -> Tensor:
    ids = torch.arange(120).reshape(6, 20)
    with torch.no_grad():
        return model(ids).logits[..., :2].float().softmax(dim=-1)


def test_the_merge_is_in_fp32_whatever_the_base_is_in(tiny_model: Path, tmp_path: Path) -> None:
    half = in_half(tiny_model, tmp_path / "half")
    adapter = slightly_trained(half, tmp_path / "adapter")
    expected = rewards(load_model(str(adapter), torch.float32))
    merge_adapter(str(half), adapter, tmp_path / "merged")
    merged = load_model(str(tmp_path / "merged"), "auto")
    assert merged.dtype == torch.float32
    torch.testing.assert_close(rewards(merged), expected, atol=1e-5, rtol=0)
    told = read_from_folder(tmp_path / "merged")
    assert told is not None
    assert told.parameters["relative_error"] < 1e-3


def test_the_loss_by_rounding_to_bf16_is_reported(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = in_half(tiny_model, tmp_path / "half")
    adapter = slightly_trained(half, tmp_path / "adapter")
    before = load_file(half / "model.safetensors")
    with caplog.at_level(logging.INFO):
        merge_adapter(str(half), adapter, tmp_path / "merged", dtype="bfloat16")
    after = load_file(tmp_path / "merged" / "model.safetensors")
    exact = load_model(str(adapter), torch.float32).state_dict()
    names = [name for name in before if name.endswith(("q_proj.weight", "up_proj.weight"))]
    counts = [(int((before[n] == after[n]).sum()), before[n].numel()) for n in names]
    unchanged = sum(same for same, _ in counts) / sum(total for _, total in counts)
    lost = sum(float((after[n].float() - exact[n]).double().square().sum()) for n in names)
    learned = sum(float((exact[n] - before[n].float()).double().square().sum()) for n in names)
    told = read_from_folder(tmp_path / "merged")
    assert told is not None
    assert 0.2 < unchanged < 1
    assert told.parameters["unchanged_share"] == pytest.approx(unchanged, abs=1e-4)
    assert told.parameters["relative_error"] == pytest.approx((lost / learned) ** 0.5, rel=1e-2)
    assert f"{100 * unchanged:.1f} % of the adapted weights are unchanged" in caplog.text
    assert all(weight.dtype == torch.bfloat16 for weight in after.values())


@pytest.mark.parametrize("target", [["lm_head"], ["embed_tokens"], ["embed_tokens", "lm_head"]])
@pytest.mark.parametrize("whole", [False, True], ids=["lora", "whole"])
def test_tied_embeddings_are_untied_if_only_one_is_adapted(
    target: list[str], whole: bool, tmp_path: Path
) -> None:
    tokenizer = byte_level_tokenizer(["a"], 300)
    set_seed(3)
    shape = {"vocab_size": len(tokenizer), "hidden_size": 16, "intermediate_size": 32}
    shape |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(**shape, tie_word_embeddings=True))
    base.save_pretrained(tmp_path / "base")
    settings: dict[str, Any] = {"target_modules": ["q_proj", *target]}
    if whole:
        settings = {"target_modules": ["q_proj"], "modules_to_save": target}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        backbone = load_model(str(tmp_path / "base"))
        model = get_peft_model(backbone, LoraConfig(r=2, init_lora_weights=False, **settings))
        with torch.no_grad():
            for weight in model.parameters():
                if weight.requires_grad:
                    weight += 0.1 * torch.randn(weight.shape)
        model.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    merge_adapter(str(tmp_path / "base"), tmp_path / "adapter", tmp_path / "merged")
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        expected = model.eval()(ids).logits
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")(ids).logits
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(load_model(str(tmp_path / "merged"))(ids).logits, found)


def test_an_adapter_that_cannot_be_merged_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"target_modules": ["q_proj"], "layer_replication": [(0, 2), (1, 2)]}
    model = get_peft_model(load_model(str(tiny_model)), LoraConfig(**settings))
    model.save_pretrained(tmp_path / "adapter")
    with pytest.raises(InputError, match="found layer_replication; score it unmerged"):
        merge_adapter(str(tiny_model), tmp_path / "adapter", tmp_path / "merged")
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        found = load_model(str(tmp_path / "adapter"))(ids).logits
        torch.testing.assert_close(found, model.eval()(ids).logits)


def test_an_adapter_for_another_base_keeps_the_old_model(
    tiny_model: Path, adapter: Path, tmp_path: Path
) -> None:
    other, merged = tmp_path / "other", tmp_path / "merged"
    merge_adapter(str(tiny_model), adapter, merged)
    before = digest(merged)
    LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
        )
    ).save_pretrained(other)
    with pytest.raises(
        InputError,
        match=r"adapter: expected the base that it was trained on.* model\.safetensors in .*other",
    ):
        merge_adapter(str(other), adapter, merged)
    (adapter / "provenance.json").unlink()
    with pytest.raises(InputError, match=r"adapter: expected an adapter for .*other, found size"):
        merge_adapter(str(other), adapter, merged)
    assert digest(merged) == before
