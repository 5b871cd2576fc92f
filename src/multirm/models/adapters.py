"""Adapters in peft's layout: find and check an adapter's base, apply an adapter without changing its base, merge."""

import copy
import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model_state_dict
from peft.tuners.lora import LoraLayer
from peft.tuners.lora.layer import Linear
from peft.utils.other import ModulesToSaveWrapper
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from multirm.errors import InputError, shown
from multirm.running.files import digest
from multirm.running.provenance import FILE, Provenance, read_from_folder

logger = logging.getLogger(__name__)

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

_PREFIX = "base_model.model."
# What peft puts between the names of a module that it wraps and of its weight.
_WRAPPED = re.compile(r"\.(base_layer|original_module|modules_to_save)(?=\.)")
# Initializations that leave the base's weights alone; the others subtract something from them.
_APART = (True, False, None, "gaussian", "orthogonal", "eva")
# Settings of original LoRA, and of where it is applied. With others, the adapted layer may be more than a sum of
# base and adapter.
_PLAIN = {
    *(
        "auto_mapping",
        "base_model_name_or_path",
        "peft_type",
        "peft_version",
        "revision",
        "task_type",
    ),
    *("alpha_pattern", "lora_alpha", "lora_dropout", "r", "rank_pattern", "use_rslora"),
    *("exclude_modules", "layers_pattern", "layers_to_transform", "target_modules"),
    *("bias", "fan_in_fan_out", "inference_mode", "init_lora_weights", "modules_to_save"),
}
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


def is_adapter(folder: Path) -> bool:
    """Whether a model folder holds an adapter rather than a full model."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_settings(adapter: Path) -> dict[str, Any]:
    """Read the settings of an adapter: LoRA, for a causal language model.

    Raises:
        InputError: it is another kind of adapter, or the settings are invalid.
    """
    path = adapter / ADAPTER_CONFIG
    try:
        settings = json.loads(path.read_bytes())
        name = settings["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(
            path, expected="JSON with base_model_name_or_path", found=shown(str(error))
        ) from error
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError(path, expected="base_model_name_or_path, a text", found=shown(name))
    kind, task = settings.get("peft_type"), settings.get("task_type")
    remedy = "merge it into its base with the library that made it, and use the merged model"
    if kind != "LORA":
        raise InputError(path, expected="a LoRA adapter", found=shown(kind), remedy=remedy)
    if task not in (None, "CAUSAL_LM"):
        raise InputError(
            path,
            expected="an adapter for a causal language model",
            found=f"one of task type {shown(task)}",
            remedy="merge it into its base with the library that made it, and name the format of the merged model",
        )
    if settings.get("alora_invocation_tokens"):
        found = "alora_invocation_tokens, which make it depend on the text"
        raise InputError(path, expected="an adapter that is always on", found=found)
    return settings


def beyond_lora(settings: Mapping[str, Any]) -> list[str]:
    """The settings that make an adapter more than a low-rank product added to some weights."""
    usual = LoraConfig().to_dict()
    used = settings.keys() - _PLAIN
    return sorted(name for name in used if settings[name] and settings[name] != usual.get(name))


def named_base(adapter: Path) -> str:
    """The base that an adapter names: the path of a folder, or a hub name, with a revision if it has one.

    A path is relative to the adapter's folder; for an adapter made elsewhere, it may be relative to the working
    directory. A base that was a folder in training is never looked up on the hub.

    Raises:
        InputError: it names no base, a folder that does not exist, or an adapter.
    """
    settings = read_settings(adapter)
    name = settings["base_model_name_or_path"]
    revision = settings.get("revision")
    folder = _folder_of_base(adapter, name, may_be_here=not revision)
    if folder is not None:
        require_whole_model(adapter, str(folder), folder)
        return str(folder)
    if _HUB_NAME.fullmatch(name) and _was_hub_name(adapter):
        return f"{name}@{revision}" if isinstance(revision, str) and revision else name
    raise InputError(
        adapter,
        expected=f"the base that it names, the model folder {name}",
        found="no such folder, relative to the adapter's",
        remedy=f"put the base there, or correct base_model_name_or_path in {ADAPTER_CONFIG}",
    )


def require_whole_model(where: object, base: str, folder: Path) -> None:
    """Refuse a base that is itself an adapter.

    Args:
        where: what needs the base, for the error.

    Raises:
        InputError: it is an adapter.
    """
    if is_adapter(folder):
        raise InputError(
            where,
            expected="a base that is a full model",
            found=f"{base}, which is an adapter",
            remedy="merge that one first, and use the merged model",
        )


def _folder_of_base(adapter: Path, name: str, may_be_here: bool) -> Path | None:
    # First without resolving links: results may be one, and the path was written without resolving them.
    places = [Path(os.path.normpath(adapter / name)), adapter / name]
    places += [Path(name)] * (may_be_here and not name.startswith("."))
    return next((place for place in places if place.is_dir()), None)


def _was_hub_name(adapter: Path) -> bool:
    """Whether the base of an adapter may be a hub name, according to its provenance."""
    provenance = _provenance(adapter)
    return provenance is None or not (provenance.base or _recorded_folder(provenance))


def _provenance(adapter: Path) -> Provenance | None:
    try:
        return read_from_folder(adapter)
    except InputError:
        # Another tool's file of the same name; a damaged one of ours is reported on loading.
        return None


def _recorded_folder(provenance: Provenance) -> str | None:
    """The digest of a base's folder, recorded by versions that did not record its files."""
    names = provenance.parameters.get("backbone")
    return provenance.inputs.get(names[0]) if isinstance(names, list) and names else None


