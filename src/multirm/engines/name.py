"""The names of engines."""

from enum import StrEnum


class EngineName(StrEnum):
    """What turns prompts into completions."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OPENAI = "openai"
