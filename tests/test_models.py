"""Loading refuses what is not whole; logits at some places are the logits that transformers computes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    set_seed,
)

from multirm import models
from multirm.errors import InputError
from multirm.models import load_adapter, load_in_turn, load_model, load_tokenizer, output_logits

SHAPE = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}
FAMILIES = {
    "llama": (LlamaForCausalLM, LlamaConfig),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config),
}


def random_model(family: str, **settings: object) -> PreTrainedModel:
    model, config = FAMILIES[family]
    set_seed(1)
    return model(config(**SHAPE, **settings)).eval()


def adapted(model: PreTrainedModel, target: str | list[str] = "all-linear") -> PreTrainedModel:
    config = LoraConfig(r=2, target_modules=target, task_type="CAUSAL_LM", init_lora_weights=False)
    return get_peft_model(model, config).eval()


def check_against_transformers(model: PreTrainedModel) -> None:
    ids = torch.randint(0, 50, (3, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = model(input_ids=ids, output_hidden_states=True)
        hidden, full = output.hidden_states[-1][:, 4], output.logits[:, 4]
        torch.testing.assert_close(output_logits(model, hidden, (7, 3)), full[:, [7, 3]])
        torch.testing.assert_close(output_logits(model, hidden), full)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("wrap", [lambda model: model, adapted], ids=["plain", "adapted"])
def test_logits_equal_those_of_transformers(
    family: str, tied: bool, wrap: Callable[[PreTrainedModel], PreTrainedModel]
) -> None:
    check_against_transformers(wrap(random_model(family, tie_word_embeddings=tied)))


def test_the_output_layer_may_have_a_bias_or_an_adapter() -> None:
    model = random_model("llama")
    model.lm_head = torch.nn.Linear(16, 50, bias=True)
    check_against_transformers(model)
    check_against_transformers(adapted(model, ["lm_head", "q_proj"]))


def test_logits_that_are_not_the_output_layers_are_refused() -> None:
    model = random_model("llama")
    model.config.final_logit_softcapping = 30.0
    with pytest.raises(InputError, match="final_logit_softcapping in its configuration"):
        output_logits(model, torch.zeros(1, 16), (1, 2))


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to break."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_a_whole_model_loads(tiny_model: Path) -> None:
    model = load_model(str(tiny_model))
    assert not model.training
    assert model.dtype == torch.float32 or torch.cuda.is_available()


def test_no_weights_or_pickled_ones(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"expected weights as \*.safetensors, found none"):
        load_model(str(folder))


def test_no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"model: expected a causal language model"):
        load_model(str(folder))


def test_an_unknown_architecture(folder: Path) -> None:
    PretrainedConfig.from_dict({"model_type": "abacus"}).save_pretrained(folder)
    text = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**text, "model_type": "abacus"}))
    with pytest.raises(InputError, match="abacus"):
        load_model(str(folder))


def test_weights_cut_short(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"model\.safetensors: expected whole weights.*delete it"):
        load_model(str(folder))


def test_missing_weights_are_not_made_up(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"found none for model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(str(folder))


def test_no_folder(tmp_path: Path) -> None:
    for load in (load_model, load_tokenizer):
        with pytest.raises(InputError, match="nowhere: expected a model folder or hub name"):
            load(str(tmp_path / "nowhere"))


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with a tokenizer"):
        load_tokenizer(str(tmp_path))


@pytest.fixture
def adapter(tiny_model: Path, tmp_path: Path) -> Path:
    base = load_model(str(tiny_model))
    adapted(base, ["q_proj", "down_proj"]).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def test_an_adapter_brings_its_base(tiny_model: Path, adapter: Path) -> None:
    ids = torch.tensor([[1, 2, 3]])
    with torch.no_grad():
        from_folder = load_model(str(adapter))(ids).logits
        from_base = load_model(str(tiny_model))(ids).logits
        by_hand = load_adapter(load_model(str(tiny_model)), adapter)(ids).logits
    torch.testing.assert_close(from_folder, by_hand)
    assert not torch.allclose(from_folder, from_base, atol=1e-3)


def test_adapters_in_turn_share_their_base(tiny_model: Path, tmp_path: Path) -> None:
    for k, target in enumerate(["q_proj", "up_proj", "v_proj"]):
        torch.manual_seed(k)
        adapted(load_model(str(tiny_model)), [target]).save_pretrained(tmp_path / str(k))
    merged = load_model(str(tmp_path / "1")).merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    places = [str(tmp_path / name) for name in ("0", "1", "merged", "2")]
    ids = torch.tensor([[1, 2, 3]])
    bases = []
    with torch.no_grad():
        for place, model in zip(places, load_in_turn(places), strict=True):
            torch.testing.assert_close(model(ids).logits, load_model(place)(ids).logits)
            bases.append(model.get_base_model() if place != places[2] else model)
    assert bases[0] is bases[1]
    assert bases[3] is not bases[0]


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was downloaded of the hub, out of its reach: a base, and an adapter of it without a tokenizer."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def snapshot(name: str) -> Path:
        repository = tmp_path / "hub" / f"models--{name.replace('/', '--')}"
        (repository / "refs").mkdir(parents=True)
        (repository / "refs" / "main").write_text("1" * 40)
        return repository / "snapshots" / ("1" * 40)

    shutil.copytree(tiny_model, snapshot("owner/base"))
    adapter = snapshot("owner/dORM")
    adapted(load_model(str(tiny_model)), ["q_proj"]).save_pretrained(adapter)
    settings = json.loads((adapter / "adapter_config.json").read_text())
    settings["base_model_name_or_path"] = "owner/base"
    (adapter / "adapter_config.json").write_text(json.dumps(settings))
    return adapter


def test_published_adapters_bring_their_base_and_its_tokenizer(hub: Path) -> None:
    ids = torch.tensor([load_tokenizer("owner/dORM").encode("The answer")])
    with torch.no_grad():
        found = load_model("owner/dORM")(ids).logits
        expected = load_adapter(load_model("owner/base"), hub)(ids).logits
    torch.testing.assert_close(found, expected)


def test_a_hub_name_that_was_not_fetched_says_how_to(hub: Path) -> None:
    with pytest.raises(
        InputError, match=r"^owner/gORM: expected a model folder or hub name.*`hf download`"
    ) as caught:
        load_model("owner/gORM")
    assert str(caught.value).endswith("or unset HF_HUB_OFFLINE")
    assert "\n" not in str(caught.value)


def test_a_gated_model_asks_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        response = SimpleNamespace(status_code=401, headers={}, request=None)
        raise GatedRepoError("401 Client Error.\n\nNo access.", response=response)  # type: ignore[arg-type]

    monkeypatch.setattr(models, "snapshot_download", refuse)
    with pytest.raises(
        InputError, match=r"^owner/gated: .*gated; .* set HF_TOKEN to a token"
    ) as caught:
        load_model("owner/gated")
    assert "\n" not in str(caught.value)


def test_a_model_that_the_hub_does_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        response = SimpleNamespace(status_code=401, headers={}, request=None)
        raise RepositoryNotFoundError("401 Client Error.\n\nNone such.", response=response)  # type: ignore[arg-type]

    monkeypatch.setattr(models, "snapshot_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(InputError, match="spelling and the connection, and HF_TOKEN"):
        load_model("owner/hidden")


@pytest.mark.parametrize(
    "other", [{"hidden_size": 24}, {"num_hidden_layers": 1}, {"num_hidden_layers": 3}]
)
def test_an_adapter_for_another_base(adapter: Path, other: dict[str, int]) -> None:
    tiny = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "head_dim": 8}
    base = LlamaForCausalLM(LlamaConfig(**{**SHAPE, "num_key_value_heads": 2, **tiny, **other}))
    with pytest.raises(InputError, match="expected an adapter for"):
        load_adapter(base, adapter)


def test_an_adapter_without_weights_or_base(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(InputError, match=r"adapter with adapter_model\.safetensors"):
        load_model(str(adapter))
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="base_model_name_or_path"):
        load_model(str(adapter))
