"""Errors in the words of Python: arguments instead of a command's options."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from multirm.errors import InputError
from multirm.formats.own.problems import OwnDataError

# `--unit dPRM=…` in a sentence.
_PAIR = re.compile(r"(?<![\w-])--([a-z][a-z-]*) ([^\s=,;()]+)=([^\s;()]+)")
_OPTION = re.compile(r"(?<![\w-])--([a-z][a-z-]*)")


@contextmanager
def in_python() -> Iterator[None]:
    """Report errors that the caller can fix in Python's words, and in a notebook as their message alone.

    Raises:
        InputError: with the same message, in which `--unit dPRM=step` is `unit={'dPRM': 'step'}`.
    """
    try:
        yield
    except InputError as error:
        told = error
        # These know that they are read in Python.
        if not isinstance(error, OwnDataError):
            told = InputError(
                spoken(error.where),
                expected=spoken(error.expected),
                found=error.found,
                remedy=spoken(error.remedy),
            )
        # IPython prints what this returns instead of a traceback.
        told._render_traceback_ = partial(_shown, str(told))  # type: ignore[attr-defined]
        raise told from None


def spoken(text: str) -> str:
    """A text that names options of a command, with arguments of the same names."""
    text = _PAIR.sub(lambda found: f"{_name(found[1])}={{{found[2]!r}: {found[3]!r}}}", text)
    return _OPTION.sub(lambda found: _name(found[1]), text)


def _name(option: str) -> str:
    return option.replace("-", "_")


def _shown(message: str) -> list[str]:
    return [f"InputError: {message}"]
