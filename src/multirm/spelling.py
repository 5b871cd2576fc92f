"""The word that was meant: what is permitted, and which of it is nearest to what was written."""

import difflib
import re
from collections.abc import Iterable, Sequence


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
