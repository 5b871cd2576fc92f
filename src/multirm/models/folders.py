"""A model's folder, before anything is loaded from it: fetched, whole, and of the architecture that is needed."""

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

HEADS_LATER = "reward models with heads of their own are not read yet"

_LAYERS = re.compile(r"(num|n)_(\w+_)?layers?")
_COUNTS = re.compile(r"(num|n)_(\w+_)?(experts?|heads?)")
_SIZES = re.compile(r"(\w+_)?(hidden_size|intermediate_size|vocab_size|head_dim)|n_embd|d_model")


def fetch_model(model: str, weights: bool = True) -> Path:
    """The folder of a model: the one named, or one into which the hub's model of that name is downloaded.

    Of a model on the hub only what is needed and safe is fetched: no code, no pickled weights.

    Args:
        model: a folder, or a hub name, which may end with `@` and a revision.
        weights: whether they are needed, or only what belongs to a tokenizer.

    Raises:
        InputError: no such folder, and no model of that name that can be had.
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
            found="one that is gated",
            remedy="accept its terms on the hub, and set HF_TOKEN to a token of the same account",
        ) from error
    except (OSError, ValueError, HfHubHTTPError) as error:
        offline = constants.HF_HUB_OFFLINE
        raise InputError(
            model,
            expected="a model folder or hub name",
            found="no such folder, and nothing downloaded before" if offline else first_line(error),
            remedy="fetch it where there is a network, `multirm prefetch STUDY` or `hf download`,"
            " or unset HF_HUB_OFFLINE"
            if offline
            else "check the spelling and the connection, and HF_TOKEN where it is not public",
        ) from error


def _why_no_hub_name(model: str) -> str | None:
    """What is found in place of a folder that is not there, where a path was meant and no hub name."""
    path = Path(model)
    if path.is_file():
        return "a file"
    # A hub name has one slash at most.
    if path.is_absolute() or len(path.parts) > 2 or model.startswith((".", "~")):
        return "no such folder"
    if model.endswith("/") or not model.strip():
        return "no such folder"
    if len(path.parts) == 2 and path.parent.is_dir():
        return f"no {path.name} in the folder {path.parent}"
    return None


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
                found=first_line(error),
                remedy="delete it and make it again, or fetch it again",
            ) from error
    check_files(folder)


def read_config(folder: Path) -> PreTrainedConfig:
    """The configuration of a causal language model, whose weights are in a folder.

    Raises:
        InputError: none, one that transformers refuses, one of another kind of model, or one of a model
            larger than the weights.
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
    # Whatever its classes make of settings that are somebody else's.
    except Exception as error:
        raise InputError(
            path, expected="the configuration of a causal language model", found=first_line(error)
        ) from error
    _require_causal(path, config)
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
    """How many weights a folder holds, and the longest side of any."""
    count, longest = 0, 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            for name in weights.keys():  # noqa: SIM118
                count += 1
                longest = max(longest, *weights.get_slice(name).get_shape(), 0)
    return count, longest


def _oversized(settings: Any, count: int, longest: int) -> Iterator[str]:
    """The settings in a configuration that ask for more than there are weights for."""
    bounds = ((_LAYERS, count), (_COUNTS, max(count, longest)), (_SIZES, longest))
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if isinstance(value, dict):
            yield from _oversized(value, count, longest)
        for pattern, bound in bounds:
            if pattern.fullmatch(name) and isinstance(value, int | float) and value > bound:
                yield f"{name} {shown(value)}, and {count} weights of sides up to {longest}"


def first_line(error: BaseException) -> str:
    """What an exception says, without the help for programmers that follows; or its name."""
    text = str(error).strip()
    if not isinstance(error, StrictDataclassError):
        text = next(iter(text.splitlines()), "")
    line = " ".join(text.split()) or type(error).__name__
    return line if len(line) <= 300 else f"{line[:299]}…"
