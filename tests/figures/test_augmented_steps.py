"""Positions of new steps: bars of each dataset, part and type, and what is said where there are none."""

from typing import Any

from multirm.figures.augmented_steps import chart


def row(dataset: str, error_type: str | None, *parts: int, **columns: Any) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "kind": "counterfactual",
        "category": None,
        "error_type": error_type,
        "n_accepted": sum(parts),
        "n_by_part": list(parts),
        **columns,
    }


ROWS = [
    row("Wrong", None, 2, 3, 0, 0, 5),
    row("Wrong", "factual", 2, 3, 0, 0, 0),
    row("Wrong", "contextual", 0, 0, 0, 0, 5),
    row("Wrong", "calculation", 0, 0, 0, 0, 0),
    row("Wrong", None, 1, 0, 0, 0, 0, category="law"),
    row("Same", None, 0, 4, 0, 0, 0, kind="rewrite"),
]


def panels(figure: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The bars of each panel, by its title. What all panels share is a property of their grid."""
    grid = figure["vconcat"][0]
    found = {}
    for panel in grid["concat"]:
        data = grid.get("data") or panel["data"]
        rows = data.get("values") or figure["datasets"][data["name"]]
        found[" ".join(panel["title"]["text"])] = rows
    return found


def test_all_variants_come_first_then_the_types_that_occur() -> None:
    figure = chart(ROWS, "study").to_dict()
    assert list(panels(figure)) == ["Overall: 14", "Factual: 5", "Contextual: 5"]
    assert figure["title"]["text"] == ["Positions of new steps on Wrong, Same"]
    assert "14 variants" in " ".join(figure["title"]["subtitle"])


def test_bars_are_shares_of_the_variants_of_a_dataset_in_the_panel() -> None:
    found = panels(chart(ROWS, "study").to_dict())
    overall = {(p["method"], p["part"]): p["value"] for p in found["Overall: 14"]}
    assert overall["Wrong", 2] == 30
    assert overall["Same", 2] == 100
    assert sum(overall.values()) == 200
    factual = {p["part"]: p["value"] for p in found["Factual: 5"]}
    assert factual == {1: 40, 2: 60, 3: 0, 4: 0, 5: 0}


def test_without_types_there_is_one_panel() -> None:
    figure = chart([row("Same", None, 0, 4, 0, 0, 0)], "study").to_dict()
    assert list(panels(figure)) == ["Overall: 4"]


def test_nothing_to_draw() -> None:
    none = str(chart([row("Wrong", None, 0, 0, 0, 0, 0)], "study").to_dict())
    assert "no variants to draw" in none and "on Wrong" in none
    assert "Positions of new steps on study" in str(chart([], "study").to_dict())
