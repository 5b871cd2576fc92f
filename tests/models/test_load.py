"""Loading refuses incomplete models; logits at some positions equal those of transformers."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
    LlamaModel,
    PretrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
    set_seed,
)

from multirm.errors import InputError
from multirm.models.dtype import Dtype
from multirm.models.load import (
    dtype_name,
    dtype_of,
    load_adapter,
    load_in_turn,
    load_model,
    load_tokenizer,
    output_logits,
)
from multirm.running.provenance import MERGED, write_to_folder
from tests.origins import made_of

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


def test_transformed_logits_are_refused() -> None:
    model = random_model("llama")
    model.config.final_logit_softcapping = 30.0
    with pytest.raises(InputError, match="final_logit_softcapping in its configuration"):
        output_logits(model, torch.zeros(1, 16), (1, 2))


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to break."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_a_complete_model_loads(tiny_model: Path) -> None:
    model = load_model(str(tiny_model))
    assert not model.training
    assert model.dtype == torch.float32 or torch.cuda.is_available()


def test_no_weights_or_pickled_ones(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(
        InputError,
        match=r"expected weights as \*.safetensors, found pytorch_model.bin; .*save_file",
    ):
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
    with pytest.raises(
        InputError, match=r"model\.safetensors: expected complete weights.*delete it"
    ):
        load_model(str(folder))


def test_missing_weights_are_refused(folder: Path) -> None:
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
    # In fp32, a single adapter is merged when it is loaded.
    load_model(str(tmp_path / "1")).save_pretrained(tmp_path / "merged")
    places = [str(tmp_path / name) for name in ("0", "1", "merged", "2")]
    ids = torch.tensor([[1, 2, 3]])
    bases = []
    with torch.no_grad():
        for place, model in zip(places, load_in_turn(places), strict=True):
            torch.testing.assert_close(model(ids).logits, load_model(place)(ids).logits)
            plain = model.get_base_model() if isinstance(model, PeftModel) else model
            bases.append(plain.get_parameter("model.layers.0.mlp.gate_proj.weight").data_ptr())
    assert bases[0] == bases[1]
    assert bases[2] != bases[0]


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Downloads, with the hub out of reach: a base, and an adapter of it without a tokenizer."""
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


def test_adapters_on_the_hub_bring_their_base_and_its_tokenizer(hub: Path) -> None:
    ids = torch.tensor([load_tokenizer("owner/dORM").encode("The answer")])
    with torch.no_grad():
        found = load_model("owner/dORM")(ids).logits
        expected = load_adapter(load_model("owner/base"), hub)(ids).logits
    torch.testing.assert_close(found, expected)


def test_a_hub_name_that_was_not_fetched_says_how(hub: Path) -> None:
    with pytest.raises(
        InputError, match=r"^owner/gORM: expected a model folder or hub name.*`hf download`"
    ) as caught:
        load_model("owner/gORM")
    assert str(caught.value).endswith("or unset HF_HUB_OFFLINE")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "other", [{"hidden_size": 24}, {"num_hidden_layers": 1}, {"num_hidden_layers": 3}]
)
def test_an_adapter_for_another_base(adapter: Path, other: dict[str, int], tmp_path: Path) -> None:
    tiny = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "head_dim": 8}
    base = LlamaForCausalLM(LlamaConfig(**{**SHAPE, "num_key_value_heads": 2, **tiny, **other}))
    base.save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"adapter: expected an adapter for .*/other, found"):
        load_adapter(load_model(str(tmp_path / "other")), adapter)


def test_an_adapter_without_weights_or_base(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(InputError, match=r"adapter with adapter_model\.safetensors"):
        load_model(str(adapter))
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match="base_model_name_or_path"):
        load_model(str(adapter))


HEADS = {
    "tokens": LlamaForTokenClassification,
    "sequences": LlamaForSequenceClassification,
    "bare": LlamaModel,
}


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("head", HEADS)
def test_a_model_with_another_head_is_refused(head: str, tied: bool, tmp_path: Path) -> None:
    config = LlamaConfig(**SHAPE, tie_word_embeddings=tied, num_labels=2)
    model = HEADS[head](config)
    model.save_pretrained(tmp_path)
    with pytest.raises(
        InputError,
        match=rf"config\.json: expected the architecture LlamaForCausalLM, found '{type(model).__name__}';"
        " to score with a reward model's own head, name its format: --format",
    ):
        load_model(str(tmp_path))


def test_a_trained_head_under_a_false_name_is_refused(tiny_model: Path, folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    for name in ("score.weight", "v_head.summary.weight", "model.layers.0.mlp.gate_proj.bias"):
        more = {**weights, name: torch.zeros(2, 32)}
        save_file(more, folder / "model.safetensors", metadata={"format": "pt"})
        with pytest.raises(
            InputError, match=rf"only the weights of LlamaForCausalLM, found {name};"
        ):
            load_model(str(folder))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_tied_output_layer_may_be_absent_or_present(family: str, tmp_path: Path) -> None:
    model = random_model(family, tie_word_embeddings=True)
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    assert "lm_head.weight" not in weights
    ids = torch.tensor([[1, 2, 3]])
    expected = model(ids).logits
    torch.testing.assert_close(load_model(str(tmp_path)).cpu()(ids).logits, expected)
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    torch.testing.assert_close(load_model(str(tmp_path)).cpu()(ids).logits, expected)


def test_in_bf16_an_adapter_stays_unmerged(tiny_model: Path, adapter: Path) -> None:
    ids = torch.tensor([[1, 2, 3]])
    model = load_model(str(adapter), torch.bfloat16)
    assert isinstance(model, PeftModel)
    assert model.get_base_model().dtype == torch.bfloat16
    assert all(w.dtype == torch.float32 for name, w in model.named_parameters() if "lora" in name)
    with torch.no_grad():
        exact = load_model(str(adapter), torch.float32)(ids).logits
        torch.testing.assert_close(model(ids).logits.float(), exact, atol=0.05, rtol=0.05)


def test_a_merged_model_in_bf16_is_warned_of(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_to_folder(folder, MERGED, made_of())
    load_model(str(folder), torch.float32)
    assert not caplog.records
    load_model(str(folder), torch.bfloat16)
    assert "loses most of what its adapter has learned" in caplog.text


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (Dtype.AUTO, {"cpu": torch.float32, "cuda": torch.bfloat16}),
        (Dtype.FLOAT32, {"cpu": torch.float32, "cuda": torch.float32}),
        (Dtype.BFLOAT16, {"cpu": torch.bfloat16, "cuda": torch.bfloat16}),
    ],
)
def test_the_default_precision_depends_on_the_device(
    dtype: Dtype, expected: dict[str, torch.dtype]
) -> None:
    for device, found in expected.items():
        assert dtype_of(dtype, torch.device(device)) is found
    assert dtype_name(expected["cpu"]) in ("float32", "bfloat16")
