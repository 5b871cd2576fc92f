"""Accuracies from our table, or from the published wide CSV."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multirm.errors import InputError, escaped, shown
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.palette import (
    CEILING,
    MAJORITY_VOTE,
    VOTES,
    Model,
    Style,
    styles,
    with_aggregation,
)
from multirm.tables import parquet
from multirm.tables.accuracy import (
    ACCURACY,
    MAJORITY_VOTE_NAME,
    PASS_NAME,
    Aggregation,
    Estimator,
    IntervalNote,
    Selection,
)
from multirm.tables.reward_models import Kind, mean_name, model_of, shown_models

# What draws takes numbers of 64 bits, and no pool is so large.
LARGEST_N = 10**9
LONGEST_NAME = 200

_VOTES = {Selection.MAJORITY_VOTE: MAJORITY_VOTE, Selection.PASS: CEILING}
_PUBLISHED_VOTES = {MAJORITY_VOTE_NAME: MAJORITY_VOTE, PASS_NAME: CEILING}


def read_accuracies(path: Path, selection: Selection) -> Accuracies:
    """The curves in a file: `selection` by each model, the majority vote and the ceiling.

    A model that was trained several times has one curve, its mean's.

    Args:
        path: an accuracy table (.parquet), or accuracies in the published layout (.csv), which hold
            one selection only.

    Raises:
        InputError: another suffix, or not such a file.
    """
    if not selection.needs_rewards:
        options = ", ".join(option for option in Selection if option.needs_rewards)
        raise InputError("--selection", expected=f"one of {options}", found=selection)
    match path.suffix:
        case ".parquet":
            found = _read_table(path, selection)
        case ".csv":
            found = _read_published(path)
        case _:
            raise InputError(path, expected="a .parquet or .csv file", found=shown(path.suffix))
    _check_names(path, found)
    _check_once(path, found.points)
    return found


def _check_names(path: Path, accuracies: Accuracies) -> None:
    named = {name for point in accuracies.points for name in (point.category, point.method)}
    for name in {accuracies.dataset, *named}:
        if not name or len(name) > LONGEST_NAME:
            raise InputError(
                path, expected=f"names of 1 to {LONGEST_NAME} characters", found=shown(name)
            )


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


def _known_by_name(names: Iterable[str]) -> list[Model]:
    """What names tell of reward models, where no table does: published names begin with the kind."""
    models = {name: model_of(name) for name in names}
    return [
        Model(name, model, next((kind for kind in Kind if model.startswith(kind)), None))
        for name, model in models.items()
    ]


def _read_table(path: Path, selection: Selection) -> Accuracies:
    rows = parquet.read(path, ACCURACY).to_pylist()
    labels = _labels(rows)
    drawn = [row for row in rows if row["selection"] in (selection, *_VOTES)]
    points = [
        Point(
            escaped(row["category"]),
            method,
            row["n"],
            row["accuracy"],
            row["low"],
            row["high"],
            row["note"] and IntervalNote(row["note"]),
            row["n_questions"],
        )
        for row in drawn
        if (method := _VOTES.get(row["selection"]) or labels.get(_scorer(row), ("",))[0])
    ]
    return Accuracies(
        ", ".join(dict.fromkeys(escaped(row["dataset"]) for row in rows)) or path.stem,
        points,
        VOTES | dict(labels.values()),
        Estimator(rows[0]["estimator"]) if rows else Estimator.EXACT,
        any(model == mean_name(model_of(model)) for model, _ in labels),
    )


def _scorer(row: dict[str, Any]) -> tuple[str, str]:
    return row["model"], row["aggregation"]


def _labels(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], tuple[str, Style]]:
    """Each model that is shown, with each of its aggregations: what people are shown, and its style."""
    ways: dict[str, list[str]] = {}
    for row in rows:
        if row["model"]:
            ways.setdefault(row["model"], []).append(row["aggregation"])
    looks = styles(_known_by_name(ways))
    found = {}
    for model, label in shown_models(ways).items():
        given = [way for way in (*Aggregation, None) if way in ways[model]]
        for rank, way in enumerate(given):
            name = f"{label} {way}" if len(given) > 1 else label
            found[model, way] = (escaped(name), with_aggregation(looks[model], rank))
    return found


def _read_published(path: Path) -> Accuracies:
    points = _published_points(path)
    if not points:
        raise InputError(path, expected="accuracies", found="none")
    models = [name for name in dict.fromkeys(point.method for point in points) if name not in VOTES]
    labels, looks = shown_models(models), styles(_known_by_name(models))
    return Accuracies(
        path.stem,
        [
            replace(point, method=labels.get(point.method, point.method))
            for point in points
            if point.method in labels or point.method in VOTES
        ],
        VOTES | {label: looks[model] for model, label in labels.items()},
        Estimator.PAPER,
        any(label != model for model, label in labels.items()),
    )


def _published_points(path: Path) -> list[Point]:
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
        _published_point(path, number, dict(zip(header, line, strict=False)), column)
        for number, line in enumerate(lines[1:], start=2)
        for column in columns
        if line
    ]


def _published_point(path: Path, line: int, cells: dict[str, str], column: str) -> Point:
    try:
        n, accuracy = int(cells["N"]), float(cells[column])
        method = _PUBLISHED_VOTES.get(cells["Method"], cells["Method"])
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
