"""The forms of batch services: a record as a line of a job file, and a line of a result file as a reply.

OpenAI's form (also vLLM's `run_batch` and other services): each record is a request for a chat completion, so it
holds the turns of a conversation. Amazon Bedrock's form, for its Llama models: each record holds a prompt as text.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from multirm.engines.base import Prompt, Request, Sampling
from multirm.errors import InputError, shown
from multirm.formats.json_source import Record

_T = TypeVar("_T", bound=BaseModel)

_N_REASON = 200


@dataclass(frozen=True)
class Reply:
    """What a service replied: the text, whether it was cut off, and its number of tokens, if the service tells.

    Attributes:
        given_up: the user does not want the record to be asked again, so nothing came.
    """

    text: str
    truncated: bool
    n_tokens: int | None
    given_up: bool = False


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


def refuse_what_text_cannot_tell(request: Request) -> None:
    """Refuse a request for what batch services do not return.

    Raises:
        InputError: the request has stop strings, or watches tokens.
    """
    wanted = "stop strings" if request.stop else "probabilities" if request.watch else ""
    if wanted:
        raise InputError(
            "--engine",
            expected=f"one that supports {wanted}",
            found="a batch service, which returns only whole texts",
            remedy="score with transformers, vllm or openai",
        )


def read_as(kind: type[_T], line: Record, service: str) -> _T:
    """Validate a line of a result file.

    Raises:
        InputError: it is not valid.
    """
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


def failure_of(status: str, error: Any) -> Failure:
    """A failure with a service's words about it: its code and its message, if they are where they should be."""
    known = error if isinstance(error, dict) else {}
    # vLLM puts it one level deeper.
    known = known["error"] if isinstance(known.get("error"), dict) else known
    words = [known.get(name) for name in ("code", "message", "errorCode", "errorMessage")]
    told = ": ".join(str(word) for word in words if word) or (shown(error) if error else "")
    reason = " ".join(f"{status} {told}".split())[:_N_REASON]
    return Failure(reason or "an error without words")
