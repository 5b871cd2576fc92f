"""The names of engines."""

from enum import StrEnum


class EngineName(StrEnum):
    """The engines, which turn prompts into completions."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OPENAI = "openai"
