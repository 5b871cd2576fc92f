"""Accuracy with shuffled steps: what the figure shows."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.palette import VOTES
from multirm.figures.render import rendered
from multirm.figures.shuffled import Pair, chart, draw_shuffled
from tests.figures.analysed import KINDS, STYLES


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


def drawn(*pairs: Pair) -> dict[str, Any]:
    return chart(pairs).to_dict()


def test_both_accuracies_at_the_largest_common_n() -> None:
    before = accuracies("Law", 60, "law", "physics")
    figure = drawn(Pair(before, accuracies("Mixed", 50, "law", "physics", sizes=(2,))))
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["Overall"], ["Law"], ["Physics"]]
    values = figure["datasets"][panels[1]["data"]["name"]]
    own = [value for value in values if value["method"] == "gPRM-mini"]
    assert [(value["steps"], value["accuracy"], value["text"]) for value in own] == [
        ("as written", 62, None),
        ("shuffled", 52, "−10.0"),
    ]
    assert "Pass@N" not in {value["method"] for value in values}


def test_the_figure_says_what_it_shows() -> None:
    title = drawn(Pair(accuracies("Law", 60, "law", "a"), accuracies("M", 50, "law", "a")))["title"]
    assert " ".join(title["text"]) == "Best-of-N accuracy with shuffled steps on Law"
    said = " ".join(title["subtitle"])
    assert "20 questions, N = 8." in said
    assert "95 % intervals" in said


def test_means_over_other_categories_are_not_compared() -> None:
    pair = Pair(accuracies("Law", 60, "law", "physics", "a"), accuracies("M", 50, "law", "physics"))
    titles = [panel["title"]["text"] for panel in drawn(pair)["vconcat"][0]["concat"]]
    assert titles == [["Law"], ["Physics"]]


def test_nothing_in_common_is_said() -> None:
    figure = chart([Pair(accuracies("Law", 60, "law"), accuracies("M", 50, "physics"))])
    assert b"no categories in common" in rendered(figure, [".svg"])[".svg"]


def test_pairs_of_unknown_datasets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SHUFFLED=ORIGINAL"):
        draw_shuffled([], ["a=b"], [tmp_path / "figure.svg"])
