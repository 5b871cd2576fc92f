"""Recoveries: what the figure shows."""

from typing import Any

from multirm.figures.recoveries import chart
from multirm.figures.render import rendered
from tests.figures.analysed import KINDS, groups, shown


def scores() -> list[dict[str, Any]]:
    return [
        {"category": category, "model": model, "aggregation": "min", "group": group, "n_scored": 7}
        | {"balanced_f1": f1, "balanced_f1_low": f1 and 0.1, "balanced_f1_high": f1 and 0.9}
        for category in ("Overall", "law")
        for model in KINDS
        for group, f1 in (("right_steps", 0.8), ("recovery", 0.25), ("wrong_answer", None))
    ]


def test_share_length_and_f1() -> None:
    figure = chart("Law_test", groups("law"), shown(scores())).to_dict()
    panels = figure["vconcat"][0]["hconcat"]
    values = [figure["datasets"][panel["data"]["name"]] for panel in panels]
    assert [(value["of"], value["value"]) for value in values[0]] == [("Overall", 35), ("Law", 35)]
    lengths = [(value["group"], value["value"]) for value in values[1] if value["of"] == "Law"]
    assert lengths == [("All steps correct", 4), ("Recovery", 6), ("Wrong answer", 5)]
    f1 = [(value["of"], value["group"], value["value"]) for value in values[2]]
    assert f1 == [
        (model, group, value)
        for model in KINDS
        for group, value in (("All steps correct", 80), ("Recovery", 25))
    ]
    said = " ".join(figure["title"]["subtitle"])
    assert "40 solutions to 10 questions. 7 recoveries" in said


def test_without_models_the_solutions_are_still_shown() -> None:
    figure = chart("Law_test", groups("law"), shown([]))
    assert len(figure.to_dict()["vconcat"][0]["hconcat"]) == 2
    assert rendered(figure, [".svg"])


def test_no_step_labels_and_no_recoveries_are_said() -> None:
    none = [row | {"n_solutions": 0} for row in groups("law") if row["group"] != "all"]
    svg = rendered(chart("d", none, shown([])), [".svg"])[".svg"]
    assert b"no step labels" in svg
    svg = rendered(chart("d", groups("law", recoveries=0), shown(scores())), [".svg"])[".svg"]
    assert b"no solution recovers" in svg
