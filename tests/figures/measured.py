"""Measures as figures get them, for tests."""

from collections.abc import Iterator, Sequence
from typing import Any

from multirm.charts.palette import styles
from multirm.figures.measures import Measures
from tests.figures.described import described

KINDS = {"dPRM-14B": "dPRM", "gORM-14B": "gORM", "mine": None}


def measures(rows: Sequence[dict[str, Any]], **changes: Any) -> Measures:
    return Measures("MMLU", rows, styles(described(KINDS)), **changes)


def rows_of(
    categories: Sequence[str], methods: Sequence[str] = tuple(KINDS), **columns: Any
) -> list[dict[str, Any]]:
    """A row per category and method, with counts and the columns given."""
    return [
        {
            "category": category,
            "model": method,
            "method": method,
            "note": None,
            "n_questions": 9,
            **columns,
        }
        for category in categories
        for method in methods
    ]


def measured(name: str, value: float | None) -> dict[str, float | None]:
    """A measure and an interval."""
    ends = (None, None) if value is None else (value - 0.1, value + 0.1)
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def panels(figure: dict[str, Any], place: int = 0) -> list[dict[str, Any]]:
    """The panels of one of the grids that stand above each other."""
    found: list[dict[str, Any]] = figure["vconcat"][place]["concat"]
    return found


def shown(figure: dict[str, Any], place: int = 0) -> Iterator[dict[str, Any]]:
    """What the panels are drawn from; Altair puts the data of a lone panel at its grid."""
    grid = figure["vconcat"][place]
    for panel in grid["concat"]:
        yield from figure["datasets"][(panel if "data" in panel else grid)["data"]["name"]]


def subtitle(figure: dict[str, Any]) -> str:
    return " ".join(figure["title"]["subtitle"])
