"""Backbones, adapters and tokenizers: safetensors only, no code from model repositories."""

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError
from peft import PeftModel, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils.logging import disable_progress_bar

from multirm.errors import InputError
from multirm.files import portable
from multirm.provenance import check_files
from multirm.tokenizer import CONFIG, read_tokenizer

# Bars of thousands of updates would fill the logs of jobs.
disable_progress_bar()

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"

HUB_FILES = ["*.json", "*.jinja", "*.txt", "*.model"]
HUB_WEIGHTS = ["*.safetensors"]


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a local model folder or a hub name; the base's, for an adapter without one.

    Raises:
        InputError: there is none, or what `tokenizer.read_tokenizer` refuses.
    """
    folder = fetch_model(model, weights=False)
    if (folder / ADAPTER_CONFIG).is_file() and not (folder / CONFIG).is_file():
        return load_tokenizer(base_of(folder))
    return read_tokenizer(folder, model)


def load_model(
    model: str,
    dtype: torch.dtype | Literal["auto"] | None = None,
    device: torch.device | None = None,
) -> PreTrainedModel:
    """A causal language model from a local folder or hub name, in evaluation mode, on a device.

    Args:
        model: folder with config.json and model.safetensors, or with a peft adapter, which comes with
            the base that it names; or a hub name.
        dtype: "auto" for that of the weights; bf16 where there is a GPU, else fp32, where None.
        device: the first GPU where there is one, else the CPU, where None.

    Raises:
        InputError: no or not all weights there, an architecture that transformers does not know, or an
            adapter for another base.
    """
    folder = fetch_model(model)
    if (folder / ADAPTER_CONFIG).is_file():
        return load_adapter(load_model(base_of(folder), dtype, device), folder)
    require_safetensors(folder)
    try:
        loaded, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype or default_dtype(default_device()),
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(
            model, expected="a causal language model", found=_first_line(error)
        ) from error
    if report["missing_keys"]:
        raise InputError(
            model,
            expected="all weights of the model",
            found=f"none for {min(report['missing_keys'])}",
            remedy="load a whole model, not a part or another kind of it",
        )
    # Adapters name their base by it: as it was given, not where this machine keeps what it has downloaded.
    loaded.name_or_path = model
    return loaded.to(device or default_device()).eval()


def load_in_turn(models: Sequence[str]) -> Iterator[PreTrainedModel]:
    """Load models one after the other, as `load_model` does, the base that neighbours share once.

    A model is good until the next one is asked for.
    """
    base, base_name = None, None
    for model in models:
        adapter = fetch_model(model)
        if not (adapter / ADAPTER_CONFIG).is_file():
            base, base_name = None, None
            yield load_model(model)
            continue
        if base is None or base_name != base_of(adapter):
            base_name = base_of(adapter)
            # Gone before the next one comes: two may be more than there is memory for.
            base = None
            base = load_model(base_name)
        adapted = load_adapter(base, adapter)
        yield adapted
        base = adapted.unload()
        del adapted


def sources_of(model: str) -> tuple[list[str], list[Path]]:
    """What a model is made of: itself and, for an adapter, its base.

    Returns:
        names for a footer, of folders as `files.portable` has them and of hub models with their commit;
        and those of them that are folders here, to be digested.
    """
    folder = fetch_model(model, weights=False)
    is_local = Path(model).is_dir()
    names = [portable(model) if is_local else f"{model}@{folder.name}"]
    folders = [Path(model)] if is_local else []
    if (folder / ADAPTER_CONFIG).is_file():
        base_names, base_folders = sources_of(base_of(folder))
        return names + base_names, folders + base_folders
    return names, folders


def load_adapter(base: PreTrainedModel, adapter: Path) -> PeftModel:
    """`base` with the peft adapter of the folder `adapter` on it, in evaluation mode.

    Raises:
        InputError: no adapter there, or one that was trained on another base.
    """
    for name in (ADAPTER_CONFIG, ADAPTER_WEIGHTS):
        if not (adapter / name).is_file():
            raise InputError(adapter, expected=f"an adapter with {name}", found="none")
    require_safetensors(adapter)
    try:
        with warnings.catch_warnings():
            # Weights that the adapter lacks would only be warned of; they are refused below.
            warnings.simplefilter("ignore", UserWarning)
            adapted = PeftModel.from_pretrained(base, str(adapter))
        with safe_open(adapter / ADAPTER_WEIGHTS, "pt") as weights:
            found = set(weights.keys())
    except (ValueError, RuntimeError, SafetensorError) as error:
        raise _other_base(base, adapter, _last_line(error)) from error
    differing = found ^ set(get_peft_model_state_dict(adapted, save_embedding_layers=False))
    if differing:
        raise _other_base(base, adapter, f"{min(differing)} in only one of them")
    return adapted.eval()


def fetch_model(model: str, weights: bool = True) -> Path:
    """The folder of a model: the one named, or one into which the hub's model of that name is downloaded.

    Of a model on the hub only what is needed and safe is fetched: no code, no pickled weights.

    Args:
        weights: whether they are needed, or only what belongs to a tokenizer.

    Raises:
        InputError: no such folder, and no model of that name that can be had.
    """
    path = Path(model)
    if path.is_dir():
        return path
    # A hub name has one slash at most.
    if path.is_absolute() or len(path.parts) > 2 or model.startswith("."):
        raise InputError(model, expected="a model folder or hub name", found="no such folder")
    files = HUB_FILES + HUB_WEIGHTS if weights else HUB_FILES
    try:
        return Path(snapshot_download(model, allow_patterns=files))
    except GatedRepoError as error:
        raise InputError(
            model,
            expected="a model that may be downloaded",
            found="one that is gated",
            remedy="accept its terms on the hub, and set HF_TOKEN to a token of the same account",
        ) from error
    except (OSError, ValueError, HfHubHTTPError) as error:
        offline = constants.HF_HUB_OFFLINE
        raise InputError(
            model,
            expected="a model folder or hub name",
            found="no such folder, and nothing downloaded before"
            if offline
            else _first_line(error),
            remedy="fetch it where there is a network, `multirm prefetch STUDY` or `hf download`,"
            " or unset HF_HUB_OFFLINE"
            if offline
            else "check the spelling and the connection, and HF_TOKEN where it is not public",
        ) from error


def _other_base(base: PreTrainedModel, adapter: Path, found: str) -> InputError:
    return InputError(
        adapter,
        expected=f"an adapter for {base.name_or_path}",
        found=found,
        remedy="give the base that it was trained on",
    )


def require_safetensors(folder: Path) -> None:
    """Refuse a model folder without weights in safetensors, or with some that are cut short or damaged.

    Raises:
        InputError: it has none, one that is no whole file of safetensors, or others than were written.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(
            folder,
            expected="weights as *.safetensors",
            found="none",
            remedy="pickled weights are not loaded; save the model with safetensors",
        )
    for file in files:
        try:
            with safe_open(file, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise InputError(
                file,
                expected="whole weights",
                found=_first_line(error),
                remedy="delete it and make it again, or fetch it again",
            ) from error
    check_files(folder)


def base_of(adapter: Path) -> str:
    """The folder or hub name of the base that the adapter in a folder names.

    Raises:
        InputError: it names none.
    """
    path = adapter / ADAPTER_CONFIG
    try:
        return str(json.loads(path.read_text("utf-8"))["base_model_name_or_path"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            path, expected="JSON with base_model_name_or_path", found=_first_line(error)
        ) from error


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


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _last_line(error: Exception) -> str:
    return next(reversed(str(error).strip().splitlines()), type(error).__name__)
