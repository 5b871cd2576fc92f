"""Log-errors by number of steps: what the figure shows."""

from typing import Any

import pytest

from multirm.evaluation.log_error_simulation import ASSUMPTIONS, simulation_rows
from multirm.figures.log_errors import chart
from multirm.figures.render import rendered
from tests.figures.measured import KINDS, measured, measures, panels, rows_of, shown, subtitle

SIMULATION = simulation_rows(ASSUMPTIONS, (1, 8), 100)
COUNTS = {"n_scored": 30, "n_missing": 1, "n_clipped": 2}


def errors(*categories: str, note: str | None = None) -> list[dict[str, Any]]:
    """The log_errors table at two ranges of steps."""
    columns = COUNTS | measured("mean", -0.4) | measured("rms", 0.5)
    return [
        row | {"note": note if row["category"] == "Overall" and low == 4 else None}
        for low, high in ((2, 3), (4, 4))
        for row in rows_of(["Overall", *categories], steps_low=low, steps_high=high, **columns)
    ]


def slopes(*categories: str, slope: float | None = 0.2) -> list[dict[str, Any]]:
    return rows_of(["Overall", *categories], **COUNTS, **measured("slope", slope))


def drawn(*categories: str, **changes: Any) -> dict[str, Any]:
    figure = chart(
        measures(errors(*categories), **changes), measures(slopes(*categories)), SIMULATION
    )
    return figure.to_dict()


def titles(figure: dict[str, Any]) -> list[str]:
    return [" ".join(panel["title"]["text"]) for panel in panels(figure, 1)]


def test_a_panel_per_category_with_ranges_in_order() -> None:
    figure = drawn("law", "physics")
    assert titles(figure) == ["Measured: Overall", "Law", "Physics"]
    value = next(shown(figure, 1))
    assert (value["steps"], value["value"], value["low"], value["high"]) == ("2–3", 0.5, 0.4, 0.6)
    domain = panels(figure, 1)[0]["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain == ["2–3", "4"]


def test_overall_is_left_out_if_categories_have_different_lengths() -> None:
    own = measures(errors("law", "physics", note="1 of 2 categories: mean, rms"))
    figure = chart(own, measures(slopes("law", "physics")), SIMULATION).to_dict()
    assert titles(figure) == ["Measured: Law", "Physics"]


def test_growth_is_that_of_overall() -> None:
    figure = drawn("law", "physics")
    above = figure["vconcat"][0]["hconcat"]
    assert above[1]["title"]["text"] == ["Measured: growth per step"]
    values = figure["datasets"][above[1]["layer"][1]["data"]["name"]]
    assert [value["method"] for value in values] == list(KINDS)
    assert {(value["value"], value["interval"]) for value in values} == {(0.2, "0.100 to 0.300")}


def test_the_figure_says_what_it_shows() -> None:
    figure = drawn("law", "physics", missing=["scores"])
    assert " ".join(figure["title"]["text"]) == "Log-errors of rewards by number of steps on MMLU"
    said = subtitle(figure)
    assert "31 solutions to 18 questions, correct in every step" in said
    assert "their sizes are assumed" in said
    assert "95 % intervals over questions" in said
    assert "3 rewards are missing." in said
    assert "6 rewards below 1e-6 count as 1e-6." in said
    assert "Not shown, without probabilities: scores." in said


@pytest.mark.parametrize("slope", [0.2, None])
def test_solutions_of_one_length_have_no_growth(slope: float | None) -> None:
    figure = chart(measures(errors("law")), measures(slopes("law", slope=slope)), SIMULATION)
    svg = rendered(figure, [".svg"])[".svg"].decode()
    assert ("solutions of one length" in svg) is (slope is None)


def test_without_labelled_solutions_the_simulation_remains() -> None:
    figure = chart(measures([], missing=["a"]), measures([]), SIMULATION)
    svg = rendered(figure, [".svg"])[".svg"].decode()
    assert "nothing measured" in svg
    assert "dORM and gORM" in svg
    assert "Not shown" not in svg
