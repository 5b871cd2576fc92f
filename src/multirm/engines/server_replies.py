"""The answers of a server with OpenAI's API, as far as they are used; anything else is refused."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from multirm.engines.server import Server

# The largest valid token id or count.
_MOST = 2**31 - 1

# The largest valid log-probability; rounding may lead to a little more than 0.
_LARGEST = 0.01


def _whole(text: object) -> object:
    """`text` with surrogate pairs joined, and lone surrogates replaced by U+FFFD.

    JSON can contain them, for example if a server cuts a text between two.
    """
    if not isinstance(text, str):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


Text = Annotated[str, BeforeValidator(_whole)]
LogProbability = Annotated[float, Field(le=_LARGEST, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=_MOST)]


class Model(BaseModel):
    """A served model. Only vLLM tells the length of its context."""

    id: Text
    max_model_len: Annotated[int, Field(ge=1, le=_MOST)] | None = None


class Models(BaseModel):
    """The answer to `models`."""

    data: list[Model]


class LogProbabilities(BaseModel):
    """For each position of a choice, the log-probabilities of some tokens, by name."""

    top_logprobs: list[dict[Text, LogProbability] | None] | None = None


class Choice(BaseModel):
    """One completion. Only servers that support it return `token_ids`, if asked to."""

    text: Text
    finish_reason: Literal["stop", "length"]
    token_ids: list[Count] | None = None
    logprobs: LogProbabilities | None = None

    def likeliest(self, place: int) -> Mapping[str, float]:
        """The log-probabilities returned for a position; empty if there are none."""
        told = self.logprobs.top_logprobs if self.logprobs else None
        return (told[place] or {}) if told and place < len(told) else {}


def _known(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """None for what is not understood: token counts are not worth refusing an answer for."""
    try:
        return check(value)
    except ValidationError:
        return None


Known = WrapValidator(_known)


class PromptTokens(BaseModel):
    """Details of a prompt's tokens."""

    cached_tokens: Annotated[Count | None, Known] = None


class Usage(BaseModel):
    """A server's own token counts. Few tell cached tokens; vLLM does with --enable-prompt-tokens-details."""

    prompt_tokens: Annotated[Count | None, Known] = None
    completion_tokens: Annotated[Count | None, Known] = None
    prompt_tokens_details: Annotated[PromptTokens | None, Known] = None

    @property
    def cached(self) -> int | None:
        """The number of prompt tokens found in the cache."""
        return self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None

    @property
    def computed(self) -> int | None:
        """The number of prompt tokens computed."""
        if self.prompt_tokens is None or self.cached is None or self.cached > self.prompt_tokens:
            return None
        return self.prompt_tokens - self.cached


class Answer(BaseModel):
    """The answer to `completions`."""

    choices: list[Choice]
    usage: Annotated[Usage | None, Known] = None


_T = TypeVar("_T", bound=BaseModel)


def read(kind: type[_T], answer: dict[str, Any], server: Server) -> _T:
    """Validate a server's answer.

    Raises:
        InputError: the answer is not valid.
    """
    try:
        return kind.model_validate(answer)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise server.nonsense(f"{place}: {first['msg']}, {server.said(first['input'])}") from error
