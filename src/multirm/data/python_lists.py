"""Lists that were written into a CSV field as Python's `repr`, read without evaluating anything.

The text must have the form of a list of texts or of whole numbers, checked before it is parsed: so there are no
names, calls, nested lists or huge numbers, and hostile text costs no more than its length.
"""

import ast
import re

_ESCAPE = r"\\(?:[\\'\"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_TEXT = rf"(?:'(?:[^'\\\n]|{_ESCAPE})*+'|\"(?:[^\"\\\n]|{_ESCAPE})*+\")"
_NUMBER = r"[+-]?[0-9]{1,9}"


def _list_of(item: str) -> re.Pattern[str]:
    return re.compile(rf"\s*\[\s*(?:{item}\s*(?:,\s*{item}\s*)*+,?\s*)?\]\s*")


_TEXTS = _list_of(_TEXT)
_NUMBERS = _list_of(_NUMBER)


def parse_texts(text: str) -> list[str] | None:
    """The texts in the `repr` of a list of texts, or None if it is something else."""
    return _parsed(text) if _TEXTS.fullmatch(text) else None


def parse_numbers(text: str) -> list[int] | None:
    """The numbers in the `repr` of a list of whole numbers, or None if it is something else."""
    return _parsed(text) if _NUMBERS.fullmatch(text) else None


def _parsed(text: str) -> list | None:  # type: ignore[type-arg]
    try:
        found = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        # A number with a leading 0, or a code point that does not exist.
        return None
    return found if isinstance(found, list) else None
