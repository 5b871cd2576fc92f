"""Every text is readable in a paper's column, and every figure fits it."""

import re
from collections.abc import Iterator
from typing import Any

import altair as alt
import pytest
import vl_convert

from multirm.charts.palette import VOTES, styles
from multirm.figures import accuracy_grid, legend, theme
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.render import Figure, specification
from multirm.tables.accuracy import Selection
from tests.figures.described import described

PAPER_POINTS = 5.5 * 72
LONG = [f"Skywork-Reward-V2-Llama-3.1-8B-{number}" for number in range(9)]


def figures() -> Iterator[tuple[str, Figure]]:
    looks = VOTES | styles(described(dict.fromkeys(LONG)))
    for n_categories in (1, 2, 5, 15):
        names = ["Overall", *(f"category_{number}" for number in range(n_categories))]
        points = [
            Point(category, method, n, 50 + n / 9, 40, 60 + n / 9, n_questions=1234)
            for category in names
            for method in [*LONG, "Majority vote"]
            for n in (1, 2, 128)
        ]
        given = Accuracies("MMLU-Pro_Llama-3.1-8B-Instruct", points, looks)
        yield f"grid {n_categories}", accuracy_grid.chart(given, Selection.BEST_OF_N, True)
        yield f"legend {n_categories}", legend.chart(given, True)


FIGURES = dict(figures())


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_six_points_or_more_in_a_column_of_a_paper(name: str) -> None:
    svg = vl_convert.vegalite_to_svg(specification(FIGURES[name]))
    found = re.search(r'<svg[^>]* width="([\d.]+)"', svg)
    assert found
    width = float(found[1])
    assert width <= theme.WIDTH
    sizes = [float(size) for size in re.findall(r'font-size="([\d.]+)px"', svg)]
    assert sizes
    assert min(sizes) * PAPER_POINTS / theme.WIDTH >= 6
    # A narrower figure would have larger text.
    assert min(sizes) * PAPER_POINTS / width >= 6


def test_a_name_is_in_the_figure_whole() -> None:
    svg = vl_convert.vegalite_to_svg(specification(FIGURES["grid 15"]))
    assert "…" not in svg
    texts = "".join(re.findall(r"<(?:text|tspan)[^>]*>([^<]*)<", svg))
    for name in LONG:
        assert name in texts


def test_the_theme_is_altair_s_while_a_figure_is_made_and_no_longer() -> None:
    before = alt.theme.active
    made: dict[str, Any] = specification(FIGURES["legend 1"])
    assert made["config"]["font"] == theme.FONT
    assert alt.theme.active == before
    assert "font" not in FIGURES["legend 1"].to_dict()["config"]


@pytest.mark.parametrize("columns", range(1, 7))
def test_panels_in_a_row_fit(columns: int) -> None:
    assert theme.Y_AXIS_WIDTH + theme.row_width(columns) <= theme.WIDTH
