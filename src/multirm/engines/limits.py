"""Where a model's texts end: at end tokens, and at the end of the context; and what a token of them takes of memory."""

from pathlib import Path

import torch
from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase
from transformers.utils import GENERATION_CONFIG_NAME

from multirm.engines.base import Prompt, Sampling
from multirm.errors import InputError, shown
from multirm.models.adapters import is_adapter
from multirm.models.folders import fetch_model, first_line
from multirm.models.load import base_of


def end_tokens(settings: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end a text: the tokenizer's, and those of the model's generation settings.

    Raises:
        InputError: there is none, or one is not a token.
    """
    configured = settings.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    ends = [end for end in (tokenizer.eos_token_id, *listed) if end is not None]
    for end in ends:
        if not isinstance(end, int) or end < 0:
            raise _no_end(tokenizer, f"{shown(end)} as eos_token_id")
    if not ends:
        raise _no_end(tokenizer, "none")
    return list(dict.fromkeys(ends))


def _no_end(tokenizer: PreTrainedTokenizerBase, found: str) -> InputError:
    return InputError(
        tokenizer.name_or_path or "tokenizer",
        expected=f"a token that ends a text, in its tokenizer or in {GENERATION_CONFIG_NAME}",
        found=found,
        remedy=f"name its eos_token in tokenizer_config.json, or its eos_token_id in {GENERATION_CONFIG_NAME}",
    )


def generation_settings(folder: Path) -> GenerationConfig:
    """The generation settings in a model folder, or those that its configuration implies.

    Raises:
        InputError: what `own_generation_settings` and `configuration` refuse.
    """
    own = own_generation_settings(folder)
    return GenerationConfig.from_model_config(configuration(folder)) if own is None else own


def own_generation_settings(folder: Path) -> GenerationConfig | None:
    """The generation settings in a model folder, or None.

    Raises:
        InputError: they are damaged; transformers would ignore them, and with them the end tokens.
    """
    path = folder / GENERATION_CONFIG_NAME
    if not path.is_file():
        return None
    try:
        return GenerationConfig.from_pretrained(folder)
    # A damaged file may raise anything.
    except Exception as error:
        raise InputError(
            path,
            expected="settings of generation as transformers writes them",
            found=first_line(error),
            remedy="fetch it again, or save it again with transformers",
        ) from error


def settings_folder(model: str) -> Path:
    """The folder with a model's settings; for an adapter, its base's.

    Raises:
        InputError: what `fetch_model` and `base_of` refuse.
    """
    folder = fetch_model(model, weights=False)
    return fetch_model(base_of(folder), weights=False) if is_adapter(folder) else folder


def configuration(folder: Path) -> PreTrainedConfig:
    """The configuration of the model in a folder, which needs no weights.

    Raises:
        InputError: there is none, or transformers refuses it.
    """
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # Unknown settings may raise anything.
    except Exception as error:
        raise InputError(
            folder, expected="a model's config.json", found=first_line(error)
        ) from error


def context_length(config: PreTrainedConfig) -> int | None:
    """The length of a model's context in tokens, or None if its configuration does not tell."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def cache_bytes(config: PreTrainedConfig, dtype: torch.dtype) -> int:
    """Bytes of a token's keys and values in all layers, with attention over all tokens; 0 without attention."""
    text = config.get_text_config()
    heads = getattr(text, "num_attention_heads", None)
    if heads is None:
        return 0
    groups = getattr(text, "num_key_value_heads", None) or heads
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    return int(2 * text.num_hidden_layers * groups * width * dtype.itemsize)


def token_limit(prompt: Prompt, sampling: Sampling, context: int | None) -> int:
    """The maximum number of tokens of a completion: as many as are asked for and fit into the context."""
    limits = [sampling.max_tokens]
    if prompt.max_tokens is not None:
        limits.append(prompt.max_tokens)
    if context is not None:
        limits.append(context - len(prompt.ids))
    return max(0, min(limits))
