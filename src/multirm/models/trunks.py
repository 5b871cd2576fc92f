"""Load a decoder whose head is not that of a language model, and the weights of its head by their names.

The decoder is built by transformers from its configuration alone. Code in the model's repository, which may define
the head, is never run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging

from multirm.errors import InputError, shown
from multirm.models.adapters import is_adapter
from multirm.models.cpu import prepare_cpu
from multirm.models.folders import (
    fetch_model,
    first_line,
    read_trunk_config,
    require_safetensors,
)
from multirm.models.load import default_device

_UNUSED = {"lm_head.weight"}


@dataclass(frozen=True)
class LinearWeights:
    """The weights of a linear layer: `weight`, float32 [outputs, inputs], and `bias`, float32 [outputs], if any."""

    weight: Tensor
    bias: Tensor | None


def load_trunk(
    model: str, layers: Sequence[str], dtype: torch.dtype, device: torch.device | None = None
) -> tuple[PreTrainedModel, dict[str, LinearWeights]]:
    """Load a decoder in evaluation mode, and the weights of linear layers in its files.

    Args:
        model: folder of a whole model, or hub name.
        layers: names of the layers, without `.weight` or `.bias`.
        dtype: of the decoder.
        device: None for the first GPU, or the CPU if there is none. On the device `meta`, weights are not read.

    Returns:
        the decoder, and the layers by their names.

    Raises:
        InputError: it is an adapter, weights are pickled, missing or superfluous, or the architecture is unknown.
    """
    folder, device = fetch_model(model), device or default_device()
    if is_adapter(folder):
        raise InputError(
            model,
            expected="a whole model",
            found="an adapter",
            remedy="merge it into its base with the library that made it",
        )
    require_safetensors(folder)
    trunk, report = _read(folder, dtype, device)
    head, names = _head(folder, layers, device)
    if missing := sorted(report["missing_keys"]):
        raise InputError(
            folder, expected="all weights of the decoder", found=f"none for {missing[0]}"
        )
    if beyond := sorted({*report["unexpected_keys"]} - names - _UNUSED):
        raise InputError(
            folder,
            expected=f"a head of {' and '.join(layers)} alone",
            found=beyond[0],
            remedy="choose the format that the model was trained with",
        )
    trunk.name_or_path = model
    prepare_cpu(trunk)
    return (trunk if device.type == "meta" else trunk.to(device)).eval(), head


def _read(folder: Path, dtype: torch.dtype, device: torch.device) -> tuple[PreTrainedModel, Any]:
    """The decoder in a folder, and transformers' report of missing and unexpected weights."""
    config, verbosity = read_trunk_config(folder), logging.get_verbosity()
    # It would warn of the head's weights, which are read here.
    logging.set_verbosity_error()
    try:
        loaded = AutoModel.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"device_map": "meta"} if device.type == "meta" else {}),
        )
    # Untrusted settings and weights can raise anything.
    except Exception as error:
        raise InputError(folder, expected="a decoder", found=first_line(error)) from error
    finally:
        logging.set_verbosity(verbosity)
    return loaded


def _head(
    folder: Path, layers: Sequence[str], device: torch.device
) -> tuple[dict[str, LinearWeights], set[str]]:
    """The layers of a head, which may be in several files, and the names of their weights there."""
    wanted = {f"{layer}.{part}" for layer in layers for part in ("weight", "bias")}
    found: dict[str, Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as weights:
            for name in wanted & {*weights.keys()}:
                found[name] = weights.get_tensor(name).float().to(device)
    head = {}
    for layer in layers:
        weight, bias = found.get(f"{layer}.weight"), found.get(f"{layer}.bias")
        is_linear = weight is not None and weight.ndim == 2
        if weight is None or not is_linear or (bias is not None and bias.shape != weight.shape[:1]):
            shape = None if weight is None else tuple(weight.shape)
            raise InputError(
                folder,
                expected=f"the linear layer {layer} among its weights",
                found="none" if shape is None else f"one of shape {shown(shape)}",
                remedy="choose the format that the model was trained with",
            )
        head[layer] = LinearWeights(weight, bias)
    return head, {*found}
