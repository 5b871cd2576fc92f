"""A folder for vLLM has the decoder's weights as links, and a head of its own."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForTokenClassification,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    set_seed,
)

from multirm.engines.vllm_folders import (
    ModelFolders,
    output_names,
    output_rows,
    weight_files,
    write_classifier,
)
from multirm.errors import InputError
from multirm.models.load import read_weights

TOKENS = (7, 3)


def made(folder: Path, is_tied: bool = False, shards: str = "1GB") -> PreTrainedModel:
    """A small random language model in a folder."""
    set_seed(0)
    config = LlamaConfig(
        vocab_size=20,
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        tie_word_embeddings=is_tied,
        initializer_range=0.5,
    )
    model = LlamaForCausalLM(config).eval()
    model.save_pretrained(folder, max_shard_size=shards)
    return model


@pytest.mark.parametrize("is_tied", [False, True])
@pytest.mark.parametrize("shards", ["1GB", "1KB"])
def test_a_classifier_of_two_tokens_gives_their_logits(
    tmp_path: Path, is_tied: bool, shards: str
) -> None:
    """transformers reads the folder as vLLM does."""
    model, to = made(tmp_path / "model", is_tied, shards), tmp_path / "served"
    to.mkdir()
    on_meta = read_weights(tmp_path / "model", "auto", torch.device("meta"))
    rows = output_rows(tmp_path / "model", on_meta, TOKENS)
    assert rows.keys() == {"score.weight"}
    write_classifier(tmp_path / "model", to, "LlamaForCausalLM", 2, rows)
    assert len([*to.glob("*.safetensors")]) == len([*(tmp_path / "model").glob("*.safe*ors")]) + 1
    found = AutoModelForTokenClassification.from_config(
        AutoModelForTokenClassification.from_pretrained(tmp_path / "model").config
    )
    weights = {
        name: value for file in to.glob("*.safetensors") for name, value in load_file(file).items()
    }
    weights.pop("lm_head.weight", None)
    found.load_state_dict({"score.bias": torch.zeros(2), **weights})
    ids = torch.arange(20)[None]
    with torch.no_grad():
        expected = model(ids).logits[..., list(TOKENS)]
        assert torch.allclose(found.eval()(ids).logits, expected, atol=1e-6)
    assert "lm_head.weight" in output_names(on_meta)
    assert ("model.embed_tokens.weight" in output_names(on_meta)) == is_tied


def test_what_the_configuration_says_of_heads_and_code_is_left_out(tmp_path: Path) -> None:
    made(tmp_path / "model")
    place = tmp_path / "model" / "config.json"
    strange = {
        "auto_map": {"AutoModel": "modeling.Own"},
        "architectures": ["Own"],
        "classifier_from_token": ["a", "b"],
        "method": "from_2_way_softmax",
        "num_labels": 9,
        "head_dtype": "model",
    }
    place.write_text(json.dumps(json.loads(place.read_text()) | strange))
    (tmp_path / "model" / "modeling.py").write_text("raise SystemExit")
    (tmp_path / "served").mkdir()
    write_classifier(tmp_path / "model", tmp_path / "served", "LlamaForCausalLM", 1, {})
    files = {path.name for path in (tmp_path / "served").iterdir()}
    assert files == {"config.json", "model.safetensors"}
    assert (tmp_path / "served" / "model.safetensors").is_symlink()
    said = json.loads((tmp_path / "served" / "config.json").read_text())
    assert not said.keys() & {"auto_map", "classifier_from_token", "method", "num_labels"}
    assert said["architectures"] == ["LlamaForCausalLM"]
    assert (said["id2label"], said["head_dtype"]) == ({"0": "0"}, "float32")
    assert said["hidden_size"] == 8


def test_only_the_files_of_the_index_are_weights(tmp_path: Path) -> None:
    made(tmp_path, shards="1KB")
    named = weight_files(tmp_path)
    save_file({"other": torch.zeros(1)}, tmp_path / "consolidated.safetensors")
    assert weight_files(tmp_path) == named
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": f"../../{named[0].name}"}}))
    assert weight_files(tmp_path) == [named[0]]


def test_an_output_layer_that_is_not_among_the_weights_is_refused(tmp_path: Path) -> None:
    model = made(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["lm_head.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"its output layer, lm_head\.weight, .*transformers"):
        output_rows(tmp_path, model, TOKENS)


def test_weights_must_be_in_safetensors(tmp_path: Path) -> None:
    made(tmp_path)
    assert ModelFolders.of(str(tmp_path)) == ModelFolders(str(tmp_path), tmp_path, None)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"found pytorch_model\.bin"):
        ModelFolders.of(str(tmp_path))
