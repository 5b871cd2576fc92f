"""Gain against length: what the figure shows."""

from typing import Any

from multirm.figures.gain_by_length import chart
from multirm.figures.render import rendered
from tests.figures.analysed import KINDS, groups, shown


def comparisons(*categories: str) -> list[dict[str, Any]]:
    return [
        {"category": category, "model": model, "aggregation": "min", "selection": selection}
        | {
            "n": n,
            "other_selection": other,
            "difference": 2.5,
            "difference_low": -1.0,
            "difference_high": 6.0,
        }
        for category in ("Overall", *categories)
        for model in KINDS
        for selection in ("best_of_n", "weighted_vote")
        for other in ("majority_vote", selection)
        for n in (2, 8)
    ]


def correlations(value: float | None) -> list[dict[str, Any]]:
    return [
        {"method": model, "n": 8, "correlation": value}
        | {"correlation_low": value and -0.1, "correlation_high": value and 0.9}
        | {"categories_low": None, "categories_high": None}
        for model in KINDS
    ]


def test_a_point_per_category_at_the_largest_n() -> None:
    figure = chart(
        shown(comparisons("law", "physics")), groups("law", "physics"), correlations(0.5)
    ).to_dict()
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["dORM-8B"], ["gPRM-mini"]]
    lines = ["r = 0.50", "questions: −0.10 to 0.90", "categories: none"]
    assert panels[0]["title"]["subtitle"] == lines
    values = figure["datasets"][panels[0]["layer"][1]["data"]["name"]]
    found = [
        (value["category"], value["number"], value["steps"], value["gain"]) for value in values
    ]
    assert found == [("Law", 1, 5.0, 2.5), ("Physics", 2, 6.0, 2.5)]
    said = " ".join(figure["title"]["subtitle"])
    assert "N = 8" in said and "1 law, 2 physics" in said and "20 questions" in said


def test_one_category_has_no_correlation() -> None:
    figure = chart(shown(comparisons("law")), groups("law"), correlations(None))
    (panel, _) = figure.to_dict()["vconcat"][0]["concat"]
    assert panel["title"]["subtitle"][0] == "r: undefined"
    assert rendered(figure, [".svg"])


def test_unknown_lengths_or_no_gains_are_said() -> None:
    unknown = [row | {"mean_steps": None} for row in groups("law")]
    for figure in (
        chart(shown([]), groups("law"), []),
        chart(shown(comparisons("law")), unknown, correlations(None)),
    ):
        assert b"no gains, or no lengths" in rendered(figure, [".svg"])[".svg"]
