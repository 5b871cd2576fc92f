"""Accuracy with shuffled steps: what the figure shows."""

from pathlib import Path
from typing import Any

import pytest

from multirm.charts.palette import VOTES
from multirm.errors import InputError
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.render import rendered
from multirm.figures.shuffled import Pair, chart, draw_shuffled
from multirm.tables import parquet
from multirm.tables.changes import CHANGES
from tests.figures.analysed import KINDS, STYLES
from tests.origins import made_of


def accuracies(
    name: str, value: float, *categories: str, sizes: tuple[int, ...] = (2, 8)
) -> Accuracies:
    points = [
        Point(category, method, n, value + n, value, value + 20, None, 10)
        for category in ("Overall", *categories)
        for method in (*KINDS, "Majority vote", "Pass@N")
        for n in sizes
    ]
    return Accuracies(name, points, VOTES | STYLES)


def pair(before: Accuracies, after: Accuracies, *changes: dict[str, Any]) -> Pair:
    return Pair(before, after, changes)


def change(category: str, method: str, value: float, **others: Any) -> dict[str, Any]:
    row = {"category": category, "method": method, "n": 2, "change": value}
    return {**row, "change_low": value - 3.2, "change_high": value + 3.4, **others}


def drawn(*pairs: Pair) -> dict[str, Any]:
    return chart(pairs).to_dict()


def test_both_accuracies_at_the_largest_common_n() -> None:
    before = accuracies("Law", 60, "law", "physics")
    figure = drawn(
        pair(
            before,
            accuracies("Mixed", 50, "law", "physics", sizes=(2,)),
            change("law", "gPRM-mini", -10.0),
            change("law", "gPRM-mini", -20.0, n=8),
            change("physics", "gPRM-mini", -30.0),
        )
    )
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["Overall"], ["Law"], ["Physics"]]
    values = figure["datasets"][panels[1]["data"]["name"]]
    own = [value for value in values if value["method"] == "gPRM-mini"]
    assert [(value["steps"], value["accuracy"], value["text"]) for value in own] == [
        ("as written", 62, None),
        ("shuffled", 52, "−10.0 [−13, −7]"),
    ]
    assert "Pass@N" not in {value["method"] for value in values}


def test_the_figure_says_what_it_shows() -> None:
    title = drawn(pair(accuracies("Law", 60, "law", "a"), accuracies("M", 50, "law", "a")))["title"]
    assert " ".join(title["text"]) == "Best-of-N accuracy with shuffled steps on Law"
    said = " ".join(title["subtitle"])
    assert "20 questions, N = 8." in said
    assert "95 % intervals" in said


def test_means_over_other_categories_are_not_compared() -> None:
    both = pair(accuracies("Law", 60, "law", "physics", "a"), accuracies("M", 50, "law", "physics"))
    titles = [panel["title"]["text"] for panel in drawn(both)["vconcat"][0]["concat"]]
    assert titles == [["Law"], ["Physics"]]


def test_nothing_in_common_is_said() -> None:
    figure = chart([pair(accuracies("Law", 60, "law"), accuracies("M", 50, "physics"))])
    assert b"no categories in common" in rendered(figure, [".svg"])[".svg"]


def test_a_change_without_interval_has_none() -> None:
    figure = drawn(
        pair(
            accuracies("Law", 60, "law", "physics"),
            accuracies("M", 50, "law", "physics"),
            change("physics", "gPRM-mini", 1.0, change_low=None, change_high=None, n=8),
        )
    )
    values = figure["datasets"][figure["vconcat"][0]["concat"][2]["data"]["name"]]
    assert {value["text"] for value in values} == {None, "+1.0"}


def changes_table(path: Path, before: str = "A", selection: str = "best_of_n") -> Path:
    row = {"dataset": "A_shuffled", "before": before, "category": "law", "selection": selection}
    row |= {"model": "dPRM", "aggregation": "min", "n": 2, "n_questions": 3}
    row |= {"change": 1.0, "change_low": None, "change_high": None, "note": None}
    parquet.write(path, CHANGES, [row], made_of())
    return path


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("best_of_n", "expected datasets with a table in --accuracy: , found A"),
        ("weighted_vote", "expected best-of-N's changes from one dataset, found 0"),
    ],
)
def test_changes_of_unknown_datasets_are_refused(
    tmp_path: Path, selection: str, message: str
) -> None:
    table = changes_table(tmp_path / "changes.parquet", selection=selection)
    with pytest.raises(InputError, match=message):
        draw_shuffled([], [table], [tmp_path / "figure.svg"])
