"""What the sections of a study share: frozen settings that refuse unknown keys, and types of names and text."""

from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from multirm.engines.address import is_address
from multirm.errors import did_you_mean
from multirm.tables.accuracy import OVERALL


def _not_reserved(category: str) -> str:
    if category.casefold() == OVERALL.casefold():
        raise ValueError(f"{category} is the average over categories; choose another name")
    return category


def _an_address(server: str) -> str:
    if not is_address(server):
        # The address is not shown, because the mistake may be a password in it.
        raise ValueError("not an address such as http://127.0.0.1:8000/v1, without a password")
    return server


def _each_once(values: list[Any]) -> list[Any]:
    for position, value in enumerate(values):
        if value in values[:position]:
            raise ValueError(f"{value} twice")
    return values


# Files are named after it, with short prefixes and suffixes.
Name = Annotated[
    str,
    StringConstraints(max_length=100, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$"),
]


Category = Annotated[Name, AfterValidator(_not_reserved)]


EachOnce = AfterValidator(_each_once)


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


OneOrMore = Annotated[
    list[Name],
    Field(min_length=1),
    EachOnce,
    BeforeValidator(_as_list, json_schema_input_type=Name | list[Name]),
]
"""A list of names; a single one may be given without a list."""


Address = Annotated[str, AfterValidator(_an_address)]


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


Categories = Annotated[list[Category], Field(min_length=1), EachOnce]


UNKNOWN_KEY = "unknown_key"
"""pydantic's error type for an unknown key."""


class Settings(BaseModel):
    """Frozen, with unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _known_keys(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Suggest the intended key for an unknown one; only here are the known ones at hand."""
        try:
            return handler(values)
        except ValidationError as error:
            lines = [cls._with_hint(line) for line in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(cls.__name__, lines) from None

    @classmethod
    def _with_hint(cls, line: ErrorDetails) -> InitErrorDetails:
        kind: str | PydanticCustomError = line["type"]
        context = line.get("ctx", {})
        if kind in ("extra_forbidden", "invalid_key") and len(line["loc"]) == 1:
            key = str(line["loc"][0])
            hint = (
                did_you_mean(key, [field.alias or name for name, field in cls.model_fields.items()])
                or "delete it"
            )
            kind, context = UNKNOWN_KEY, {"key": key, "hint": hint}
        if kind == UNKNOWN_KEY:
            kind = PydanticCustomError(UNKNOWN_KEY, "", context)
        return InitErrorDetails(type=kind, loc=line["loc"], input=line["input"], ctx=context)


class Templates(Settings):
    """Prompt template files, one per generative kind; the package's own by default."""

    gORM: Text | None = Field(None, description="for gORM critiques")  # noqa: N815
    gPRM: Text | None = Field(None, description="for gPRM critiques")  # noqa: N815

    def of(self, kind: str) -> str | None:
        """The file for a kind, if any."""
        return {"gORM": self.gORM, "gPRM": self.gPRM}[kind]
