"""Accuracies by category, method and N: from our table or from the published wide CSV, in one form."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from multirm.errors import InputError, shown
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL, IntervalNote, Selection
from multirm.tables.reward_model_rows import describe, from_names, labels_of_shown

MAJORITY_VOTE = "Majority vote"
CEILING = "Pass@N"

# What draws takes numbers of 64 bits, and no pool is so large.
LARGEST_N = 10**9

# Names become text of an HTML page and of a Vega specification, which must not be able to hold markup.
_NAME = re.compile(r"[\w.@+() /-]{1,80}")


@dataclass(frozen=True)
class Point:
    """One point of a curve.

    Attributes:
        accuracy: in percent.
        low, high: its 95 % interval, in percent, where it has one.
        note: why it has none, or what it rests on besides the spread over questions.
    """

    category: str
    method: str
    n: int
    accuracy: float
    low: float | None = None
    high: float | None = None
    note: IntervalNote | None = None


def read_accuracies(
    path: Path, selection: Selection, reward_models: Sequence[Path] = ()
) -> list[Point]:
    """The curves in a file: `selection` by each model, the majority vote and the ceiling.

    A model that was trained several times has one curve, its mean's.

    Args:
        path: an accuracy table (.parquet), or accuracies in the published layout (.csv), which hold
            one selection only.
        reward_models: tables of the reward models in it; names tell what is a run of what without any, and
            in the published layout.

    Raises:
        InputError: another suffix, not such a file, or one without a curve to draw.
    """
    if not selection.needs_rewards:
        options = ", ".join(option for option in Selection if option.needs_rewards)
        raise InputError("--selection", expected=f"one of {options}", found=selection)
    match path.suffix:
        case ".parquet":
            points = _read_table(path, selection, reward_models)
        case ".csv":
            points = _read_published(path)
        case _:
            raise InputError(path, expected="a .parquet or .csv file", found=shown(path.suffix))
    if not points:
        raise InputError(path, expected="accuracies", found="none")
    _check_once(path, points)
    for name in {name for point in points for name in (point.category, point.method)}:
        if not _NAME.fullmatch(name):
            raise InputError(
                path, expected="names of letters, digits and ._-+@()/", found=shown(name)
            )
    return points


def _check_once(path: Path, points: Sequence[Point]) -> None:
    seen: set[tuple[str, str, int]] = set()
    for point in points:
        place = (point.category, point.method, point.n)
        if place in seen:
            raise InputError(
                path,
                expected="one accuracy for each category, method and N",
                found=f"two for {shown(place)}",
            )
        seen.add(place)


def _read_table(path: Path, selection: Selection, tables: Sequence[Path]) -> list[Point]:
    fixed = {Selection.MAJORITY_VOTE: MAJORITY_VOTE, Selection.PASS: CEILING}
    rows = [
        row
        for row in parquet.read(path, ACCURACY).to_pylist()
        if row["selection"] in (selection, *fixed)
    ]
    scorers = {(row["model"], row["aggregation"]) for row in rows}
    models = [model for model, _ in scorers]
    named = [row["model"] for row in rows if row["model"]]
    names = labels_of_shown(describe(named, rows[0]["dataset"], tables)) if rows else {}
    return [
        Point(
            row["category"],
            fixed.get(row["selection"])
            or names[row["model"]]
            + (f" {row['aggregation']}" if models.count(row["model"]) > 1 else ""),
            row["n"],
            row["accuracy"],
            row["low"],
            row["high"],
            row["note"] and IntervalNote(row["note"]),
        )
        for row in rows
        if row["selection"] in fixed or row["model"] in names
    ]


def _read_published(path: Path) -> list[Point]:
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
    points = [
        _published_point(path, number, dict(zip(header, line, strict=False)), column)
        for number, line in enumerate(lines[1:], start=2)
        for column in columns
        if line
    ]
    names = labels_of_shown(from_names(dict.fromkeys(point.method for point in points)))
    return [replace(point, method=names[point.method]) for point in points if point.method in names]


def _published_point(path: Path, line: int, cells: dict[str, str], column: str) -> Point:
    names = {"MV": MAJORITY_VOTE, "Pass@N": CEILING}
    try:
        n, accuracy = int(cells["N"]), float(cells[column])
        method = names.get(cells["Method"], cells["Method"])
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
    return Point(category, method, n, accuracy, note=IntervalNote.PUBLISHED)


def category_names(points: Sequence[Point]) -> list[str]:
    """The categories in the order of the file, Overall first; a lone category is the whole by itself."""
    names = list(dict.fromkeys(point.category for point in points))
    others = [name for name in names if name != OVERALL]
    if len(others) == 1:
        return others
    return [OVERALL, *others] if OVERALL in names else others


def method_names(points: Sequence[Point]) -> list[str]:
    """The models in the order of the file, then the majority vote and the ceiling."""
    last = [MAJORITY_VOTE, CEILING]
    names = dict.fromkeys(point.method for point in points)
    return [name for name in names if name not in last] + [name for name in last if name in names]
