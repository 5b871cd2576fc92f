"""Monte-Carlo labels against guessing: bars of good and bad steps, and both rules."""

from typing import Any

import pytest

from multirm.figures.continuation_shares import ANY, BAD, GOOD, GUESSED, UNSURE, chart


def row(category: str | None, n_options: int | None, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": "Continued",
        "category": category,
        "n_options": n_options,
        "n_steps": 20,
        "n_unanswered": 0,
        "guessing_rate": 0.25,
        "threshold": 0.5,
        "any_right": 0.9,
        "good": 0.35,
        "any_right_by_guessing": 0.5,
        "good_by_guessing": 0.05,
        "n_good_by_share": [0, 1, 6],
        "n_bad_by_share": [2, 6, 0],
        "n_unsure_by_share": [0, 5, 0],
        "n_guessed_by_share": [11.0, 8.0, 1.0],
        **columns,
    }


OPEN = {"guessing_rate": 0.0, "threshold": 0.0}
ROWS = [row(None, None), row("law", None), row(None, 0, **OPEN), row(None, 10)]


def panels(rows: list[dict[str, Any]], part: int) -> dict[str, list[dict[str, Any]]]:
    """The values of each panel above (0) or below (1), by its title."""
    spec = chart("Continued", rows).to_dict()
    found = {}
    for panel in spec["vconcat"][part]["concat"]:
        data = panel.get("data") or panel["layer"][0]["data"]
        found[" ".join(panel["title"]["text"])] = spec["datasets"][data["name"]]
    return found


def test_panels_are_categories_then_numbers_of_options() -> None:
    for part in (0, 1):
        assert list(panels(ROWS, part)) == ["Overall", "Law", "Open questions", "10 options"]


def test_good_steps_stand_on_others() -> None:
    bars = {
        (value["method"], value["x"]): (value["low"], value["value"])
        for value in panels(ROWS, 0)["Law"]
    }
    assert bars[BAD, 50] == pytest.approx((0, 30))
    assert bars[UNSURE, 50] == pytest.approx((30, 55))
    assert bars[GOOD, 50] == pytest.approx((55, 60))
    assert bars[GOOD, 100] == pytest.approx((0, 30))
    assert bars[GUESSED, 0] == pytest.approx((0, 55))
    assert {(value["rate"], value["threshold"]) for value in panels(ROWS, 0)["Law"]} == {(25, 50)}


def test_open_questions_are_not_guessed() -> None:
    found = panels(ROWS, 0)["Open questions"]
    assert {value["method"] for value in found} == {GOOD, BAD, UNSURE}
    assert {value["rate"] for value in found} == {0}


def test_both_rules_stand_beside_what_guesses_would_give() -> None:
    bars = {
        (value["rule"], value["method"]): value["value"] for value in panels(ROWS, 1)["Overall"]
    }
    assert bars == pytest.approx(
        {(ANY, ANY): 90, (ANY, GUESSED): 50, (GOOD, GOOD): 35, (GOOD, GUESSED): 5}
    )


def test_steps_without_an_answer_are_said() -> None:
    said = " ".join(
        chart("Continued", [row(None, None, n_unanswered=3)]).to_dict()["title"]["subtitle"]
    )
    assert said.startswith("20 steps that were continued, and 3 without any answer")
    assert "no continuations to draw" in str(chart("Continued", []).to_dict())
