"""A model is fetched only if it may be a hub name, and read only if it is a causal language model."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from multirm.errors import InputError
from multirm.models import folders
from multirm.models.folders import fetch_model, read_config
from multirm.models.load import load_model


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model, to break."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def test_a_gated_model_asks_for_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        response = SimpleNamespace(status_code=401, headers={}, request=None)
        raise GatedRepoError("401 Client Error.\n\nNo access.", response=response)  # type: ignore[arg-type]

    monkeypatch.setattr(folders, "snapshot_download", refuse)
    with pytest.raises(
        InputError, match=r"^owner/gated: .*gated one; .* set HF_TOKEN to a token"
    ) as caught:
        load_model("owner/gated")
    assert "\n" not in str(caught.value)


def test_a_private_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        response = SimpleNamespace(status_code=401, headers={}, request=None)
        raise RepositoryNotFoundError("401 Client Error.\n\nNone such.", response=response)  # type: ignore[arg-type]

    monkeypatch.setattr(folders, "snapshot_download", refuse)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(
        InputError, match="spelling, the connection and, if it is not public, HF_TOKEN"
    ):
        load_model("owner/hidden")


@pytest.mark.parametrize(
    ("model", "found"),
    [
        ("/nowhere/model", "no such folder"),
        ("./model", "no such folder"),
        ("../model", "no such folder"),
        ("~/model", "no such folder"),
        ("a/b/c", "no such folder"),
        ("model/", "no such folder"),
        ("", "no such folder"),
        ("here/model", "no model in the folder here"),
        ("file", "a file"),
    ],
)
def test_a_path_is_not_looked_up_on_the_hub(
    model: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(folders, "snapshot_download", asked.append)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=f"^{model}: expected a model folder or hub name, found {found}"
    ):
        fetch_model(model)
    assert asked == []


def test_a_revision_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None]] = []

    def download(name: str, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision))
        return "folder"

    monkeypatch.setattr(folders, "snapshot_download", download)
    assert fetch_model("owner/base@abc") == fetch_model("owner/base") == Path("folder")
    assert asked == [("owner/base", "abc"), ("owner/base", None)]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"hidden_size": -1}, "found .*hidden size"),
        ({"num_attention_heads": 0}, "config.json: expected the configuration"),
        ({"max_position_embeddings": None}, "found .*max_position_embeddings.*expected int"),
        ({"hidden_size": "wide"}, "config.json: expected"),
        ({"hidden_act": "no_such"}, "expected a causal language model, found"),
        ({"model_type": "bert"}, "config.json: expected"),
        ({"model_type": ["llama"]}, "config.json: expected the configuration"),
        ({"architectures": ["LlamaForTokenClassification"]}, "architecture LlamaForCausalLM"),
        ({"vocab_size": 0}, "expected a causal language model, found"),
        ({"pad_token_id": 10**6}, "expected a causal language model, found"),
        ({"rope_parameters": {"rope_type": "no_such"}}, "expected"),
        # Rejected by the file alone: building the model would take minutes and all memory.
        (
            {"num_hidden_layers": 10**9},
            "num_hidden_layers 1000000000, and 21 weights with dimensions",
        ),
        ({"hidden_size": 10**9}, "hidden_size 1000000000, and"),
        ({"head_dim": 10**12}, "head_dim 1000000000000, and"),
        ({"vocab_size": 10**9}, "vocab_size 1000000000, and"),
        ({"num_key_value_heads": 10**9}, "num_key_value_heads 1000000000, and"),
        ({"text_config": {"num_hidden_layers": 1e99}}, "num_hidden_layers 1e.99, and"),
    ],
)
def test_impossible_configurations_are_refused(
    folder: Path, settings: dict[str, Any], found: str
) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    with pytest.raises(InputError, match=found) as caught:
        load_model(str(folder))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "\x00"]
)
def test_broken_configurations_are_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match="expected") as caught:
        read_config(folder)
    assert "\n" not in str(caught.value)


def test_a_model_on_the_hub_without_a_network_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"^owner/model: .* no earlier download; run"):
        fetch_model("owner/model")
