"""OpenAI's form of batch files, which vLLM's `run_batch` and other services read as well: chat completions."""

import logging
from typing import Annotated, Any

from pydantic import BaseModel, Field

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.batch_forms import (
    Failure,
    Reply,
    failure_of,
    read_as,
    refuse_what_text_cannot_tell,
)
from multirm.engines.server_replies import Known, Text, Usage
from multirm.errors import InputError, shown
from multirm.formats.json_source import Record

logger = logging.getLogger(__name__)


class OpenaiForm:
    """OpenAI's form. `model` is the service's name of the model."""

    service = "OpenAI"
    most_records = 50_000
    most_bytes = 200_000_000
    least_records = 1

    def __init__(self, model: str) -> None:
        self._model = model

    def check(self, request: Request) -> None:
        refuse_what_text_cannot_tell(request)
        started = [prompt for prompt in request.prompts if prompt.turns is None]
        if started:
            raise InputError(
                "--engine openai_batch",
                expected="prompts that end with a turn of the user",
                found=f"{len(started)} that start the reply (first: {shown(started[0].key)})",
                remedy="critiques and continuations need another engine",
            )
        extra = [name for name in ("top_k", "min_p") if getattr(request.sampling, name)]
        if extra:
            logger.warning("OpenAI's own service refuses %s", " and ".join(extra))

    def body(self, prompt: Prompt, sampling: Sampling, max_tokens: int) -> dict[str, Any]:
        turns = enumerate(prompt.turns or ())
        roles = ("user", "assistant")
        extra = {name: value for name in ("top_k", "min_p") if (value := getattr(sampling, name))}
        return {
            "model": self._model,
            "messages": [{"role": roles[k % 2], "content": turn} for k, turn in turns],
            # The older `max_tokens` is refused by OpenAI's newer models.
            "max_completion_tokens": max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            **extra,
        }

    def line(self, record: str, body: dict[str, Any], seed: int) -> dict[str, Any]:
        return {
            "custom_id": record,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {**body, "seed": seed},
        }

    def read(self, line: Record) -> tuple[str, Reply | Failure]:
        found = read_as(_OpenaiResult, line, self.service)
        response = found.response
        if response is None or response.status_code != 200 or found.error is not None:
            status = f"status {response.status_code}" if response else ""
            error = found.error or (response and response.body and response.body.get("error"))
            return found.custom_id, failure_of(status, error)
        answer = read_as(_Chat, Record(f"{line.where}, body", response.body or {}), self.service)
        [choice] = answer.choices
        text, reason = choice.message.content, choice.finish_reason
        if text is None or reason not in ("stop", "length"):
            return found.custom_id, Failure(f"no text, finish_reason {shown(reason)}")
        n_tokens = answer.usage.completion_tokens if answer.usage else None
        return found.custom_id, Reply(text, reason == "length", n_tokens)


class _Response(BaseModel):
    status_code: int
    body: dict[str, Any] | None = None


class _OpenaiResult(BaseModel):
    custom_id: str
    response: _Response | None
    error: Any = None


class _Message(BaseModel):
    content: Text | None = None


class _ChatChoice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Chat(BaseModel):
    choices: Annotated[list[_ChatChoice], Field(min_length=1, max_length=1)]
    usage: Annotated[Usage | None, Known] = None
