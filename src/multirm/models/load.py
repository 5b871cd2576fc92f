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
from multirm.running.provenance import MERGED, made_as

logger = logging.getLogger(__name__)

# Bars of thousands of updates would fill the logs of jobs.
disable_progress_bar()


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a local model folder or a hub name; the base's, for an adapter without one.

    Raises:
        InputError: there is none, or what `tokenizer.read_tokenizer` refuses.
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
    """A causal language model from a local folder or hub name, in evaluation mode, on a device.

    In fp32 an adapter is added to the weights of its base, which is faster. In bf16 the sums would be
    rounded, most of them to what they were: it is computed beside them, and added before anything is rounded.

    Args:
        model: folder with config.json and model.safetensors, or with a peft adapter, which comes with
            the base that it names; or a hub name.
        dtype: "auto" for that of the weights; bf16 where there is a GPU, else fp32, where None.
        device: the first GPU where there is one, else the CPU, where None.

    Raises:
        InputError: no or not all weights there, or more of them, as of a trained head; an architecture
            that is not known, or an adapter for another base.
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
    # Adapters name their base by it: as it was given, not where this machine keeps what it has downloaded.
    loaded.name_or_path = model if Path(model).is_dir() else _pinned(model, folder)
    return loaded.eval()


def read_weights(
    folder: Path, dtype: torch.dtype | Literal["auto"], device: torch.device
) -> PreTrainedModel:
    """The causal language model of a folder; on the device `meta` what can be told without its weights.

    Raises:
        InputError: no causal language model, or other weights than it has.
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
            # Weights that are read on no device are not read at all.
            **({"device_map": "meta"} if device.type == "meta" else {}),
        )
    # Whatever comes of settings and weights that are somebody else's.
    except Exception as error:
        raise InputError(
            folder, expected="a causal language model", found=first_line(error)
        ) from error
    if report["missing_keys"]:
        raise InputError(
            folder,
            expected="all weights of the model",
            found=f"none for {min(report['missing_keys'])}",
            remedy="load a whole model, not a part or another kind of it",
        )
    if report["unexpected_keys"]:
        raise InputError(
            folder,
            expected=f"the weights of {type(loaded).__name__} and no others",
            found=min(report["unexpected_keys"]),
            remedy=HEADS_LATER,
        )
    return loaded if device.type == "meta" else loaded.to(device)


def _warn_of_rounding(folder: Path) -> None:
    if made_as(folder) == MERGED:
        logger.warning(
            "%s: in bf16 a merged model loses most of what its adapter had learned;"
            " score the adapter itself, or use float32",
            folder,
        )


def load_in_turn(
    models: Sequence[str], dtype: torch.dtype | None = None
) -> Iterator[PreTrainedModel]:
    """Load models one after the other, as `load_model` does, the base that neighbours share once.

    A model is good until the next one is asked for. None leaves a trace in those after it.
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
        # Gone before the next one comes: two may be more than there is memory for.
        del base


def _base_named_by(model: str) -> str | None:
    folder = fetch_model(model)
    return base_of(folder) if is_adapter(folder) else None


def base_of(adapter: Path) -> str:
    """The folder or hub name of the base that the adapter in a folder is for; a whole model.

    Raises:
        InputError: it names none that is there, or another adapter.
    """
    base = named_base(adapter)
    require_whole_model(adapter, base, fetch_model(base, weights=False))
    return base


def sources_of(model: str) -> tuple[list[str], list[Path]]:
    """What a model is made of: itself and, for an adapter, its base.

    Returns:
        names for a footer, of folders as `files.portable` has them and of hub models with their commit;
        and those of them that are folders here, to be digested.
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
    """A hub name with the commit that was fetched, after which its folder is called."""
    return f"{model.partition('@')[0]}@{folder.name}"


def load_adapter(base: PreTrainedModel, adapter: Path, name: str | None = None) -> PeftModel:
    """`base` with the peft adapter of the folder `adapter` on it, in evaluation mode; see `with_adapter`.

    Args:
        name: the base's folder or hub name; what it was loaded by where None.

    Raises:
        InputError: no adapter there, or one that was trained on another base.
    """
    for file in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (adapter / file).is_file():
            raise InputError(adapter, expected=f"an adapter with {file}", found="none")
    require_safetensors(adapter)
    name = name or base.name_or_path
    require_own_base(adapter, name, fetch_model(name))
    return with_adapter(base, adapter)


def output_logits(
    model: PreTrainedModel, hidden: Tensor, columns: Sequence[int] | None = None
) -> Tensor:
    """Logits of some tokens after some last hidden states, without computing the others'.

    Args:
        model: a causal language model, plain or wrapped by peft.
        hidden: float [places, width], what its decoder ends with.
        columns: token ids; the whole vocabulary where None.

    Returns:
        float [places, columns].

    Raises:
        InputError: the model's logits are not simply the output of its last layer.
    """
    causal = model.get_base_model() if isinstance(model, PeftModel) else model
    head = causal.get_output_embeddings()
    _refuse_changed_logits(causal)
    if columns is None:
        return head(hidden)
    if type(head) is not nn.Linear:
        # An adapted output layer is more than its weight.
        return head(hidden)[:, list(columns)]
    weight = head.weight[list(columns)].float()
    bias = None if head.bias is None else head.bias[list(columns)].float()
    # bf16 would round the logits, and so the rewards, to two digits; few columns cost nothing in fp32.
    with torch.autocast(hidden.device.type, enabled=False):
        return functional.linear(hidden.float(), weight, bias)


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
                expected="logits that are the output layer's own",
                found=f"{setting} in its configuration",
                remedy="choose a backbone of another family",
            )


def default_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """bf16 on a GPU, fp32 on a CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def dtype_of(dtype: Dtype, device: torch.device) -> torch.dtype:
    """The precision that a model is computed in on a device."""
    return default_dtype(device) if dtype is Dtype.AUTO else getattr(torch, dtype)


def dtype_name(dtype: torch.dtype) -> str:
    """As footers have it: `float32`."""
    return str(dtype).removeprefix("torch.")
