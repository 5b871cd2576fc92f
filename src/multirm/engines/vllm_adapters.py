"""Checks and conversion of adapters for vLLM, which checks neither shapes nor names and supports only one rank and
one scale: with any others, it generates nonsense.
"""

import json
from math import sqrt
from pathlib import Path
from typing import Any

from peft.utils.other import get_pattern_key
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn.functional import pad

from multirm.errors import InputError, shown
from multirm.models.adapters import ADAPTER_CONFIG, ADAPTER_WEIGHTS, beyond_lora, read_settings

_PREFIX = "base_model.model."
_A, _B = ".lora_A.weight", ".lora_B.weight"


def require_fit(adapter: Path, base: Path) -> None:
    """Refuse an adapter that does not fit its base, or that vLLM does not support.

    Args:
        adapter: folder with the settings and weights of a peft adapter.
        base: folder with weights in safetensors.

    Raises:
        InputError: the base lacks an adapted weight or has it in another shape, or the adapter has something that
            vLLM does not support.
    """
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise InputError(adapter, expected=f"an adapter with {ADAPTER_WEIGHTS}", found="none")
    settings = read_settings(adapter)
    more = beyond_lora(settings) + ["modules_to_save"] * bool(settings.get("modules_to_save"))
    more += [f"bias {shown(settings['bias'])}"] * (settings.get("bias", "none") != "none")
    shapes = {name: shape for file in base.glob("*.safetensors") for name, shape in _shapes(file)}
    adapted = dict(_shapes(adapter / ADAPTER_WEIGHTS))
    more += sorted(name for name in adapted if not name.endswith((_A, _B)))[:1]
    if more:
        raise InputError(
            adapter,
            expected="an adapter of two matrices for each weight, as vLLM serves them",
            found=", ".join(more),
            remedy="merge the adapter, and give the merged model, or use the engine transformers",
        )
    for name in (name for name in adapted if name.endswith(_A)):
        rank, width = adapted[name]
        weight = name.removeprefix(_PREFIX).removesuffix(_A) + ".weight"
        expected = shapes.get(weight)
        height, _ = adapted.get(name.removesuffix(_A) + _B, [0, rank])
        if expected != [height, width]:
            raise InputError(
                adapter,
                expected=f"an adapter for {base}",
                found=f"one for a {weight} of {height} × {width}, where "
                + (f"it is {' × '.join(map(str, expected))}" if expected else "there is none"),
                remedy="give the base that it was trained on",
            )


def write_uniform(adapter: Path, folder: Path) -> int:
    """Write an equivalent adapter in which all matrices have the same rank and the scale 1.

    Args:
        adapter: folder of an adapter that `require_fit` accepts.
        folder: an existing, empty folder.

    Returns:
        the rank.

    Raises:
        InputError: the ranks of matrices differ from the settings.
    """
    settings = read_settings(adapter)
    weights = load_file(adapter / ADAPTER_WEIGHTS)
    layers = [name.removesuffix(_A) for name in weights if name.endswith(_A)]
    scales = {layer: _scale(adapter, settings, layer, len(weights[layer + _A])) for layer in layers}
    rank = max(len(weights[layer + _A]) for layer in layers)
    for layer in layers:
        lacking = rank - len(weights[layer + _A])
        weights[layer + _A] = pad(weights[layer + _A], (0, 0, 0, lacking))
        # In fp32: a scale may be any number.
        scaled = weights[layer + _B].float() * scales[layer]
        weights[layer + _B] = pad(scaled, (0, lacking)).contiguous()
    save_file(weights, folder / ADAPTER_WEIGHTS)
    uniform: dict[str, Any] = {"r": rank, "lora_alpha": rank, "use_rslora": False}
    uniform |= {"rank_pattern": {}, "alpha_pattern": {}}
    (folder / ADAPTER_CONFIG).write_text(json.dumps({**settings, **uniform}), "utf-8")
    return rank


def adapted_weights(adapter: Path) -> set[str]:
    """The names of the base's weights that an adapter adds to."""
    names = (name for name, _ in _shapes(adapter / ADAPTER_WEIGHTS) if name.endswith(_A))
    return {name.removeprefix(_PREFIX).removesuffix(_A) + ".weight" for name in names}


def _scale(adapter: Path, settings: dict[str, Any], layer: str, rank: int) -> float:
    """The factor of the product of a layer's matrices, as in peft."""
    name = layer.removeprefix(_PREFIX)

    def setting(key: str, pattern: str) -> float:
        found = settings.get(pattern) or {}
        return float(found.get(get_pattern_key(found.keys(), name), settings.get(key, 8)))

    told = setting("r", "rank_pattern")
    if told != rank:
        raise InputError(
            adapter,
            expected=f"matrices of rank {told:g} for {name}, as {ADAPTER_CONFIG} says",
            found=f"rank {rank}",
            remedy="fetch it again, or make it again",
        )
    alpha = setting("lora_alpha", "alpha_pattern")
    return alpha / (sqrt(rank) if settings.get("use_rslora") else rank)


def _shapes(file: Path) -> list[tuple[str, list[int]]]:
    with safe_open(file, "pt") as weights:
        names = list(weights.keys())
        return [(name, weights.get_slice(name).get_shape()) for name in names]
