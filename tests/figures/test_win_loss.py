"""Each method against each other: what the figure shows."""

import re
from typing import Any

import pytest

from multirm.charts.palette import styles
from multirm.figures import theme
from multirm.figures.measures import Measures
from multirm.figures.render import rendered
from multirm.figures.win_loss import chart
from tests.figures.analysed import KINDS, groups, shown
from tests.figures.described import described


def row(model: str, other: str | None, difference: float, p: float, family: str = "primary") -> Any:
    return {"category": "Overall", "model": model, "aggregation": "min", "n": 8} | {
        "selection": "best_of_n",
        "other_selection": "best_of_n" if other else "majority_vote",
        "other_model": other,
        "other_aggregation": other and "min",
        "difference": difference,
        "difference_low": difference - 2,
        "difference_high": difference + 2,
        "p_holm": p,
        "family": family,
    }


ROWS = [
    row("dORM-8B", None, 3.0, 0.01),
    row("dORM-8B", "gPRM-mini", -1.5, 0.3),
    row("gPRM-mini", None, 4.5, 0.049),
    row("gPRM-mini", None, 9.0, 0.001, "exploratory"),
]


def test_each_cell_is_the_row_minus_the_column() -> None:
    figure = chart(shown(ROWS), groups("law")).to_dict()
    panel, empty = figure["vconcat"][0]["concat"]
    cells = {
        (cell["row"], cell["column"]): cell["text"]
        for cell in figure["datasets"][panel["data"]["name"]]
    }
    assert cells == {
        ("dORM-8B", "Majority vote"): "+3.0*",
        ("Majority vote", "dORM-8B"): "−3.0*",
        ("dORM-8B", "gPRM-mini"): "−1.5",
        ("gPRM-mini", "dORM-8B"): "+1.5",
        ("gPRM-mini", "Majority vote"): "+4.5*",
        ("Majority vote", "gPRM-mini"): "−4.5*",
        **{(name, name): "" for name in (*KINDS, "Majority vote")},
    }
    back = next(
        cell
        for cell in figure["datasets"][panel["data"]["name"]]
        if (cell["row"], cell["column"]) == ("Majority vote", "dORM-8B")
    )
    assert back["interval"] == "-5.00 to -1.00"
    assert empty["title"]["text"] == ["Weighted vote"]


def test_the_figure_says_what_it_shows() -> None:
    said = " ".join(chart(shown(ROWS), groups("law")).to_dict()["title"]["subtitle"])
    assert "10 questions" in said
    assert "N = 8" in said
    assert "among these 3 comparisons" in said


def test_cells_tell_the_number_of_questions() -> None:
    figure = chart(shown(ROWS), groups("law")).to_dict()
    panel, _ = figure["vconcat"][0]["concat"]
    cells = figure["datasets"][panel["data"]["name"]]
    assert {cell["questions"] for cell in cells if cell["row"] != cell["column"]} == {10}


def test_nothing_to_compare_is_said() -> None:
    svg = rendered(chart(shown([]), groups("law")), [".svg"])[".svg"]
    assert b"no comparisons" in svg


@pytest.mark.parametrize(
    ("count", "name", "columns"),
    [
        pytest.param(4, "m{}", 2, id="few and short"),
        pytest.param(4, "dORM-14B-published-{}", 1, id="long"),
        pytest.param(13, "m{}", 1, id="many"),
    ],
)
def test_panels_stand_side_by_side_where_there_is_room(count: int, name: str, columns: int) -> None:
    names = [name.format(k) for k in range(count)]
    looks = styles(described(dict.fromkeys(names)))
    rows = [{**row(each, None, 1.0, 0.5), "method": each} for each in names]
    figure = chart(Measures("d", rows, looks), groups("law"))
    assert figure.to_dict()["vconcat"][0]["columns"] == columns
    found = re.search(r'<svg[^>]* width="([\d.]+)"', rendered(figure, [".svg"])[".svg"].decode())
    assert found and float(found[1]) <= theme.WIDTH
