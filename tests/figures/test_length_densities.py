"""Densities of lengths: curves, what they are called, and what is said where there are none."""

from typing import Any

from multirm.figures.length_densities import chart, looks_of, name


def row(
    part: str, n_steps: int, share: float, category: str = "law", **columns: Any
) -> dict[str, Any]:
    learned = {} if part == "test" else {"learned_from": "train"}
    filtered = {} if part in ("test", "train") else {"critiques": "set", "kind": "gPRM"}
    empty = {"learned_from": None, "critiques": None, "kind": None}
    return {
        "dataset": "d",
        "category": category,
        "part": part,
        **empty,
        **learned,
        **filtered,
        "n_steps": n_steps,
        "n_solutions": int(100 * share),
        "share": share,
        **columns,
    }


ROWS = [
    row(part, n_steps, 0.5, category)
    for category in ("Overall", "law", "computer_science")
    for part, lengths in {"test": (3, 6), "train": (4, 5), "kept": (2, 4), "seen": (1, 2)}.items()
    for n_steps in lengths
]


def values(figure: dict[str, Any], panel: int) -> list[dict[str, Any]]:
    found = figure["vconcat"][0]["concat"][panel]
    data = found.get("data") or found["layer"][0]["data"]
    rows: list[dict[str, Any]] = data.get("values") or figure["datasets"][data["name"]]
    return rows


def test_a_panel_for_each_category_and_a_curve_for_each_part() -> None:
    figure = chart("d", ROWS).to_dict()
    panels = figure["vconcat"][0]["concat"]
    assert [panel["title"]["text"] for panel in panels] == [
        *(["Overall"], ["Law"], ["Computer science"]),
    ]
    points = values(figure, 1)
    assert [(p["n_steps"], p["share"]) for p in points if p["method"] == "Evaluated"] == [
        *((2, 0), (3, 50), (4, 0), (5, 0), (6, 50), (7, 0)),
    ]
    assert len({p["method"] for p in points}) == 4


def test_kept_and_seen_solutions_have_their_kind_s_colour() -> None:
    looks = looks_of([*ROWS, row("kept", 3, 1.0, kind="gORM")])
    kept, seen, other = (
        looks[label]
        for label in (
            *("gPRM, kept of set", "gPRM, up to the first error, of set"),
            "gORM, kept of set",
        )
    )
    assert kept.colour == seen.colour != other.colour
    assert kept.dash != seen.dash
    assert list(looks)[:2] == ["Evaluated", "Training: train"]


def test_names_are_escaped() -> None:
    assert name(row("train", 1, 1.0, learned_from="a\n\x1b")) == r"Training: a\n\x1b"


def test_only_evaluated_solutions_and_a_lone_category() -> None:
    figure = chart(
        "d", [row("test", 3, 1.0, category) for category in ("Overall", "law")]
    ).to_dict()
    assert [panel["title"]["text"] for panel in figure["vconcat"][0]["concat"]] == [["Law"]]
    said = " ".join(figure["title"]["subtitle"])
    assert "gPRM" not in said
    assert "100 evaluated solutions" in said


def test_nothing_to_draw() -> None:
    figure = str(chart("d", []).to_dict())
    assert "no lengths to draw" in figure
