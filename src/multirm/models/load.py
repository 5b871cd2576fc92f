"""Backbones, adapters and tokenizers: safetensors only, no code from model repositories."""

import logging
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Literal

import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from multirm.errors import InputError
from multirm.models.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    beyond_lora,
    is_adapter,
    merged,
    named_base,
    read_settings,
    require_own_base,
    require_whole_model,
    with_adapter,
)
from multirm.models.cpu import prepare_cpu
from multirm.models.dtype import Dtype
from multirm.models.folders import (
    HEADS_LATER,
    fetch_model,
    first_line,
    read_config,
    require_safetensors,
)
from multirm.models.tokenizer import CONFIG, read_tokenizer
from multirm.running.files import portable
from multirm.running.provenance import MERGED, TUNED, made_as

logger = logging.getLogger(__name__)

# Progress bars would fill the logs of jobs.
disable_progress_bar()


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model folder or hub name; for an adapter without one, the base's.

    Raises:
        InputError: there is none, or `tokenizer.read_tokenizer` refuses it.
    """
    folder = fetch_model(model, weights=False)
    if is_adapter(folder) and not (folder / CONFIG).is_file():
        return load_tokenizer(base_of(folder))
    return read_tokenizer(folder, model)


def load_model(
    model: str,
    dtype: torch.dtype | Literal["auto"] | None = None,
    device: torch.device | None = None,
) -> PreTrainedModel:
    """Load a causal language model from a local folder or hub name, in evaluation mode.

    In fp32, an adapter is merged into its base, which is faster. In bf16, rounding would undo most of the merge, so
    the adapter is computed separately, and added before anything is rounded.

    Args:
        model: folder with config.json and model.safetensors, or with a peft adapter, whose base is loaded, too;
            or a hub name.
        dtype: "auto" for that of the weights; None for bf16 with a GPU, else fp32.
        device: None for the first GPU, or the CPU if there is none.

    Raises:
        InputError: weights are missing or superfluous (such as a trained head), the architecture is unknown, or
            the adapter is for another base.
    """
    folder = fetch_model(model)
    if is_adapter(folder):
        base = base_of(folder)
        adapted = load_adapter(load_model(base, dtype, device), folder, base)
        is_sum = not beyond_lora(read_settings(folder))
        return merged(adapted) if is_sum and adapted.dtype == torch.float32 else adapted
    require_safetensors(folder)
    wanted = dtype or default_dtype(default_device())
    loaded = read_weights(folder, wanted, device or default_device())
    if wanted is torch.bfloat16:
        _warn_of_rounding(folder)
    # Adapters name their base by it: the given name, not the path of a download on this machine.
    loaded.name_or_path = model if Path(model).is_dir() else _pinned(model, folder)
    prepare_cpu(loaded)
    return loaded.eval()


def read_weights(
    folder: Path, dtype: torch.dtype | Literal["auto"], device: torch.device
) -> PreTrainedModel:
    """Read the causal language model in a folder; on the device `meta`, without its weights.

    Raises:
        InputError: it is not a causal language model, or weights are missing or superfluous.
    """
    config = read_config(folder)
    try:
        loaded, report = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            # On the device `meta`, weights are not read.
            **({"device_map": "meta"} if device.type == "meta" else {}),
        )
    # Untrusted settings and weights can raise anything.
    except Exception as error:
        raise InputError(
            folder, expected="a causal language model", found=first_line(error)
        ) from error
    if report["missing_keys"]:
        raise InputError(
            folder,
            expected="all weights of the model",
            found=f"none for {min(report['missing_keys'])}",
            remedy="load a full model, not a part or another kind of it",
        )
    if report["unexpected_keys"]:
        raise InputError(
            folder,
            expected=f"only the weights of {type(loaded).__name__}",
            found=min(report["unexpected_keys"]),
            remedy=HEADS_LATER,
        )
    return loaded if device.type == "meta" else loaded.to(device)


def _warn_of_rounding(folder: Path) -> None:
    made = made_as(folder)
    if made == MERGED:
        logger.warning(
            "%s: in bf16, a merged model loses most of what its adapter has learned;"
            " score the adapter itself, or use float32",
            folder,
        )
    if made == TUNED:
        logger.warning("%s: rounded to bf16, a part of what it has learned may be lost", folder)


def load_in_turn(
    models: Sequence[str], dtype: torch.dtype | None = None
) -> Iterator[PreTrainedModel]:
    """Load models one after the other, as `load_model` does; a base shared by consecutive models is loaded once.

    A model is valid until the next one is requested, and has no effect on later ones.
    """
    for base_name, neighbours in groupby(models, key=_base_named_by):
        names = list(neighbours)
        if base_name is None or len(names) == 1:
            for name in names:
                yield load_model(name, dtype)
            continue
        base = load_model(base_name, dtype)
        for name in names:
            yield load_adapter(base, fetch_model(name), base_name)
        # Freed before the next base is loaded: both may not fit into memory.
        del base


def _base_named_by(model: str) -> str | None:
    folder = fetch_model(model)
    return base_of(folder) if is_adapter(folder) else None


def base_of(adapter: Path) -> str:
    """The folder or hub name of an adapter's base, which is a full model.

    Raises:
        InputError: the base does not exist, or is itself an adapter.
    """
    base = named_base(adapter)
    require_whole_model(adapter, base, fetch_model(base, weights=False))
    return base


def sources_of(model: str) -> tuple[list[str], list[Path]]:
    """The models that a model consists of: itself and, for an adapter, its base.

    Returns:
        names for a footer (folders as in `files.portable`, hub models with their commit), and the local folders
        among them, to be digested.
    """
    folder = fetch_model(model, weights=False)
    is_local = Path(model).is_dir()
    names = [portable(model) if is_local else _pinned(model, folder)]
    folders = [Path(model)] if is_local else []
    if is_adapter(folder):
        base_names, base_folders = sources_of(base_of(folder))
        return names + base_names, folders + base_folders
    return names, folders


def _pinned(model: str, folder: Path) -> str:
    """A hub name with the downloaded commit, which is the name of its folder."""
    return f"{model.partition('@')[0]}@{folder.name}"


def load_adapter(
    base: PreTrainedModel, adapter: Path, name: str | None = None, trains: bool = False
) -> PeftModel:
    """Apply the peft adapter in a folder to `base`, in evaluation mode; see `with_adapter`.

    Args:
        name: the base's folder or hub name; by default, the one that it was loaded by.
        trains: whether its weights will be trained.

    Raises:
        InputError: there is no adapter, or it was trained on another base.
    """
    for file in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (adapter / file).is_file():
            raise InputError(adapter, expected=f"an adapter with {file}", found="none")
    require_safetensors(adapter)
    name = name or base.name_or_path
    require_own_base(adapter, name, fetch_model(name))
    return with_adapter(base, adapter, trains)


def output_logits(
    model: PreTrainedModel, hidden: Tensor, columns: Sequence[int] | None = None
) -> Tensor:
    """Compute the logits of some tokens only, from last hidden states.

    Args:
        model: a causal language model, plain or wrapped by peft.
        hidden: float [positions, hidden size], the output of its decoder.
        columns: token ids; None for the whole vocabulary.

    Returns:
        float [positions, columns].

    Raises:
        InputError: the model transforms the output layer's logits.
    """
    head = output_layer(model)
    if columns is None:
        return head(hidden)
    if type(head) is not nn.Linear:
        # An adapted output layer has more than one weight.
        return head(hidden)[:, list(columns)]
    weight = head.weight[list(columns)].float()
    bias = None if head.bias is None else head.bias[list(columns)].float()
    # bf16 would round the logits, and so the rewards, to two digits; fp32 costs nothing for few columns.
    with torch.autocast(hidden.device.type, enabled=False):
        return functional.linear(hidden.float(), weight, bias)


def output_layer(model: PreTrainedModel) -> nn.Module:
    """The output layer of a causal language model, plain or wrapped by peft.

    Raises:
        InputError: the model transforms its logits.
    """
    causal = model.get_base_model() if isinstance(model, PeftModel) else model
    _refuse_changed_logits(causal)
    return causal.get_output_embeddings()


def _refuse_changed_logits(model: PreTrainedModel) -> None:
    for setting in (
        "final_logit_softcapping",
        "logits_scaling",
        "logit_scale",
        "lm_head_multiplier",
    ):
        if getattr(model.config, setting, None) not in (None, 1.0):
            raise InputError(
                model.name_or_path,
                expected="untransformed logits of the output layer",
                found=f"{setting} in its configuration",
                remedy="choose a backbone of another family",
            )


def default_device() -> torch.device:
    """The first GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """bf16 on a GPU, fp32 on a CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def dtype_of(dtype: Dtype, device: torch.device) -> torch.dtype:
    """The precision of a model on a device."""
    return default_dtype(device) if dtype is Dtype.AUTO else getattr(torch, dtype)


def dtype_name(dtype: torch.dtype) -> str:
    """The name in footers, such as `float32`."""
    return str(dtype).removeprefix("torch.")
