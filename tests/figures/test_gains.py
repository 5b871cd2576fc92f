"""Gains over the majority vote: what the figure shows."""

from typing import Any

import pytest

from multirm.charts.palette import styles
from multirm.errors import InputError
from multirm.figures.gains import chart, draw_gains, gains_of
from multirm.figures.measures import Measures
from multirm.figures.render import rendered
from multirm.tables.accuracy import OVERALL, IntervalNote, Selection
from tests.figures.described import described

STYLES = styles(described({"dORM": "dORM", "gPRM": "gPRM"}))


def compared(category: str, difference: float, **changes: Any) -> dict[str, Any]:
    return {
        "category": category,
        "selection": "best_of_n",
        "method": "dORM",
        "n": 8,
        "other_selection": "majority_vote",
        "difference": difference,
        "difference_low": difference - 2,
        "difference_high": difference + 2,
        "p_holm": 0.02,
        "family": "primary" if category == OVERALL else "exploratory",
        "note": None,
    } | changes


def grouped(group: str, difference: float | None, **changes: Any) -> dict[str, Any]:
    around = (None, None) if difference is None else (difference - 1, difference + 1)
    return {
        "group": group,
        "category": "",
        "selection": "best_of_n",
        "method": "dORM",
        "n": 8,
        "difference": difference,
        "difference_low": around[0],
        "difference_high": around[1],
        "p_holm": 0.01,
        "n_categories": 2,
        "n_questions": 24,
        "note": None,
        "difference_note": None,
    } | changes


ROWS = [
    compared(OVERALL, 1.25),
    compared(OVERALL, 9.0, n=4),
    compared(OVERALL, 9.0, selection="weighted_vote"),
    compared(OVERALL, 9.0, other_selection="best_of_n"),
    compared("law", -3.0),
    compared("computer_science", 6.0, difference_low=None, difference_high=None, p_holm=None),
]
GROUPS = [grouped("not_math", 2.0), grouped("not_math", 7.0, n=4), grouped("not_math", None)]


def drawn(rows: list[Any], groups: list[Any]) -> dict[str, Any]:
    measures = Measures("Law_test", rows, STYLES)
    figure = chart(measures, Measures("Law_test", groups, STYLES), Selection.BEST_OF_N)
    assert rendered(figure, [".svg"])
    specification: dict[str, Any] = figure.to_dict()
    return specification


def test_gains_over_the_vote_at_the_largest_n() -> None:
    found = gains_of(ROWS, GROUPS, Selection.BEST_OF_N)
    assert [(row["where"], row["text"], row["is_mean"]) for row in found] == [
        ("Overall", "+1.2*", True),
        ("Law", "−3.0", False),
        ("Computer science", "+6.0", False),
        ("Not math", "+2.0", True),
    ]
    assert [row["interval"] for row in found] == [
        *("-0.75 to +3.25", "-5.00 to -1.00", "none", "+1.00 to +3.00"),
    ]
    assert [row["end"] for row in found] == [3.25, -1.0, 6.0, 3.0]


def test_averages_are_above_categories() -> None:
    figure = drawn(ROWS, GROUPS)
    (panel,) = figure["vconcat"][0]["concat"]
    scales = [
        layer["encoding"]["y"]["scale"] for layer in panel["layer"] if "y" in layer["encoding"]
    ]
    assert scales[0]["domain"] == ["Overall", "Not math", "Law", "Computer science"]


def test_the_figure_says_what_it_shows() -> None:
    rows = [*ROWS, compared("math", 0.0, note=IntervalNote.NO_SPREAD)]
    figure = drawn(rows, GROUPS)
    assert " ".join(figure["title"]["text"]) == (
        "Best-of-N: gain over the majority vote on Law_test"
    )
    said = " ".join(figure["title"]["subtitle"])
    assert (
        "N = 8. 3 categories. Overall: each counts the same. Categories in groups: not math 2."
        in said
    )
    assert "95 % intervals, paired over questions." in said
    assert "among the 4 overall comparisons of both selections" in said
    assert IntervalNote.NO_SPREAD.meaning[1:] in said


def test_a_panel_for_each_model_in_the_order_of_the_study() -> None:
    figure = drawn([compared(OVERALL, 2.0, method="gPRM"), *ROWS], GROUPS)
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["dORM"], ["gPRM"]]


def test_there_may_be_no_gains() -> None:
    assert " ".join(drawn([], [])["title"]["text"]).endswith("on Law_test")


def test_other_selections_have_no_gains(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="best_of_n or weighted_vote"):
        draw_gains(
            tmp_path / "c.parquet",
            tmp_path / "g.parquet",
            [tmp_path / "figure.svg"],
            selection=Selection.PASS,
        )