def base_as_written(base: str, adapter: Path) -> dict[str, str | None]:
    """The adapter settings that name the base of an adapter in the folder `adapter`.

    Args:
        base: a folder (absolute or relative to the working directory), or a hub name with a revision, as in
            `name_or_path` of what `load_model` returns.
    """
    if not Path(base).is_dir():
        name, _, revision = base.partition("@")
        return {"base_model_name_or_path": name, "revision": revision or None}
    if not Path(base).is_absolute():
        way = os.path.relpath(base, adapter)
        base = way if way.startswith("..") else f"./{way}"
    return {"base_model_name_or_path": base, "revision": None}


def base_files(folder: Path) -> dict[str, str]:
    """SHA-256 digests of the files of a base that an adapter depends on: configuration and weights.

    Empty for a hub name, which has a revision instead.
    """
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    return {file.name: digest(file) for file in files if file.is_file()}


def require_own_base(adapter: Path, base: str, folder: Path) -> None:
    """Refuse a base other than the one that an adapter was trained on; warn if that is unknown.

    Args:
        adapter: folder of the adapter.
        base: the name of the base, for messages.
        folder: folder of the base.

    Raises:
        InputError: the base differs from the one recorded in the adapter's provenance.
    """
    provenance = _provenance(adapter)
    if provenance is None or not (provenance.base or _recorded_folder(provenance)):
        if "@" not in base:
            logger.warning(
                "%s: made elsewhere, so it cannot be checked whether it was trained on %s",
                *(adapter, base),
            )
        return
    if provenance.base:
        found = base_files(folder)
        names = sorted(provenance.base.keys() | found.keys())
        differing = [name for name in names if provenance.base.get(name) != found.get(name)]
    else:
        differing = [] if digest(folder) == _recorded_folder(provenance) else ["content"]
    if differing:
        raise InputError(
            adapter,
            expected=f"the base that it was trained on, with the digests in its {FILE}",
            found=f"another {', '.join(differing[:3])} in {base}",
            remedy="put that base back, or train the adapter again on this one",
        )


def with_adapter(base: PreTrainedModel, adapter: Path, trains: bool = False) -> PeftModel:
    """Apply an adapter to a base, in evaluation mode. The base is unchanged, and shares its weights with the result.

    Args:
        base: can be shared by any number of adapters, and used by itself.
        adapter: folder with settings and with complete weights in safetensors.
        trains: whether its weights will be trained. They then require a gradient.

    Raises:
        InputError: base and adapter do not fit together.
    """
    settings = read_settings(adapter)
    try:
        with safe_open(adapter / ADAPTER_WEIGHTS, "pt") as weights:
            shapes = {name: weights.get_slice(name).get_shape() for name in weights.keys()}  # noqa: SIM118
        replaced = {base_name(name) for name in shapes}
        begins_apart = settings.get("init_lora_weights", True) in _APART
        model = _lent(base, replaced if begins_apart else None)
        _resize(model, {base_name(name): shape for name, shape in shapes.items()})
        with warnings.catch_warnings():
            # peft only warns about weights that the adapter lacks; they are refused below.
            warnings.simplefilter("ignore", UserWarning)
            adapted = PeftModel.from_pretrained(model, str(adapter), is_trainable=trains)
            needed = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
            known = set(get_peft_model_state_dict(adapted, save_embedding_layers=True))
    except InputError:
        raise
    # peft and torch raise all kinds of errors for untrusted settings and shapes.
    except (Exception, SafetensorError) as error:
        raise _unfit(base, adapter, _last_line(error)) from error
    if differing := (needed - shapes.keys()) | (shapes.keys() - known):
        name = min(differing)
        held = "the adapter" if name in shapes else "the base with these settings"
        raise _unfit(base, adapter, f"{name} only in {held}")
    if not trains and model.dtype != torch.float32 and not beyond_lora(settings):
        _round_once(adapted)
    return adapted.eval()


def _round_once(adapted: PeftModel) -> None:
    """Make the adapted layers of a bf16 model add the adapter's output before rounding instead of after.

    peft rounds the base's output and then adds the adapter's. An addend below half a unit in the last place is rounded
    away, always in the same direction, and most of what an adapter has learned is that small.
    """
    for layer in adapted.modules():
        if type(layer) is Linear and type(layer.base_layer) is nn.Linear:
            layer.forward = partial(_forward, layer)


