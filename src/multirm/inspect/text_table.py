"""Rows of any values as a table for a terminal: aligned, escaped, and cut to a width."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from multirm.errors import escaped

BETWEEN = "  "
CUT = "…"
# A column that is cut keeps at least this width, in which a number or the start of a text can be read.
LEAST = 12


def text_table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None
) -> tuple[list[str], int]:
    """Lines of a table, and how many of its columns they show.

    Args:
        width: of the terminal, in characters. The widest columns are cut until all fit, and columns that do not fit
            even so are left out at the right. None: nothing is cut.
    """
    cells = [[_shown(name) for name in names], *([_shown(value) for value in row] for row in rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(width_of, column)) for column in columns]
    if width is not None:
        widths = fitting(widths, width)
    numeric = [_is_numeric([row[place] for row in rows]) for place in range(len(widths))]
    lines = [
        BETWEEN.join(
            _padded(_cut(cell, room), room, at_right=right)
            for cell, room, right in zip(line, widths, numeric, strict=False)
        ).rstrip()
        for line in cells
    ]
    rule = BETWEEN.join("─" * room for room in widths)
    return [lines[0], rule, *lines[1:]], len(widths)


def fitting(widths: Sequence[int], total: int) -> list[int]:
    """The widths of the first columns so that they fit into a line: all of them, if at least `LEAST` is left to each.

    No column is cut while another one is wider.
    """
    kept = list(widths)
    while len(kept) > 1 and _line([min(each, LEAST) for each in kept]) > total:
        kept.pop()
    longest = max(kept, default=0)
    while longest > 1 and _line([min(each, longest) for each in kept]) > total:
        longest -= 1
    return [min(each, longest) for each in kept]


def width_of(text: str) -> int:
    """The columns of a terminal that a text takes: East Asian characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(map(_width_of_character, text))


def _width_of_character(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _line(widths: Sequence[int]) -> int:
    return sum(widths) + len(BETWEEN) * (len(widths) - 1)


def _cut(text: str, width: int) -> str:
    if width_of(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += _width_of_character(character)
        if used > width - len(CUT):
            break
        kept.append(character)
    return "".join(kept) + CUT


def _padded(text: str, width: int, *, at_right: bool) -> str:
    space = " " * (width - width_of(text))
    return space + text if at_right else text + space


def _shown(value: Any) -> str:
    """A value as text on one line; numbers with six digits."""
    return escaped(value if isinstance(value, str) else _text(value))


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_text(key)}: {_text(each)}' for key, each in value.items())}}}"
    return str(value)


def _is_numeric(values: Sequence[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in known
    )
