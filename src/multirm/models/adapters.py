"""Adapters in peft's layout: which base one is for, and the two as one model that leaves the base as it was."""

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
# What peft puts between a module's name and its weight's, where it wraps the module.
_WRAPPED = re.compile(r"\.(base_layer|original_module|modules_to_save)(?=\.)")
# Ways to begin an adapter that leave the base's weights alone; others begin with a part of them taken out.
_APART = (True, False, None, "gaussian", "orthogonal", "eva")
# Settings of LoRA as it was first published, and of what it is put on; where others are used, weights and
# adapter may be more than a sum.
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
    """Whether a model folder holds an adapter, and not a whole model."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_settings(adapter: Path) -> dict[str, Any]:
    """The settings of an adapter that can be read here: LoRA, for a causal language model.

    Raises:
        InputError: an adapter of another kind, or no settings of one.
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
    remedy = "merge it into its base by the library that made it, and give the merged model"
    if kind != "LORA":
        raise InputError(path, expected="a LoRA adapter", found=shown(kind), remedy=remedy)
    if task not in (None, "CAUSAL_LM"):
        raise InputError(
            path,
            expected="an adapter for a causal language model",
            found=f"one of task type {shown(task)}",
            remedy="reward models with heads of their own are not read yet",
        )
    if settings.get("alora_invocation_tokens"):
        found = "alora_invocation_tokens, with which it depends on the text"
        raise InputError(path, expected="an adapter that is always on", found=found)
    return settings


def beyond_lora(settings: Mapping[str, Any]) -> list[str]:
    """The settings by which an adapter is another thing than two matrices beside some weights."""
    usual = LoraConfig().to_dict()
    used = settings.keys() - _PLAIN
    return sorted(name for name in used if settings[name] and settings[name] != usual.get(name))


def named_base(adapter: Path) -> str:
    """The base that the adapter in a folder names: the path of a folder, or a hub name, with a revision if it has one.

    A path is one from the adapter's folder. Of an adapter made elsewhere it may be one from the working
    directory. What was a folder when the adapter was trained is never a hub name.

    Raises:
        InputError: it names none, or a folder that is not there, or an adapter, such as itself.
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
        found="no such folder from the adapter's on",
        remedy=f"put the base there, or mend base_model_name_or_path in {ADAPTER_CONFIG}",
    )


def require_whole_model(where: object, base: str, folder: Path) -> None:
    """Refuse a base that is an adapter itself.

    Args:
        where: what asks for it, for the message.

    Raises:
        InputError: it is one.
    """
    if is_adapter(folder):
        raise InputError(
            where,
            expected="a base that is a whole model",
            found=f"{base}, which is an adapter",
            remedy="merge that one first, and name the merged model",
        )


def _folder_of_base(adapter: Path, name: str, may_be_here: bool) -> Path | None:
    # Without regard to links first: results may be one, and the way was written down without regard to them.
    places = [Path(os.path.normpath(adapter / name)), adapter / name]
    places += [Path(name)] * (may_be_here and not name.startswith("."))
    return next((place for place in places if place.is_dir()), None)


def _was_hub_name(adapter: Path) -> bool:
    """Whether the base of an adapter may be a hub name, as far as its provenance tells."""
    told = _told(adapter)
    return told is None or not (told.base or _recorded_folder(told))


def _told(adapter: Path) -> Provenance | None:
    try:
        return read_from_folder(adapter)
    except InputError:
        # Somebody else's file of that name; whether it is a damaged one of ours is looked at on loading.
        return None


def _recorded_folder(told: Provenance) -> str | None:
    """The digest of the folder that a base was, where nothing is recorded of its files."""
    names = told.parameters.get("backbone")
    return told.inputs.get(names[0]) if isinstance(names, list) and names else None


def base_as_written(base: str, adapter: Path) -> dict[str, str | None]:
    """How the settings of an adapter in the folder `adapter` name its base.

    Args:
        base: a folder, from the working directory or the root, or a hub name with a revision, as
            `load_model` names what it has loaded.
    """
    if not Path(base).is_dir():
        name, _, revision = base.partition("@")
        return {"base_model_name_or_path": name, "revision": revision or None}
    if not Path(base).is_absolute():
        way = os.path.relpath(base, adapter)
        base = way if way.startswith("..") else f"./{way}"
    return {"base_model_name_or_path": base, "revision": None}


def base_files(folder: Path) -> dict[str, str]:
    """SHA-256 digests of the files of a base that an adapter depends on: its configuration and its weights.

    None for a hub name, which has its revision.
    """
    files = [folder / "config.json", *sorted(folder.glob("*.safetensors"))]
    return {file.name: digest(file) for file in files if file.is_file()}


def require_own_base(adapter: Path, base: str, folder: Path) -> None:
    """Refuse a base that is not the one that an adapter was trained on; say so where that is not known.

    Args:
        adapter: folder of the adapter.
        base: what `folder` is called, for messages.
        folder: of the base.

    Raises:
        InputError: another base than is recorded in the adapter's provenance.
    """
    told = _told(adapter)
    if told is None or not (told.base or _recorded_folder(told)):
        if "@" not in base:
            logger.warning(
                "%s: made elsewhere; whether %s is the base that it was trained on cannot be checked",
                *(adapter, base),
            )
        return
    if told.base:
        found = base_files(folder)
        names = sorted(told.base.keys() | found.keys())
        differing = [name for name in names if told.base.get(name) != found.get(name)]
    else:
        differing = [] if digest(folder) == _recorded_folder(told) else ["content"]
    if differing:
        raise InputError(
            adapter,
            expected=f"the base that it was trained on, of which its {FILE} has digests",
            found=f"another {', '.join(differing[:3])} in {base}",
            remedy="put that base back in its place, or train the adapter anew on this one",
        )


def with_adapter(base: PreTrainedModel, adapter: Path) -> PeftModel:
    """A model of `base` and an adapter, in evaluation mode. The base stays as it is, and lends its weights.

    Args:
        base: may be lent to any number of adapters, and used by itself.
        adapter: folder with settings and with whole weights in safetensors.

    Raises:
        InputError: the two do not go together.
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
            # Weights that the adapter lacks would only be warned of; they are refused below.
            warnings.simplefilter("ignore", UserWarning)
            adapted = PeftModel.from_pretrained(model, str(adapter))
            needed = set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
            known = set(get_peft_model_state_dict(adapted, save_embedding_layers=True))
    except InputError:
        raise
    # Whatever peft and torch make of settings and shapes that are somebody else's.
    except (Exception, SafetensorError) as error:
        raise _unfit(base, adapter, _last_line(error)) from error
    if differing := (needed - shapes.keys()) | (shapes.keys() - known):
        name = min(differing)
        held = "the adapter" if name in shapes else "the base with these settings"
        raise _unfit(base, adapter, f"{name} in {held} alone")
    if model.dtype != torch.float32 and not beyond_lora(settings):
        _round_once(adapted)
    return adapted.eval()


