"""Divide answers into the segments that become nodes of a tree."""

import re
from collections.abc import Sequence

from multirm.errors import InputError, shown

SENTENCE_LINES = ".\n"
"""OpenPRM's separator: a full stop at the end of a line."""
BETWEEN_STEPS = "\n\n"
"""The blank line between a solution's steps: as a separator, it makes each step a segment."""


def segments_of(steps: Sequence[str], separator: str) -> list[str]:
    """The segments of a solution, without white space around them; empty ones are dropped.

    Args:
        steps: the solution's steps.
        separator: what ends a segment. Its part before white space stays with the segment: the full stop of ".\\n".
    """
    kept = separator.rstrip()
    cut = f"(?<={re.escape(kept)}){re.escape(separator[len(kept) :])}"
    parts = re.split(cut, BETWEEN_STEPS.join(steps))
    return [part.strip() for part in parts if part.strip()]


def check_separator(separator: str) -> None:
    """Refuse a separator without white space at its end: it would divide words and numbers.

    Raises:
        InputError: such a separator.
    """
    if separator == separator.rstrip():
        raise InputError(
            "separator",
            expected="text that ends with white space, such as a full stop and a line break",
            found=shown(separator),
        )
