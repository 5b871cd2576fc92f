"""Loading backbones, adapters and tokenizers: safetensors only, no code from model repositories."""

from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from multirm.errors import InputError


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a local model folder or a hub name.

    Raises:
        InputError: there is none.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            model, expected="a model folder or hub name with a tokenizer", found=_first_line(error)
        ) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(model: str, dtype: torch.dtype | None = None) -> PreTrainedModel:
    """A causal language model from a local folder or hub name, in evaluation mode, on the best device.

    Args:
        model: folder with config.json and model.safetensors, or a hub name.
        dtype: bf16 on a GPU and fp32 on a CPU where None.

    Raises:
        InputError: no safetensors weights there, or an architecture that transformers does not know.
    """
    folder = Path(model)
    if folder.is_dir() and not any(folder.glob("*.safetensors")):
        raise InputError(
            model,
            expected="weights as *.safetensors",
            found="none",
            remedy="pickled weights are not loaded; save the model with safetensors",
        )
    device = default_device()
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            model,
            dtype=dtype or default_dtype(device),
            use_safetensors=True,
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        raise InputError(
            model, expected="a causal language model", found=_first_line(error)
        ) from error
    return loaded.to(device).eval()


def default_device() -> torch.device:
    """The first GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def default_dtype(device: torch.device) -> torch.dtype:
    """bf16 on a GPU, fp32 on a CPU."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
