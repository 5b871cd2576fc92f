"""Amazon Bedrock's form of batch files, for its Llama models: prompts as texts."""

from typing import Annotated, Any

from pydantic import BaseModel
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.batch_forms import (
    Failure,
    Reply,
    failure_of,
    read_as,
    refuse_what_text_cannot_tell,
)
from multirm.engines.server_replies import Count, Known, Text
from multirm.engines.stops import decode
from multirm.errors import InputError, shown
from multirm.formats.json_source import Record


class BedrockForm:
    """Amazon Bedrock's form for Llama models."""

    service = "Bedrock"
    # The usual quotas: they differ by model and account.
    most_records = 25_000
    most_bytes = 200_000_000
    least_records = 100

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._controls = {
            number
            for number, token in tokenizer.added_tokens_decoder.items()
            if len(token.content.strip()) > 1
        }

    def check(self, request: Request) -> None:
        refuse_what_text_cannot_tell(request)
        for name in ("top_k", "min_p"):
            if value := getattr(request.sampling, name):
                raise InputError(
                    f"--{name.replace('_', '-')}",
                    expected="0 with bedrock_batch, whose Llama models do not know it",
                    found=str(value),
                )

    def body(self, prompt: Prompt, sampling: Sampling, max_tokens: int) -> dict[str, Any]:
        text = decode(self._tokenizer, prompt.ids)
        again = self._tokenizer.encode(text, add_special_tokens=False)
        if self._controls_of(again) != self._controls_of(prompt.ids):
            raise InputError(
                f"prompt {shown(prompt.key)}",
                expected="text that reads as the same control tokens",
                found="one that spells a control token",
                remedy="leave its question out, or choose an engine that takes token ids",
            )
        return {
            "prompt": text,
            "max_gen_len": max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
        }

    def _controls_of(self, ids: list[int]) -> list[int]:
        return [number for number in ids if number in self._controls]

    def line(self, record: str, body: dict[str, Any], seed: int) -> dict[str, Any]:
        return {"recordId": record, "modelInput": body}

    def read(self, line: Record) -> tuple[str, Reply | Failure]:
        found = read_as(_BedrockResult, line, self.service)
        output = found.modelOutput
        if output is None and found.error is None:
            raise InputError(
                line.where,
                expected="modelOutput or error, as in Bedrock's results",
                found="neither, as in a job file",
            )
        if output is None or found.error is not None:
            return found.recordId, failure_of("", found.error)
        reason = output.stop_reason
        if reason not in ("stop", "length"):
            return found.recordId, Failure(f"stop_reason {shown(reason)}")
        reply = Reply(output.generation, reason == "length", output.generation_token_count)
        return found.recordId, reply


class _ModelOutput(BaseModel):
    generation: Text
    generation_token_count: Annotated[Count | None, Known] = None
    stop_reason: str | None = None


class _BedrockResult(BaseModel):
    recordId: str  # noqa: N815
    modelOutput: _ModelOutput | None = None  # noqa: N815
    error: Any = None
