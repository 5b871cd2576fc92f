"""Fetch a model's folder, and check its files and architecture before anything is loaded from it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, StrictDataclassError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from multirm.errors import InputError, shown
from multirm.running.provenance import check_files

HUB_FILES = ["*.json", "*.jinja", "*.txt", "*.model"]
HUB_WEIGHTS = ["*.safetensors"]

HEADS_LATER = "to score with a reward model's own head, name its format: --format"

_LAYERS = re.compile(r"(num|n)_(\w+_)?layers?")
_COUNTS = re.compile(r"(num|n)_(\w+_)?(experts?|heads?)")
_SIZES = re.compile(r"(\w+_)?(hidden_size|intermediate_size|vocab_size|head_dim)|n_embd|d_model")


def fetch_model(model: str, weights: bool = True) -> Path:
    """The folder of a model, downloaded from the hub if there is no such local folder.

    Only necessary and safe files are downloaded: no code, no pickled weights.

    Args:
        model: a folder, or a hub name, optionally with `@` and a revision.
        weights: whether to download weights, or only the small files (configuration and tokenizer).

    Raises:
        InputError: there is no such folder, and no such model that can be downloaded.
    """
    path = Path(model)
    if model and path.is_dir():
        return path
    if (why := _why_no_hub_name(model)) is not None:
        raise InputError(model, expected="a model folder or hub name", found=why)
    files = HUB_FILES + HUB_WEIGHTS if weights else HUB_FILES
    name, _, revision = model.partition("@")
    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=files))
    except GatedRepoError as error:
        raise InputError(
            model,
            expected="a model that may be downloaded",
            found="a gated one",
            remedy="accept its terms on the hub, and set HF_TOKEN to a token of the same account",
        ) from error
    except (OSError, ValueError, HfHubHTTPError) as error:
        offline = constants.HF_HUB_OFFLINE
        raise InputError(
            model,
            expected="a model folder or hub name",
            found="no such folder, and no earlier download" if offline else first_line(error),
            remedy="run `multirm prefetch STUDY` or `hf download` on a machine with network access,"
            " or unset HF_HUB_OFFLINE"
            if offline
            else "check the spelling, the connection and, if it is not public, HF_TOKEN",
        ) from error


def _why_no_hub_name(model: str) -> str | None:
    """Why a missing folder cannot be a hub name either; None if it can."""
    path = Path(model)
    if path.is_file():
        return "a file"
    # A hub name has at most one slash.
    if path.is_absolute() or len(path.parts) > 2 or model.startswith((".", "~")):
        return "no such folder"
    if model.endswith("/") or not model.strip():
        return "no such folder"
    if len(path.parts) == 2 and path.parent.is_dir():
        return f"no {path.name} in the folder {path.parent}"
    return None


def require_safetensors(folder: Path) -> None:
    """Refuse a model folder whose weights are not in safetensors, or are incomplete or damaged.

    Raises:
        InputError: it has no such files, an incomplete one, or files that differ from its provenance.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(
            folder,
            expected="weights as *.safetensors",
            found=", ".join(each.name for each in sorted(folder.glob("*.bin"))) or "none",
            remedy="pickled weights are not loaded, because they can run code; load the model where you trust it, and "
            "save it with `model.save_pretrained(FOLDER)`, or its weights with `safetensors.torch.save_file`",
        )
    for file in files:
        try:
            with safe_open(file, "pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise InputError(
                file,
                expected="complete weights",
                found=first_line(error),
                remedy="delete it and make or download it again",
            ) from error
    check_files(folder)


def read_config(folder: Path) -> PreTrainedConfig:
    """Read the configuration of a causal language model from the folder with its weights.

    Raises:
        InputError: there is none, transformers refuses it, it is for another kind of model, or it describes a
            model larger than the weights.
    """
    path = folder / "config.json"
    try:
        oversized = next(_oversized(json.loads(path.read_bytes()), *_extent(folder)), None)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            folder, expected="a causal language model with a config.json", found=first_line(error)
        ) from error
    if oversized:
        raise InputError(path, expected="a model as large as its weights", found=oversized)
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # Its classes raise all kinds of errors for untrusted settings.
    except Exception as error:
        raise InputError(
            path, expected="the configuration of a causal language model", found=first_line(error)
        ) from error
    _require_causal(path, config)
    return config


def read_trunk_config(folder: Path) -> PreTrainedConfig:
    """Read the configuration of a decoder with a head of any kind from the folder with its weights.

    Raises:
        InputError: as `read_config`, but the architectures that it names do not count, since they tell of the head.
    """
    path = folder / "config.json"
    try:
        oversized = next(_oversized(json.loads(path.read_bytes()), *_extent(folder)), None)
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # Its classes raise all kinds of errors for untrusted settings.
    except Exception as error:
        raise InputError(
            path, expected="the configuration of a decoder", found=first_line(error)
        ) from error
    if oversized:
        raise InputError(path, expected="a model as large as its weights", found=oversized)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(path, expected="a decoder", found=f"a {config.model_type}")
    return config


def _require_causal(path: Path, config: PreTrainedConfig) -> None:
    try:
        loaded = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    except KeyError as error:
        raise InputError(
            path, expected="a causal language model", found=f"a {config.model_type}"
        ) from error
    classes = loaded if isinstance(loaded, tuple) else (loaded,)
    names = {one.__name__.casefold(): one.__name__ for one in classes}
    found = [str(name) for name in config.architectures or ()]
    if found and not any(name.casefold() in names for name in found):
        raise InputError(
            path,
            expected=f"the architecture {' or '.join(names.values())}",
            found=shown(", ".join(found)),
            remedy=HEADS_LATER,
        )


def _extent(folder: Path) -> tuple[int, int]:
    """The number of weight tensors in a folder, and their largest dimension."""
    count, longest = 0, 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118
                count += 1
                longest = max(longest, *weights.get_slice(name).get_shape(), 0)
    return count, longest


def _oversized(settings: Any, count: int, longest: int) -> Iterator[str]:
    """The settings in a configuration that are too large for the weights."""
    bounds = ((_LAYERS, count), (_COUNTS, max(count, longest)), (_SIZES, longest))
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, dict):
            yield from _oversized(value, count, longest)
        for pattern, bound in bounds:
            if pattern.fullmatch(name) and isinstance(value, int | float) and value > bound:
                yield f"{name} {shown(value)}, and {count} weights with dimensions up to {longest}"


def first_line(error: BaseException) -> str:
    """The first line of an exception's message, or its name if it has none."""
    text = str(error).strip()
    if not isinstance(error, StrictDataclassError):
        text = next(iter(text.splitlines()), "")
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= 300 else f"{line[:299]}…"
