"""Calibration: points with intervals, a panel per model."""

import pytest

from multirm.figures.calibration import chart
from multirm.figures.render import rendered
from tests.figures.measured import measures, panels, rows_of, subtitle

BIN = {
    "mean_reward": 0.7,
    "share_correct": 0.5,
    "share_correct_low": 0.4,
    "share_correct_high": 0.6,
    "count": 8,
}
EMPTY = {
    "mean_reward": None,
    "share_correct": None,
    "share_correct_low": None,
    "share_correct_high": None,
}


def test_a_panel_per_model_over_all_categories_without_empty_bins() -> None:
    rows = rows_of(["Overall", "law", "physics"], ["mine", "gORM-14B"], **BIN)
    rows += rows_of(["Overall"], ["mine"], count=0, **EMPTY)
    figure = chart(measures(rows, missing=["scores"])).to_dict()
    assert [panel["title"]["text"] for panel in panels(figure)] == [["gORM-14B"], ["mine"]]
    points = [row for own in figure["datasets"].values() for row in own if "method" in row]
    assert len(points) == 2
    assert points[0]["y"] == 50
    assert (points[0]["low"], points[0]["high"]) == (pytest.approx(40), pytest.approx(60))
    said = subtitle(figure)
    assert "8 solutions, all categories together" in said
    assert "Not shown, without probabilities: scores." in said


def test_nothing_at_all_is_said() -> None:
    assert b"no probabilities to draw" in rendered(chart(measures([])), [".svg"])[".svg"]
