"""Datasets side by side: what the figure shows of them."""

from pathlib import Path
from typing import Any

import pytest

from multirm.charts.palette import VOTES, styles
from multirm.errors import InputError
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.datasets_grid import chart, draw_datasets_grid
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Selection
from tests.figures.described import described
from tests.figures.test_accuracy_files import accuracy_row
from tests.origins import made_of

STYLES = VOTES | styles(described({"dORM": "dORM", "gPRM": "gPRM"}))


def accuracies(dataset: str, categories: list[str], methods: list[str]) -> Accuracies:
    points = [
        Point(category, method, n, 50.0 + n + place, 45.0 + n, 60.0 + n, None, 9)
        for place, category in enumerate(categories)
        for method in methods
        for n in (1, 2)
    ]
    return Accuracies(dataset, points, STYLES)


def panels(figure: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The rows of each panel, by its title."""
    found = figure["vconcat"][0]["concat"]
    return {
        " ".join(panel["title"]["text"]): figure["datasets"][panel["data"]["name"]]
        for panel in found
    }


def test_each_dataset_has_a_panel_of_its_overall_accuracies() -> None:
    junior = accuracies("junior", ["Overall", "law", "physics"], ["dORM", "gPRM", "Majority vote"])
    senior = accuracies("senior_50", ["test"], ["dORM", "Majority vote"])
    figure = chart([junior, senior], Selection.BEST_OF_N, ceiling=False).to_dict()
    rows = panels(figure)
    assert list(rows) == ["junior", "senior_50"]
    # Overall, and of a dataset with one category that one.
    assert {row["value"] for row in rows["junior"]} == {51.0, 52.0}
    assert {row["value"] for row in rows["senior_50"]} == {51.0, 52.0}
    assert {row["method"] for row in rows["senior_50"]} == {"dORM", "Majority vote"}
    said = " ".join(figure["title"]["subtitle"])
    assert figure["title"]["text"] == ["Best-of-N accuracy on 2 datasets"]
    assert "18 questions in 2 datasets, 9 in each." in said
    assert "gPRM has no accuracy in senior_50." in said
    assert "Each category of a dataset counts the same." in said


def test_one_dataset_and_none() -> None:
    only = accuracies("only", ["test"], ["dORM"])
    figure = chart([only], Selection.WEIGHTED_VOTE, ceiling=True).to_dict()
    assert figure["title"]["text"] == ["Weighted vote accuracy on only"]
    empty = chart([accuracies("empty", [], [])], Selection.BEST_OF_N, ceiling=True).to_dict()
    assert "no accuracies to draw" in str(empty)


def test_tables_that_do_not_belong_in_one_figure(tmp_path: Path) -> None:
    def draw(*rows: dict[str, Any]) -> None:
        paths = [tmp_path / f"{place}.parquet" for place in range(len(rows))]
        for path, row in zip(paths, rows, strict=True):
            parquet.write(path, ACCURACY, [row], made_of())
        draw_datasets_grid(paths, Selection.BEST_OF_N, [tmp_path / "figure.svg"])

    first = accuracy_row("best_of_n", "dPRM-8B") | {"dataset": "first"}
    with pytest.raises(InputError, match="each dataset once, found first twice"):
        draw(first, first)
    with pytest.raises(InputError, match="one estimator, found exact and paper"):
        draw(first, first | {"dataset": "second", "estimator": "paper"})
    with pytest.raises(InputError, match="found dPRM-8B and dPRM-14B, which would look the same"):
        draw(first, first | {"dataset": "second", "model": "dPRM-14B"})
    draw(first, first | {"dataset": "second"})
    assert (tmp_path / "figure.svg").exists()
