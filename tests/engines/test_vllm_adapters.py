"""An adapter fits the base that it was trained on, and no other."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from multirm.engines.vllm_adapters import require_fit, write_uniform
from multirm.errors import InputError
from multirm.models.load import load_model


def test_it_fits_its_own_base_in_one_file_or_several(
    sure_adapter: Path, sure_model: Path, tmp_path: Path
) -> None:
    require_fit(sure_adapter, sure_model)
    load_model(str(sure_model)).save_pretrained(tmp_path, max_shard_size="100KB")
    files = sorted(tmp_path.glob("*.safetensors"))
    assert len(files) > 1
    require_fit(sure_adapter, tmp_path)
    for file in files[1:]:
        file.unlink()
    with pytest.raises(InputError, match="where there is none"):
        require_fit(sure_adapter, tmp_path)


@pytest.mark.parametrize(
    ("setting", "value", "found"),
    [
        (
            "intermediate_size",
            160,
            r"mlp\.\w+\.weight of (?:64 × 96, where it is 64 × 160|96 × 64, where)",
        ),
        ("num_hidden_layers", 1, r"one for a model\.layers\.1\..*, where there is none"),
    ],
)
def test_it_fits_no_other(
    sure_adapter: Path, sure_model: Path, tmp_path: Path, setting: str, value: int, found: str
) -> None:
    settings = LlamaConfig.from_pretrained(sure_model).to_dict() | {setting: value}
    LlamaForCausalLM(LlamaConfig(**settings)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=rf"expected an adapter for {tmp_path}, found .*{found}"):
        require_fit(sure_adapter, tmp_path)


def test_half_an_adapter_fits_nothing(sure_adapter: Path, sure_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected an adapter with adapter_model\.safetensors"):
        require_fit(tmp_path, sure_model)
    weights = load_file(sure_adapter / "adapter_model.safetensors")
    shutil.copy(sure_adapter / "adapter_config.json", tmp_path)
    half = {name: weight for name, weight in weights.items() if "lora_A" in name}
    save_file(half, tmp_path / "adapter_model.safetensors")
    with pytest.raises(InputError, match="of 0 × "):
        require_fit(tmp_path, sure_model)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"v_proj": 9, "layers.1.mlp.up_proj": 2}},
        {"alpha_pattern": {"q_proj": 21, "^model.layers.0.mlp.down_proj": 1}},
        {"rank_pattern": {"o_proj": 7}, "alpha_pattern": {"o_proj": 3}, "use_rslora": True},
    ],
)
def test_with_one_rank_and_scale_it_is_the_same(
    sure_model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    config = LoraConfig(
        r=4, lora_alpha=6, target_modules="all-linear", init_lora_weights=False, **settings
    )
    get_peft_model(load_model(str(sure_model)), config).save_pretrained(tmp_path / "adapter")
    require_fit(tmp_path / "adapter", sure_model)
    (tmp_path / "uniform").mkdir()
    rank = write_uniform(tmp_path / "adapter", tmp_path / "uniform")
    assert rank == max([4, *settings.get("rank_pattern", {}).values()])
    weights = load_file(tmp_path / "uniform" / "adapter_model.safetensors")
    assert {rank} == {w.shape[0 if "lora_A" in name else 1] for name, w in weights.items()}
    written = json.loads((tmp_path / "uniform" / "adapter_config.json").read_text())
    assert (written["r"], written["lora_alpha"]) == (rank, rank)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        expected = PeftModel.from_pretrained(load_model(str(sure_model)), tmp_path / "adapter")(ids)
        found = PeftModel.from_pretrained(load_model(str(sure_model)), tmp_path / "uniform")(ids)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias 'all'"),
        ({"target_modules": ["lm_head"]}, r"lm_head\.base_layer\.weight"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices"),
    ],
)
def test_what_is_more_than_two_matrices_a_weight_is_not_served(
    sure_model: Path, tmp_path: Path, settings: dict[str, Any], found: str
) -> None:
    config = LoraConfig(**{"target_modules": ["q_proj"], "r": 2, **settings})
    with pytest.warns(UserWarning) if "target_modules" in settings else nullcontext():
        get_peft_model(load_model(str(sure_model)), config).save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match=f"as vLLM serves them, found .*{found}.*; merge the adapter"
    ):
        require_fit(tmp_path, sure_model)


def test_other_ranks_than_the_settings_say(sure_adapter: Path, tmp_path: Path) -> None:
    adapter = shutil.copytree(sure_adapter, tmp_path / "adapter")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "r": 5}))
    (tmp_path / "uniform").mkdir()
    with pytest.raises(InputError, match=r"expected matrices of rank 5 for .*, found rank 4"):
        write_uniform(adapter, tmp_path / "uniform")
