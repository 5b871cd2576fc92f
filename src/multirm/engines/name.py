"""The names of engines."""

from enum import StrEnum


class EngineName(StrEnum):
    """The engines, which turn prompts into completions."""

    TRANSFORMERS = "transformers"
    VLLM = "vllm"
    OPENAI = "openai"
    OPENAI_BATCH = "openai_batch"
    BEDROCK_BATCH = "bedrock_batch"

    @property
    def is_batch(self) -> bool:
        """Whether it writes files for a batch service, and reads the service's files."""
        return self in (EngineName.OPENAI_BATCH, EngineName.BEDROCK_BATCH)

    @property
    def is_remote(self) -> bool:
        """Whether the model runs elsewhere, with a precision of its own."""
        return self is EngineName.OPENAI or self.is_batch

    @property
    def reads(self) -> bool:
        """Whether it also runs discriminative reward models, which only read."""
        return self in (EngineName.TRANSFORMERS, EngineName.VLLM)
