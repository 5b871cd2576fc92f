"""Model folders for vLLM: those of a model and its base, and new ones from which vLLM loads classifiers of tokens.

vLLM makes a classifier of any of its decoders and a linear layer `score` over the last hidden states. Its own ways to
take that layer from the output layer look tokens up in a vocabulary, and read further settings from the configuration.
Here, it gets the layer's weights; the large files are linked.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, cat, nn
from transformers import PreTrainedModel

from multirm.engines.vllm_adapters import require_fit
from multirm.errors import InputError
from multirm.models.adapters import is_adapter, require_own_base
from multirm.models.folders import fetch_model, require_safetensors
from multirm.models.load import base_of, output_layer

SCORE = "score"

# They would run code, or make another head.
_LEFT_OUT = ("auto_map", "classifier_from_token", "method", "num_labels", "problem_type")


@dataclass(frozen=True)
class ModelFolders:
    """Where a model's files are.

    Attributes:
        name: the folder or hub name that was asked for.
        whole: folder of a whole model.
        adapter: folder of an adapter on it; None if the whole model was asked for.
    """

    name: str
    whole: Path
    adapter: Path | None

    @classmethod
    def of(cls, model: str) -> "ModelFolders":
        """Find and check the files of a model folder or hub name.

        Raises:
            InputError: there is no model, it is not in safetensors, or vLLM does not support the adapter.
        """
        folder, adapter = fetch_model(model), None
        if is_adapter(folder):
            adapter, base = folder, base_of(folder)
            folder = fetch_model(base)
            require_safetensors(adapter)
            require_own_base(adapter, base, folder)
            require_fit(adapter, folder)
        require_safetensors(folder)
        return cls(model, folder, adapter)


def write_classifier(
    folder: Path, to: Path, architecture: str, n_outputs: int, head: Mapping[str, Tensor]
) -> None:
    """Write a folder that vLLM loads as a classifier of tokens.

    Args:
        folder: the decoder's folder, with weights in safetensors.
        to: an existing, empty folder.
        architecture: the name of the class that vLLM loads, or makes a classifier from.
        n_outputs: number of the classifier's outputs.
        head: weights of the layer `score`, unless they are among the decoder's.
    """
    config: dict[str, Any] = json.loads((folder / "config.json").read_bytes())
    for key in _LEFT_OUT:
        config.pop(key, None)
    labels = {str(number): str(number) for number in range(n_outputs)}
    config |= {"architectures": [architecture], "id2label": labels, "head_dtype": "float32"}
    config["label2id"] = {label: number for number, label in enumerate(labels.values())}
    (to / "config.json").write_text(json.dumps(config), "utf-8")
    for file in weight_files(folder):
        (to / file.name).symlink_to(file.resolve())
    if head:
        save_file(dict(head), to / "classifier-head.safetensors", {"format": "pt"})


def weight_files(folder: Path) -> list[Path]:
    """The files of a model's weights: those in its index or, without one, all safetensors."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return sorted(folder.glob("*.safetensors"))
    names = sorted({*json.loads(index.read_bytes())["weight_map"].values()})
    # An index may name files of any folder.
    return [folder / Path(name).name for name in names]


def output_rows(folder: Path, causal: PreTrainedModel, tokens: Sequence[int]) -> dict[str, Tensor]:
    """The rows of a causal language model's output layer for some tokens, as weights of the layer `score`.

    Args:
        folder: the model's folder.
        causal: the model; its weights are not used, so that it may be on the device `meta`.

    Returns:
        `score.weight`, [tokens, hidden size], and `score.bias`, [tokens], if the layer has one.

    Raises:
        InputError: the model transforms its logits, or the weights have other names than in transformers.
    """
    layer: Any = output_layer(causal)
    rows = {f"{SCORE}.weight": _rows(folder, _names_of(causal, layer.weight), tokens)}
    if layer.bias is not None:
        rows[f"{SCORE}.bias"] = _rows(folder, _names_of(causal, layer.bias), tokens)
    return rows


def output_names(causal: PreTrainedModel) -> set[str]:
    """The names of the weights of a causal language model's output layer, which may be its embeddings as well."""
    layer: Any = output_layer(causal)
    return {*_names_of(causal, layer.weight)}


def _names_of(causal: PreTrainedModel, weight: nn.Parameter) -> Iterator[str]:
    for name, other in causal.named_parameters(remove_duplicate=False):
        if other is weight:
            yield name


def _rows(folder: Path, names: Iterator[str], tokens: Sequence[int]) -> Tensor:
    wanted = {*names}
    for file in weight_files(folder):
        with safe_open(file, "pt") as weights:
            for name in wanted & {*weights.keys()}:
                found = weights.get_slice(name)
                return cat([found[token : token + 1] for token in tokens]).contiguous()
    raise InputError(
        folder,
        expected=f"its output layer, {' or '.join(sorted(wanted))}, among its weights",
        found="none",
        remedy="use the engine transformers",
    )
