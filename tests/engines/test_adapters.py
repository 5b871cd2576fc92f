"""An adapter fits the base that it was trained on, and no other."""

from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from multirm.engines.adapters import require_fit
from multirm.errors import InputError


def test_it_fits_its_own_base(sure_adapter: Path, sure_model: Path) -> None:
    require_fit(sure_adapter, sure_model)


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
    half = {name: weight for name, weight in weights.items() if "lora_A" in name}
    save_file(half, tmp_path / "adapter_model.safetensors")
    with pytest.raises(InputError, match="of 0 × "):
        require_fit(tmp_path, sure_model)