def _forward(layer: Linear, states: Tensor) -> Tensor:
    name = layer.active_adapters[0]
    a, b = layer.lora_A[name].weight, layer.lora_B[name].weight
    base = layer.base_layer
    learned = functional.linear(functional.linear(states.to(a.dtype), a), b) * layer.scaling[name]
    rows = states.reshape(-1, states.shape[-1])
    # A fused multiply-add, accumulated in fp32.
    summed = torch.addmm(learned.reshape(len(rows), -1).to(rows.dtype), rows, base.weight.T)
    summed = summed.view(*states.shape[:-1], -1)
    return summed if base.bias is None else summed + base.bias


def base_name(name: str) -> str:
    """The base's name for the weight that an adapter's weight replaces."""
    return _WRAPPED.sub("", name.removeprefix(_PREFIX))


def _lent(base: PreTrainedModel, replaced: Collection[str] | None) -> PreTrainedModel:
    """A copy of `base` that shares its weights, except for those in `replaced`.

    Args:
        replaced: names of weights to copy, because they will be changed; None for all.
    """
    shared = [
        tensor
        for name, tensor in (*base.named_parameters(), *base.named_buffers())
        if replaced is not None and name not in replaced
    ]
    return copy.deepcopy(base, {id(tensor): tensor for tensor in shared})


def _resize(model: PreTrainedModel, shapes: Mapping[str, list[int]]) -> None:
    """Resize a model's vocabulary for an adapter that has embeddings of another size."""
    held = {
        name: weight.shape[0]
        for name, weight in model.named_parameters(remove_duplicate=False)
        for layer in (model.get_input_embeddings(), model.get_output_embeddings())
        if layer is not None and weight is layer.weight
    }
    brought = {name: shapes[name][0] for name in held if name in shapes}
    sizes = {size for name, size in brought.items() if size != held[name]}
    if not sizes:
        return
    tied = len({id(model.get_parameter(name)) for name in held}) == 1
    if len(sizes) > 1 or not (tied or brought.keys() == held.keys()):
        lacking = sorted(held.keys() - brought.keys())
        raise ValueError(f"a vocabulary of {max(sizes)}, but no {', '.join(lacking)} of that size")
    model.resize_token_embeddings(sizes.pop(), mean_resizing=False)


def merged(
    adapted: PeftModel, watch: Callable[[Tensor, Tensor], None] | None = None
) -> PreTrainedModel:
    """Merge an adapter into its base, in place, and return the plain model.

    Args:
        watch: called with each adapted weight before and after.

    Raises:
        InputError: the adapter cannot be merged; some weights may already have changed.
    """
    causal = adapted.get_base_model()
    _untie(causal)
    try:
        if adapted.peft_config["default"].layer_replication:
            raise ValueError("layers that share their weights")
        for layer in [module for module in adapted.modules() if isinstance(module, LoraLayer)]:
            # In a mixture of experts, the adapted parameter has another name.
            name = getattr(layer, "parameter_name", "weight")
            before = getattr(layer.get_base_layer(), name).detach().clone() if watch else None
            with torch.no_grad():
                layer.merge()
            if watch and before is not None:
                watch(before, getattr(layer.get_base_layer(), name).detach())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            # Merged layers are only unwrapped; of modules trained in full, the trained copy is kept.
            return adapted.merge_and_unload().eval()
    except (ValueError, RuntimeError, AttributeError) as error:
        settings = adapted.peft_config["default"].to_dict()
        raise InputError(
            causal.name_or_path,
            expected="an adapter that can be merged",
            found=", ".join(beyond_lora(settings)) or _last_line(error),
            remedy="score it unmerged",
        ) from error


def _untie(causal: PreTrainedModel) -> None:
    """Untie input and output embeddings if an adapter changes either of them."""
    layers = [causal.get_input_embeddings(), causal.get_output_embeddings()]
    if not any(isinstance(layer, LoraLayer | ModulesToSaveWrapper) for layer in layers):
        return
    plain: list[Any] = [_unwrapped(layer) for layer in layers]
    if plain[0].weight is plain[1].weight:
        plain[1].weight = nn.Parameter(plain[1].weight.detach().clone(), requires_grad=False)
    causal.config.tie_word_embeddings = False


def _unwrapped(layer: nn.Module) -> nn.Module:
    if isinstance(layer, LoraLayer):
        return layer.get_base_layer()
    return layer.original_module if isinstance(layer, ModulesToSaveWrapper) else layer


def _unfit(base: PreTrainedModel, adapter: Path, found: str) -> InputError:
    return InputError(
        adapter,
        expected=f"an adapter for {base.name_or_path}",
        found=found,
        remedy="give the base that it was trained on",
    )


def _last_line(error: BaseException) -> str:
    return next(reversed(str(error).strip().splitlines()), type(error).__name__)
