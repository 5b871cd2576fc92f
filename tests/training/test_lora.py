"""A new adapter changes nothing, covers every linear layer, and depends only on the seed."""

import json
from pathlib import Path

import torch
from peft import PeftModel

from multirm.models.load import load_model, load_tokenizer
from multirm.running.provenance import read_from_folder
from multirm.training.lora import add_adapter, save_adapter
from multirm.training.sharding import trained_weights
from tests.origins import made_of

ORIGIN = made_of({"rank": 4})
LINEAR = ["down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj"]


def fresh(tiny_model: Path, seed: int = 42) -> PeftModel:
    return add_adapter(load_model(str(tiny_model)), rank=4, alpha=8, dropout=0.1, seed=seed)


def first_weights(model: PeftModel) -> list[torch.Tensor]:
    return [p for name, p in model.named_parameters() if "lora_A" in name]


def save(model: PeftModel, tiny_model: Path, folder: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_model))
    save_adapter(model, trained_weights(model), tokenizer, folder / "adapter", ORIGIN, [])


def test_a_new_adapter_changes_nothing(tiny_model: Path) -> None:
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        base = load_model(str(tiny_model)).cpu()(ids).logits
        torch.testing.assert_close(fresh(tiny_model).cpu().eval()(ids).logits, base)


def test_all_linear_layers_and_no_others_are_trained(tiny_model: Path) -> None:
    trained = {n for n, p in fresh(tiny_model).named_parameters() if p.requires_grad}
    assert len(trained) == 2 * 2 * len(LINEAR)
    assert all("lora_" in name for name in trained)


def test_initial_weights_depend_only_on_the_seed(tiny_model: Path) -> None:
    torch.manual_seed(1)
    one = first_weights(fresh(tiny_model))
    torch.manual_seed(2)
    state = torch.get_rng_state()
    again = first_weights(fresh(tiny_model))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], first_weights(fresh(tiny_model, seed=43))[0])


def test_a_saved_adapter_loads_with_peft(tiny_model: Path, tmp_path: Path) -> None:
    model = fresh(tiny_model)
    save(model, tiny_model, tmp_path)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["target_modules"] == LINEAR
    assert config["base_model_name_or_path"] == str(tiny_model)
    told = read_from_folder(tmp_path / "adapter")
    assert told is not None
    assert (told.made, told.parameters) == ("adapter", ORIGIN.parameters)
    loaded = PeftModel.from_pretrained(load_model(str(tiny_model)), tmp_path / "adapter")
    for a, b in zip(first_weights(model), first_weights(loaded), strict=True):
        assert torch.equal(a, b)


def test_an_adapter_has_the_permissions_of_new_files(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    save(fresh(tiny_model), tiny_model, tmp_path)
    modes = {file.stat().st_mode for file in (tmp_path / "adapter").iterdir()}
    assert modes == {(tmp_path / "new").stat().st_mode}
