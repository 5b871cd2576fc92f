"""The figure of label agreements: a panel per measure, a line per source, and nothing invented."""

from typing import Any

import pytest

from multirm.figures.label_agreement import BASELINES, PANELS, chart
from multirm.tables.label_agreement import MEASURES


def row(labels: str, category: str = "Overall", **columns: Any) -> dict[str, Any]:
    measures = {
        each: value
        for name in MEASURES
        for each, value in ((name, 0.5), (f"{name}_low", 0.25), (f"{name}_high", 0.75))
    }
    counts = {"n_labelled": 30, "n_missing": 10, "note": None}
    key = {"dataset": "Train", "category": category, "labels": labels, "source": "judge"}
    return {**key, **counts, **measures, **columns}


def points(rows: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The points of each panel."""
    spec = chart("Train", rows).to_dict()
    [grid] = spec["vconcat"]
    return [spec["datasets"][panel["data"]["name"]] for panel in grid["hconcat"]]


def encoded(panel: dict[str, Any]) -> set[str]:
    """The fields on the x axis of a panel."""
    return {layer["encoding"]["x"].get("field") for layer in panel["layer"]}


def test_only_the_first_panel_has_baselines() -> None:
    [grid] = chart("Train", [row("A", known_without_bad=0.375)]).to_dict()["vconcat"]
    first, *others = grid["hconcat"]
    assert encoded(first) >= BASELINES.keys()
    assert not any(encoded(panel) & BASELINES.keys() for panel in others)
    assert points([row("A", known_without_bad=0.375)])[0][0]["known_without_bad"] == 37.5


def test_every_source_has_a_point_in_every_panel() -> None:
    rows = [row("A"), row("B", first_bad_agreement=0.125), row("A", "law")]
    found = points(rows)
    assert len(found) == len(PANELS)
    assert [each["labels"] for each in found[0]] == ["A", "B"]
    assert [each["value"] for each in found[0]] == [50, 12.5]
    assert {each["interval"] for panel in found for each in panel} == {"25.0 to 75.0"}
    assert {each["n"] for panel in found for each in panel} == {30}


def test_what_is_undefined_has_no_value() -> None:
    nothing = dict.fromkeys(("agreement_if_bad", "agreement_if_bad_low", "agreement_if_bad_high"))
    [point] = points([row("A", **nothing)])[2]
    assert (point["value"], point["low"], point["interval"]) == (None, None, "none")


@pytest.mark.parametrize("n_categories", [1, 3])
def test_the_title_says_of_how_many(n_categories: int) -> None:
    rows = [row("A"), *(row("A", f"c{k}") for k in range(n_categories))]
    heading = chart("Train", rows).to_dict()["title"]
    said = " ".join(heading["subtitle"])
    assert said.startswith(f"40 solutions whose first bad step is known; {n_categories} categor")


def test_names_are_text_in_labels() -> None:
    """A name cannot end the expression that shows it."""
    spec = chart("Train", [row("\"] ? alert('x') : \"")]).to_dict()
    [grid] = spec["vconcat"]
    shown = grid["hconcat"][0]["layer"][0]["encoding"]["y"]["axis"]["labelExpr"]
    assert '\\"] ? alert' in shown


def test_without_labels_the_figure_says_so() -> None:
    assert "no labels to compare" in str(chart("Train", []).to_dict())