def _round_once(adapted: PeftModel) -> None:
    """Let the layers of a model in bf16 add what an adapter has learned before they round, and not after.

    peft rounds what the base gives and adds to that: less than half of a last digit is rounded away again,
    always in the same direction, and most of what is learned is less.
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
    # One product with its sum: it is in fp32 until it is done.
    summed = torch.addmm(learned.reshape(len(rows), -1).to(rows.dtype), rows, base.weight.T)
    summed = summed.view(*states.shape[:-1], -1)
    return summed if base.bias is None else summed + base.bias


def base_name(name: str) -> str:
    """The name that a weight of an adapter has in the base, if it stands for one of the base's."""
    return _WRAPPED.sub("", name.removeprefix(_PREFIX))


def _lent(base: PreTrainedModel, replaced: Collection[str] | None) -> PreTrainedModel:
    """`base` in modules of its own, with the same weights, but for copies of some.

    Args:
        replaced: names of weights that are to be copies, because they will be changed; all where None.
    """
    shared = [
        tensor
        for name, tensor in (*base.named_parameters(), *base.named_buffers())
        if replaced is not None and name not in replaced
    ]
    return copy.deepcopy(base, {id(tensor): tensor for tensor in shared})


def _resize(model: PreTrainedModel, shapes: Mapping[str, list[int]]) -> None:
    """Give a model the vocabulary of an adapter that brings embeddings of another size."""
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
        raise ValueError(f"a vocabulary of {max(sizes)}, but no such {', '.join(lacking)}")
    model.resize_token_embeddings(sizes.pop(), mean_resizing=False)


def merged(
    adapted: PeftModel, watch: Callable[[Tensor, Tensor], None] | None = None
) -> PreTrainedModel:
    """The plain model that is the same as one with an adapter, whose weights are changed for it.

    Args:
        watch: is given each adapted weight as it was and as it became.

    Raises:
        InputError: an adapter that cannot be added to the weights; some may have been by then.
    """
    causal = adapted.get_base_model()
    _untie(causal)
    try:
        if adapted.peft_config["default"].layer_replication:
            raise ValueError("layers that share their weights")
        for layer in [module for module in adapted.modules() if isinstance(module, LoraLayer)]:
            # Of a mixture's experts it is a parameter by another name.
            name = getattr(layer, "parameter_name", "weight")
            before = getattr(layer.get_base_layer(), name).detach().clone() if watch else None
            with torch.no_grad():
                layer.merge()
            if watch and before is not None:
                watch(before, getattr(layer.get_base_layer(), name).detach())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            # What is merged by now is only unwrapped; of what was trained whole the trained one is taken.
            return adapted.merge_and_unload().eval()
    except (ValueError, RuntimeError, AttributeError) as error:
        settings = adapted.peft_config["default"].to_dict()
        raise InputError(
            causal.name_or_path,
            expected="an adapter that can be added to the weights",
            found=", ".join(beyond_lora(settings)) or _last_line(error),
            remedy="score it unmerged",
        ) from error


def _untie(causal: PreTrainedModel) -> None:
    """Part input and output embeddings that are one weight, where an adapter changes one of them, or each by itself."""
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
