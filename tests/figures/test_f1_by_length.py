"""F1 against length: what the figure shows."""

from typing import Any

from multirm.figures.f1_by_length import chart
from multirm.figures.render import rendered
from tests.figures.analysed import KINDS, groups, shown


def rows(*categories: str, f1: float | None = 0.5) -> list[dict[str, Any]]:
    return [
        {"category": category, "model": model, "aggregation": "min"}
        | {"steps_low": low, "steps_high": high, "n_questions": 9, "n_scored": 30, "n_missing": 1}
        | {"f1": f1, "f1_low": f1 and 0.25, "f1_high": f1 and 0.75, "f1_of_yes": 0.4}
        for category in ("Overall", *categories)
        for model in KINDS
        for low, high in ((2, 3), (4, 4))
    ]


def drawn(*categories: str) -> dict[str, Any]:
    return chart(shown(rows(*categories)), groups(*categories)).to_dict()


def test_a_panel_per_category_with_bins_in_order() -> None:
    figure = drawn("law", "physics")
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["Overall"], ["Law"], ["Physics"]]
    encoding = panels[0]["layer"][1]["encoding"]
    assert encoding["x"]["scale"]["domain"] == ["2–3", "4"]
    values = figure["datasets"][panels[1]["data"]["name"]]
    first = next(value for value in values if value["method"] == "dORM-8B")
    assert (first["value"], first["low"], first["high"], first["interval"]) == (
        *(50, 25, 75),
        "25.0 to 75.0",
    )
    always = [value for value in values if value["method"] == "All called correct"]
    assert [value["value"] for value in always] == [40, 40]


def test_the_figure_says_what_it_shows() -> None:
    title = drawn("law", "physics")["title"]
    assert " ".join(title["text"]) == "F1 by number of steps on Law_test"
    said = " ".join(title["subtitle"])
    assert "80 solutions to 20 questions." in said
    assert "95 % intervals over questions" in said
    assert "8 rewards are missing." in said


def test_a_lone_category_is_the_whole() -> None:
    panels = drawn("law")["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [["Law"]]


def test_models_without_probabilities_are_named() -> None:
    own = rows("law")
    own = [row | {"f1": None} if row["model"] == "gPRM-mini" else row for row in own]
    said = " ".join(chart(shown(own), groups("law")).to_dict()["title"]["subtitle"])
    assert "mini has no probabilities." in said


def test_nothing_to_draw_is_said() -> None:
    for nothing in ([], rows("law", f1=None)):
        svg = rendered(chart(shown(nothing), groups("law")), [".svg"])[".svg"].decode()
        assert "no solutions of known length" in svg
