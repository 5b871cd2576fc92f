"""The one exception for what a user can fix (bad files, settings, arguments), and how its messages are worded."""

import difflib
import re
from collections.abc import Iterable, Sequence


class InputError(Exception):
    """A file, a setting or an argument is wrong. A bug is never an `InputError`.

    The message is one line, `WHERE: expected EXPECTED, found FOUND; REMEDY`, which the command line
    prints without a traceback. Control characters in it are escaped, so that a terminal does not
    interpret them.
    """

    def __init__(self, where: object, *, expected: str, found: str, remedy: str = "") -> None:
        self.where = str(where)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(escaped(" ".join(f"{self.where}: {self.mistake}".split())))

    @property
    def mistake(self) -> str:
        """The message without its `WHERE`."""
        mistake = f"expected {self.expected}, found {self.found}"
        return f"{mistake}; {self.remedy}" if self.remedy else mistake


class WaitingError(InputError):
    """A job cannot go on before there are files that are made elsewhere. Once they are there, run it again."""


def waiting_for_all(errors: Sequence[WaitingError]) -> WaitingError:
    """Combine what a job waits for in one place: at least one error."""
    return WaitingError(
        errors[0].where,
        expected=" and ".join(error.expected for error in errors),
        found="; ".join(dict.fromkeys(error.found for error in errors)),
        remedy=errors[0].remedy,
    )


_MOST_SHOWN = 10


def together(where: object, errors: Sequence[InputError]) -> InputError:
    """Combine several errors about one thing into one line: `… found 2: (1) … (2) …`.

    Args:
        where: what the errors are about, such as a file.
        errors: at least one.
    """
    if len(errors) == 1:
        return errors[0]
    kept = errors[:_MOST_SHOWN]
    parts = [f"({number}) {error.mistake}" for number, error in enumerate(kept, 1)]
    parts += [f"and {len(errors) - len(kept)} more"] if errors[len(kept) :] else []
    return InputError(where, expected="no mistakes", found=f"{len(errors)}: {' '.join(parts)}")


def shown(value: object, length: int = 60) -> str:
    """Format `value` for a one-line message: quoted, control characters escaped, cut to `length`."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Very deeply nested lists, and integers of thousands of digits.
        text = f"{type(value).__name__} too large to show"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escaped(text: str) -> str:
    """`text` with control characters, line ends and lone surrogates escaped, so that no terminal interprets them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def one_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`did you mean NEAREST?`, ignoring case; empty if no known word is close."""
    spelled = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(word).casefold(), spelled, n=1)
    return f"did you mean {spelled[near[0]]}?" if near else ""


def permitted(message: str) -> str:
    """The constraint in a pydantic message, worded to follow `expected`."""
    return re.sub(r"^\w+ should (be|have) | after validation, not \d+$", "", message)
