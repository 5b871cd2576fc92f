"""The one exception for what a person can mend (bad files, settings, arguments), and the words of its messages."""

import difflib
import re
from collections.abc import Iterable, Sequence


class InputError(Exception):
    """Something outside the program is not as it must be.

    Its text is one line, `WHERE: expected EXPECTED, found FOUND; REMEDY`, which the command line
    prints without a traceback. Control characters from data are escaped in it, so that a terminal
    shows them and does not obey them. A bug is never an `InputError`.
    """

    def __init__(self, where: object, *, expected: str, found: str, remedy: str = "") -> None:
        self.where = str(where)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(escaped(" ".join(f"{self.where}: {self.mistake}".split())))

    @property
    def mistake(self) -> str:
        """What is wrong, without where."""
        mistake = f"expected {self.expected}, found {self.found}"
        return f"{mistake}; {self.remedy}" if self.remedy else mistake


_MOST_SHOWN = 10


def together(where: object, errors: Sequence[InputError]) -> InputError:
    """One error, of one line, that says all that is wrong with a thing: `… found 2: (1) … (2) …`.

    Args:
        where: what the errors are about, a file say.
        errors: at least one.
    """
    if len(errors) == 1:
        return errors[0]
    kept = errors[:_MOST_SHOWN]
    parts = [f"({number}) {error.mistake}" for number, error in enumerate(kept, 1)]
    parts += [f"and {len(errors) - len(kept)} more"] if errors[len(kept) :] else []
    return InputError(where, expected="no mistakes", found=f"{len(errors)}: {' '.join(parts)}")


def shown(value: object, length: int = 60) -> str:
    """`value` as it may stand in a one-line message: quoted, control characters escaped, cut to `length`."""
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # Lists in lists without end, and whole numbers of thousands of digits.
        text = f"{type(value).__name__} too large to show"
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escaped(text: str) -> str:
    """`text` with control characters, line ends and half characters as a terminal shows and does not obey them."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def one_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """`did you mean NEAREST?`, or nothing where no known word is near; case counts for nothing."""
    spelled = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(word).casefold(), spelled, n=1)
    return f"did you mean {spelled[near[0]]}?" if near else ""


def permitted(message: str) -> str:
    """What pydantic says that a value should be, to stand after `expected`."""
    return re.sub(r"^\w+ should (be|have) | after validation, not \d+$", "", message)
