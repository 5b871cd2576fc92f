"""Accuracies in the published layout: a wide CSV with a row per N and method, a column per category."""

import csv
from pathlib import Path

from multirm.charts.palette import CEILING, MAJORITY_VOTE
from multirm.errors import InputError, escaped, shown
from multirm.figures.accuracies import Point
from multirm.tables.accuracy import MAJORITY_VOTE_NAME, PASS_NAME, IntervalNote

# What draws takes numbers of 64 bits, and no pool is so large.
LARGEST_N = 10**9

_VOTES = {MAJORITY_VOTE_NAME: MAJORITY_VOTE, PASS_NAME: CEILING}


def published_points(path: Path) -> list[Point]:
    """The points in a file, with methods as they are called there, but for the votes.

    Raises:
        InputError: no such file, or not such a one; says the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except FileNotFoundError as error:
        raise InputError(path, expected="a CSV file", found="no such file") from error
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(path, expected="a CSV file in UTF-8", found=str(error)) from error
    header = lines[0] if lines else []
    columns = [name for name in header if name.endswith("_mean")]
    if header[:2] != ["N", "Method"] or not columns:
        raise InputError(
            path, expected="columns N, Method, Overall_mean, …", found=shown(",".join(header))
        )
    return [
        _point(path, number, dict(zip(header, line, strict=False)), column)
        for number, line in enumerate(lines[1:], start=2)
        for column in columns
        if line
    ]


def _point(path: Path, line: int, cells: dict[str, str], column: str) -> Point:
    try:
        n, accuracy = int(cells["N"]), float(cells[column])
        method = _VOTES.get(cells["Method"], cells["Method"])
    except (KeyError, ValueError) as error:
        raise InputError(
            f"{path}, line {line}",
            expected=f"N, Method and a number in {column}",
            found=shown(",".join(cells.values())),
        ) from error
    if not 1 <= n <= LARGEST_N or not 0 <= accuracy <= 100:
        raise InputError(
            f"{path}, line {line}",
            expected=f"N from 1 to {LARGEST_N} and a percentage in {column}",
            found=f"{shown(n)} and {accuracy}",
        )
    category = column.removesuffix("_mean")
    return Point(escaped(category), escaped(method), n, accuracy, note=IntervalNote.PUBLISHED)
