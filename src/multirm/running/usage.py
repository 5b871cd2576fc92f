"""How a command is typed: the program, a line of usage, and closed sets spelled as in studies and tables."""

import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cyclopts import Argument, Parameter
from cyclopts.annotations import resolve_annotated, resolve_optional

MOST_OPTIONS = 4
"""With more options than this, a line of usage would be hard to read: `--help` lists them below it."""


def usage_of(command: str, arguments: Iterable[Argument]) -> str:
    """A line that can be typed: `multirm query SQL [--results PATH] [--all]`.

    What is required is named, with what it takes; what may be left out is in brackets. The first argument and those
    that are required stand without their names if they may.
    """
    words, options = [f"multirm {command}"], []
    for place, argument in enumerate(arguments):
        if not argument.show or is_dataclass(argument.hint):
            continue
        typed = _with_value(argument)
        if argument.field_info.is_positional and (argument.required or place == 0):
            typed = without_its_name(argument)
        if argument.required:
            words.append(typed)
        else:
            options.append(f"[{typed}]")
    return " ".join([*words, *(options if len(options) <= MOST_OPTIONS else ["[OPTIONS]"])])


def without_its_name(argument: Argument) -> str:
    """What stands for an argument that is typed without its name: `QUESTION_ID`, or `FILES...` for several."""
    name = argument.name.removeprefix("--").replace("-", "_").upper()
    return name + ("..." if _is_list(argument.hint) else "")


def _with_value(argument: Argument) -> str:
    value = _value(argument)
    return f"{argument.name} {value}" if value else argument.name


def _value(argument: Argument) -> str:
    """What stands for an option's value, as in the list of options."""
    hint = resolve_annotated(resolve_optional(argument.hint))
    if hint is bool:
        return ""
    named, several = argument.parameter.metavar, ""
    if _is_list(hint):
        (inner,), several = get_args(hint), "..."
        given = (each for each in get_args(inner) if isinstance(each, Parameter))
        named = named or next((each.metavar for each in given), None)
        hint = resolve_annotated(inner)
    is_closed = get_origin(hint) is Literal or issubclass(hint, StrEnum)
    return (named or ("CHOICE" if is_closed else hint.__name__.upper())) + several


def _is_list(hint: Any) -> bool:
    return get_origin(resolve_annotated(resolve_optional(hint))) is list


def spellings(entry: Any) -> dict[str, str]:
    """How the members of an entry function's closed sets are written, by how they are typed: `{"gorm": "gORM"}`."""
    return {as_typed(member.name): member.value for each in _closed_sets(entry) for member in each}


def as_typed(name: str) -> str:
    """Normalize names of parameters and enum members for matching, so that `gPRM` and `best_of_n` work as written."""
    return name.lower().replace("_", "-")


def _closed_sets(typed: Any) -> Iterator[type[StrEnum]]:
    hints = get_type_hints(typed)
    names = [field.name for field in fields(typed)] if is_dataclass(typed) else hints
    for name in names:
        yield from _closed_sets_in(hints[name])


def _closed_sets_in(hint: Any) -> Iterator[type[StrEnum]]:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        yield hint
    elif is_dataclass(hint):
        yield from _closed_sets(hint)
    else:
        for part in get_args(hint):
            yield from _closed_sets_in(part)


def as_started() -> str:
    """How this program is typed: its name alone only if the shell finds it."""
    program = Path(sys.argv[0])
    if program.name != "multirm":
        return "python -m multirm"
    found = shutil.which("multirm")
    is_found = found is not None and program.exists() and program.samefile(found)
    return "multirm" if is_found else shlex.quote(str(program))
