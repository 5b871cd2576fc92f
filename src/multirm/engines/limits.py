"""Where a model's texts end: at its end tokens, and at the end of its context. All engines ask here."""

from pathlib import Path

from transformers import AutoConfig, GenerationConfig, PreTrainedConfig, PreTrainedTokenizerBase

from multirm.engines.base import Prompt, Sampling


def end_tokens(settings: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens that end a text: the tokenizer's, and those which the model's own settings add."""
    configured = settings.eos_token_id
    listed = configured if isinstance(configured, list) else [configured]
    ends = [tokenizer.eos_token_id, *listed]
    return list(dict.fromkeys(int(end) for end in ends if end is not None))


def generation_settings(folder: Path) -> GenerationConfig:
    """A model folder's own settings of generation, as `from_pretrained` finds them."""
    try:
        return GenerationConfig.from_pretrained(folder)
    except OSError:
        return GenerationConfig.from_model_config(AutoConfig.from_pretrained(folder))


def context_length(config: PreTrainedConfig) -> int | None:
    """How many tokens a model reads and writes at most, or None where nothing says so."""
    return getattr(config.get_text_config(), "max_position_embeddings", None)


def token_limit(prompt: Prompt, sampling: Sampling, context: int | None) -> int:
    """How many tokens a prompt is continued by at most: as many as are asked for and there is room for."""
    if context is None:
        return sampling.max_tokens
    return max(0, min(sampling.max_tokens, context - len(prompt.ids)))
