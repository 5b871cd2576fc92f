"""The forms of batch services: a record as a line of a job file, and a line of a result file as a reply.

OpenAI's form (also vLLM's `run_batch` and other services): each record is a request for a chat completion, so it
holds the turns of a conversation. Amazon Bedrock's form, for its Llama models: each record holds a prompt as text.
"""

import logging
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeVar

from pydantic import BaseModel, Field, ValidationError
from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Prompt, Request, Sampling
from multirm.engines.server_replies import Count, Known, Text, Usage
from multirm.engines.stops import decode
from multirm.errors import InputError, shown
from multirm.formats.json_source import Record

logger = logging.getLogger(__name__)

_T = TypeVar("_T", bound=BaseModel)

_N_REASON = 200


@dataclass(frozen=True)
class Reply:
    """What a service replied: the text, whether it was cut off, and its number of tokens, if the service tells."""

    text: str
    truncated: bool
    n_tokens: int | None


@dataclass(frozen=True)
class Failure:
    """Why a service gave no reply."""

    reason: str


class Form(Protocol):
    """How a service wants its records, and how it returns replies.

    Attributes:
        service: its name.
        most_records, most_bytes: limits on a job file.
        least_records: the usual minimum of records in a job.
    """

    service: str
    most_records: int
    most_bytes: int
    least_records: int

    def check(self, request: Request) -> None:
        """Refuse a request that the service cannot answer.

        Raises:
            InputError: says why not.
        """
        ...

    def body(self, prompt: Prompt, sampling: Sampling, max_tokens: int) -> dict[str, Any]:
        """What the service is asked for each sample of a prompt.

        Raises:
            InputError: the prompt cannot be put into a text.
        """
        ...

    def line(self, record: str, body: dict[str, Any], seed: int) -> dict[str, Any]:
        """The line of a job file for a record; not all services take seeds."""
        ...

    def read(self, line: Record) -> tuple[str, Reply | Failure]:
        """The id of the record that a line of a result file is about, and its outcome.

        Raises:
            InputError: it is no result of this service.
        """
        ...


class OpenaiForm:
    """OpenAI's form. `model` is the service's name of the model."""

    service = "OpenAI"
    most_records = 50_000
    most_bytes = 200_000_000
    least_records = 1

    def __init__(self, model: str) -> None:
        self._model = model

    def check(self, request: Request) -> None:
        _refuse_what_text_cannot_tell(request)
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
        found = _as(_OpenaiResult, line, self.service)
        response = found.response
        if response is None or response.status_code != 200 or found.error is not None:
            status = f"status {response.status_code}" if response else ""
            error = found.error or (response and response.body and response.body.get("error"))
            return found.custom_id, _failure(status, error)
        answer = _as(_Chat, Record(f"{line.where}, body", response.body or {}), self.service)
        [choice] = answer.choices
        text, reason = choice.message.content, choice.finish_reason
        if text is None or reason not in ("stop", "length"):
            return found.custom_id, Failure(f"no text, finish_reason {shown(reason)}")
        n_tokens = answer.usage.completion_tokens if answer.usage else None
        return found.custom_id, Reply(text, reason == "length", n_tokens)


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
        _refuse_what_text_cannot_tell(request)
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
        found = _as(_BedrockResult, line, self.service)
        output = found.modelOutput
        if output is None or found.error is not None:
            return found.recordId, _failure("", found.error)
        reason = output.stop_reason
        if reason not in ("stop", "length"):
            return found.recordId, Failure(f"stop_reason {shown(reason)}")
        reply = Reply(output.generation, reason == "length", output.generation_token_count)
        return found.recordId, reply


def _refuse_what_text_cannot_tell(request: Request) -> None:
    wanted = "stop strings" if request.stop else "probabilities" if request.watch else ""
    if wanted:
        raise InputError(
            "--engine",
            expected=f"one that supports {wanted}",
            found="a batch service, which returns only whole texts",
            remedy="score with transformers, vllm or openai",
        )


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


class _ModelOutput(BaseModel):
    generation: Text
    generation_token_count: Annotated[Count | None, Known] = None
    stop_reason: str | None = None


class _BedrockResult(BaseModel):
    recordId: str  # noqa: N815
    modelOutput: _ModelOutput | None = None  # noqa: N815
    error: Any = None


def _as(kind: type[_T], line: Record, service: str) -> _T:
    try:
        return kind.model_validate(line.values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(
            line.where,
            expected=f"a result of {service}'s batch service",
            found=f"{place}: {first['msg']}",
        ) from error


def _failure(status: str, error: Any) -> Failure:
    """A failure with a service's words about it: its code and its message, if they are where they should be."""
    known = error if isinstance(error, dict) else {}
    # vLLM puts it one level deeper.
    known = known["error"] if isinstance(known.get("error"), dict) else known
    words = [known.get(name) for name in ("code", "message", "errorCode", "errorMessage")]
    told = ": ".join(str(word) for word in words if word) or (shown(error) if error else "")
    reason = " ".join(f"{status} {told}".split())[:_N_REASON]
    return Failure(reason or "no reply and no error")
