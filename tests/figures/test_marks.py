"""Encodings and the legend say the same, and the legend fits."""

from typing import Any

import pytest

from multirm.charts.palette import VOTES, styles
from multirm.figures import theme
from multirm.figures.marks import legend, marks
from multirm.figures.wrapping import text_width
from tests.figures.described import described

KINDS = ["dORM", "dPRM", "gORM", "gPRM", None, None]
MODELS = {f"model-{number}": kind for number, kind in enumerate(KINDS)}
STYLES = VOTES | styles(described(MODELS | {"second": "gORM"}))


def scale(channel: Any) -> dict[str, Any]:
    made = channel.to_dict()["scale"]
    return dict(zip(made["domain"], made["range"], strict=True))


def test_a_method_looks_the_same_among_any_others() -> None:
    every = [*STYLES]
    for methods in (every, every[::-1], every[2:5], ["second"]):
        drawn = marks(methods, STYLES)
        assert scale(drawn.colour) == {name: STYLES[name].colour for name in methods}
        assert scale(drawn.shape) == {name: STYLES[name].shape for name in methods}
        assert scale(drawn.dash) == {name: list(STYLES[name].dash) for name in methods}
    fills = scale(marks(every, STYLES).fill)
    assert fills["second"] == theme.PAPER
    assert fills["model-2"] == STYLES["model-2"].colour


def test_bands_are_fainter_only_where_they_are_many() -> None:
    few, many = (marks(list(STYLES)[:n], STYLES).band_opacity for n in (2, 9))
    assert few == theme.BAND_OPACITY
    assert many == pytest.approx(theme.BAND_OPACITY * 6 / 9)


@pytest.mark.parametrize("width", [120, 300, theme.WIDTH])
@pytest.mark.parametrize("names", [["a"], ["a-long-name-" * 3, "b"], [*"abcdefghijkl"]])
def test_the_legend_names_every_method_once_within_its_width(names: list[str], width: int) -> None:
    made = legend(names, dict.fromkeys(names, STYLES["second"]), width).to_dict()
    (entries,) = made["datasets"].values()
    assert [entry["method"] for entry in entries] == names
    assert ["".join(entry["label"].split()) for entry in entries] == names
    for entry in entries:
        ends = [entry["text"] + text_width(line, theme.SMALL) for line in entry["label"].split()]
        assert max(ends) <= width + 0.01
        assert 0 <= entry["y"] < made["height"]
    assert len({(entry["x"], entry["y"]) for entry in entries}) == len(names)


def test_few_methods_stand_in_one_row() -> None:
    made = legend(["dORM", "Majority vote"], STYLES | {"dORM": STYLES["second"]}).to_dict()
    (entries,) = made["datasets"].values()
    assert len({entry["y"] for entry in entries}) == 1
