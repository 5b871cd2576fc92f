"""Arguments of functions, checked as the options of the same names are."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, did_you_mean, one_of, permitted, shown

Member = TypeVar("Member", bound=StrEnum)
Kind = TypeVar("Kind")
Value = TypeVar("Value")


def member(argument: str, word: str, closed_set: type[Member]) -> Member:
    """The member of a closed set that an argument names.

    Raises:
        InputError: there is none.
    """
    try:
        return closed_set(word)
    except ValueError:
        words = list(closed_set)
        raise InputError(
            argument, expected=one_of(words), found=shown(word), remedy=did_you_mean(word, words)
        ) from None


def of_each(
    argument: str,
    said: str | Mapping[str, str] | None,
    closed_set: type[Member],
    models: Mapping[str, object],
) -> dict[str, Member]:
    """The member of a closed set for each model; a word alone is for all models.

    Raises:
        InputError: a word is none of the closed set.
    """
    if isinstance(said, str):
        return dict.fromkeys(models, member(argument, said, closed_set))
    each = pairs(argument, said, f"{{'MODEL': {str(next(iter(closed_set)))!r}}}")
    return {model: member(argument, word, closed_set) for model, word in each.items()}


def pairs(argument: str, said: Mapping[str, Value] | None, example: str) -> dict[str, Value]:
    """An argument that gives names values; none if it is None.

    Raises:
        InputError: it is no mapping, or names are no texts.
    """
    if said is None:
        return {}
    if not isinstance(said, Mapping) or not all(isinstance(name, str) for name in said):
        raise InputError(argument, expected=f"a dict, such as {example}", found=shown(said))
    return dict(said)


def text(argument: str, given: object) -> str:
    """An argument that is a text.

    Raises:
        InputError: it is something else.
    """
    if not isinstance(given, str):
        raise InputError(argument, expected="a text", found=shown(given))
    return given


def path(argument: str, given: object) -> Path:
    """An argument that is a path.

    Raises:
        InputError: it is neither a text nor a path.
    """
    if not isinstance(given, str | Path):
        raise InputError(argument, expected="a path", found=shown(given))
    return Path(given)


def validated(kind: type[Kind], **given: Any) -> Kind:
    """A dataclass of options, made from arguments of the names of its fields.

    Raises:
        InputError: a value is of another type, or out of range.
    """
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        where, found = str(details["loc"][0]), shown(details["input"])
        raise InputError(where, expected=permitted(details["msg"]), found=found) from None
