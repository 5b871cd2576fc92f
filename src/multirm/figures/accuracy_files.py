"""Accuracies from our table, or from the published wide CSV."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from multirm.charts.palette import CEILING, MAJORITY_VOTE, VOTES, styles
from multirm.charts.scorers import with_kinds
from multirm.errors import InputError, shown
from multirm.figures.accuracies import Accuracies, Point, method_names
from multirm.figures.measures import read_measures
from multirm.figures.published_accuracies import published_points
from multirm.tables.accuracy import (
    ACCURACY,
    Estimator,
    IntervalNote,
    Selection,
)
from multirm.tables.reward_model_rows import from_names, labels_of_shown

LONGEST_NAME = 200

_VOTES = {Selection.MAJORITY_VOTE: MAJORITY_VOTE, Selection.PASS: CEILING}


def read_accuracies(
    path: Path, selection: Selection, reward_models: Sequence[Path] = ()
) -> Accuracies:
    """The curves in a file: `selection` by each model, the majority vote and the ceiling.

    A model that was trained several times has one curve, its mean's.

    Args:
        path: an accuracy table (.parquet), or accuracies in the published layout (.csv), which hold
            one selection only.
        reward_models: tables of the reward models in it. Without any, and in the published layout, names
            tell what is a run of what, and of which kind.

    Raises:
        InputError: another suffix, or not such a file.
    """
    if not selection.needs_rewards:
        options = ", ".join(option for option in Selection if option.needs_rewards)
        raise InputError("--selection", expected=f"one of {options}", found=selection)
    match path.suffix:
        case ".parquet":
            found = _read_table(path, selection, reward_models)
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


def _read_table(path: Path, selection: Selection, tables: Sequence[Path]) -> Accuracies:
    found = read_measures(path, ACCURACY, tables, _VOTES)
    points = [
        Point(
            row["category"],
            row["method"],
            row["n"],
            row["accuracy"],
            row["accuracy_low"],
            row["accuracy_high"],
            row["note"] and IntervalNote(row["note"]),
            row["n_questions"],
        )
        for row in found.rows
        if row["selection"] in (selection, *_VOTES)
    ]
    estimators = [Estimator(row["estimator"]) for row in found.rows]
    return Accuracies(
        found.dataset,
        points,
        VOTES | found.styles,
        estimators[0] if estimators else Estimator.EXACT,
        found.has_means,
    )


def _read_published(path: Path) -> Accuracies:
    points = published_points(path)
    if not points:
        raise InputError(path, expected="accuracies", found="none")
    models = from_names(name for name in method_names(points) if name not in VOTES)
    labels, looks = labels_of_shown(models), styles(with_kinds(models))
    shown_as = labels | {name: name for name in VOTES}
    return Accuracies(
        path.stem,
        [
            replace(point, method=shown_as[point.method])
            for point in points
            if point.method in shown_as
        ],
        VOTES | {label: looks[model] for model, label in labels.items()},
        Estimator.PAPER,
        any(each.is_mean for each in models),
    )
