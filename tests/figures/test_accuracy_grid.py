"""The main figure: what it shows."""

import csv
from pathlib import Path
from typing import Any

import pytest

from multirm.charts.palette import VOTES, styles
from multirm.errors import InputError
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.accuracy_grid import chart, draw_accuracy_grid
from multirm.figures.render import rendered
from multirm.figures.theme import POINT_AREA
from multirm.inspect.trace import read_origin
from multirm.running.files import digests
from multirm.running.metadata import FORMATS
from multirm.tables.accuracy import Selection
from tests.figures.described import described

# A point at the upper end of an axis reaches this share of its width above the panel, and its outline.
SHARE_OF_POINT_ABOVE = 0.8

METHODS = ["Majority vote", "dORM-8B", "gPRM-mini", "mine", "dORM-14B", "Pass@N"]
KINDS = {"dORM-8B": "dORM", "gPRM-mini": "gPRM", "mine": None, "dORM-14B": "dORM"}
STYLES = VOTES | styles(described(KINDS))


def accuracies(categories: list[str], sizes: list[int]) -> Accuracies:
    points = [
        Point(category, method, n, 40.0 + n + place, 35.0 + n, 48.0 + n + place, None, 9)
        for category in categories
        for n in sizes
        for place, method in enumerate(METHODS)
    ]
    return Accuracies("MMLU", points, STYLES)


def made(given: Accuracies, ceiling: bool = False) -> dict[str, Any]:
    return chart(given, Selection.BEST_OF_N, ceiling).to_dict()


def panels(ceiling: bool = False, sizes: tuple[int, ...] = (1, 2, 4)) -> list[dict[str, Any]]:
    given = accuracies(["Overall", "computer_science", "law"], [*sizes])
    return made(given, ceiling)["vconcat"][0]["concat"]


def values_of(figure: dict[str, Any], panel: dict[str, Any]) -> list[dict[str, Any]]:
    return figure["datasets"][panel["data"]["name"]]


def test_a_panel_per_category_overall_first_with_readable_titles() -> None:
    titles = [panel["title"]["text"] for panel in panels()]
    assert titles == [["Overall"], ["Computer science"], ["Law"]]


def test_titles_of_panels_are_at_one_height() -> None:
    """Vega puts a title above the highest mark: an invisible one is highest in every panel."""
    for panel in panels():
        (invisible,) = [layer for layer in panel["layer"] if layer["mark"].get("opacity") == 0]
        assert invisible["encoding"]["y"]["value"] < -SHARE_OF_POINT_ABOVE * POINT_AREA**0.5
    assert {panel["title"]["offset"] for panel in panels()} == {5}


def test_the_figure_says_what_it_shows() -> None:
    title = made(accuracies(["Overall", "law", "physics"], [1, 2]))["title"]
    assert title["text"] == ["Best-of-N accuracy on MMLU"]
    said = " ".join(title["subtitle"])
    assert "18 questions in 2 categories, 9 in each." in said
    assert "Bands: 95 % intervals over questions." in said
    vote = chart(accuracies(["law"], [1]), Selection.WEIGHTED_VOTE, False).to_dict()["title"]
    assert vote["text"][0].startswith("Weighted vote accuracy on MMLU")


def test_n_is_on_a_log_2_axis_with_a_tick_per_size() -> None:
    x = panels()[0]["layer"][0]["encoding"]["x"]
    assert (x["scale"]["type"], x["scale"]["base"]) == ("log", 2)
    assert x["axis"]["values"] == [1, 2, 4]


def test_panels_share_their_y_axis_which_is_labelled_once_a_row() -> None:
    drawn = panels()
    axes = [panel["layer"][-1]["encoding"]["y"] for panel in drawn]
    assert len({tuple(axis["scale"]["domain"]) for axis in axes}) == 1
    assert [axis["axis"]["labels"] for axis in axes] == [True, False, False]
    assert axes[0]["axis"]["title"] == "Accuracy (%)"


def test_the_ceiling_is_optional() -> None:
    def domain(ceiling: bool) -> list[str]:
        return panels(ceiling)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]

    assert domain(True) == [*domain(False), "Pass@N"]
    figure = made(accuracies(["law", "physics"], [1]))
    rows = values_of(figure, figure["vconcat"][0]["concat"][0])
    assert {row["method"] for row in rows} == set(METHODS) - {"Pass@N"}


def test_methods_have_their_styles() -> None:
    encoding = panels(True)[0]["layer"][-1]["encoding"]
    for channel, wanted in (("color", "colour"), ("shape", "shape")):
        scale = encoding[channel]["scale"]
        for method, value in zip(scale["domain"], scale["range"], strict=True):
            assert value == getattr(STYLES[method], wanted)


def test_one_size_puts_methods_side_by_side() -> None:
    encoding = panels(sizes=(4,))[0]["layer"][-1]["encoding"]
    assert encoding["x"]["field"] == "method"
    assert encoding["x"]["axis"]["title"] == "N = 4"
    assert panels(sizes=(4,))[0]["layer"][0]["mark"]["type"] == "rule"
    assert panels()[0]["layer"][0]["mark"]["type"] == "area"


@pytest.mark.parametrize("sizes", [[1], [4], [1, 3, 100]])
def test_one_size_one_category_and_flat_curves(sizes: list[int]) -> None:
    flat = [Point("test", "Majority vote", n, 100.0) for n in sizes]
    figure = chart(Accuracies("d", flat), Selection.WEIGHTED_VOTE, True)
    assert b"NaN" not in rendered(figure, [".svg"])[".svg"]


def test_a_category_in_which_a_method_has_nothing() -> None:
    points = [Point("law", "Pass@N", 1, 50.0), Point("physics", "Majority vote", 1, 50.0)]
    figure = made(Accuracies("d", points), ceiling=True)
    assert len(figure["vconcat"][0]["concat"]) == 2
    said = " ".join(figure["title"]["subtitle"])
    assert "Majority vote has no accuracy in law. Pass@N has no accuracy in physics." in said


def test_nothing_at_all_is_said() -> None:
    figure = chart(Accuracies("d", []), Selection.BEST_OF_N, True)
    assert b"no accuracies to draw" in rendered(figure, [".svg"])[".svg"]


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "best_of_n.csv"
    path.write_text(
        "N,Method,Overall_mean,law_mean,physics_mean\n"
        "1,MV,40,30,50\n1,dORM,40,30,50\n2,MV,40,30,50\n2,dORM,50,35,65\n"
    )
    return path


def test_the_command_draws_every_format(tmp_path: Path, csv_file: Path) -> None:
    outputs = [tmp_path / f"figure{suffix}" for suffix in FORMATS]
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, outputs, ceiling=True)
    assert sorted(tmp_path.iterdir()) == sorted(outputs)
    for path in outputs:
        told = read_origin(path)
        assert told is not None
        assert told.made == "figure accuracy_grid"
        assert list(told.code) == ["multirm.figures.accuracy_grid"]
        assert told.parameters == {"selection": "best_of_n", "ceiling": True}
        assert told.inputs == digests([csv_file])


def test_other_formats_are_refused_before_anything_is_drawn(tmp_path: Path, csv_file: Path) -> None:
    with pytest.raises(InputError, match=r"\.html, found '\.gif'"):
        draw_accuracy_grid(csv_file, Selection.BEST_OF_N, [tmp_path / "a.svg", tmp_path / "a.gif"])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("selection", [Selection.BEST_OF_N, Selection.WEIGHTED_VOTE])
def test_the_published_figure_has_the_published_values(
    shared_data: Path, selection: Selection
) -> None:
    """Point by point, from the chart's data, against the file as Python reads it."""
    path = shared_data / f"published/mmlu_pro_llama_3.1_8b_{selection}.csv"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    published = {
        (column.removesuffix("_mean").lower(), line["Method"], int(line["N"])): float(line[column])
        for line in lines
        for column in line
        if column.endswith("_mean")
    }
    figure = chart(read_accuracies(path, selection), selection, ceiling=True).to_dict()
    names = {"Majority vote": "MV"}
    drawn = [
        ((category, names.get(row["method"], row["method"]), row["x"]), row)
        for panel in figure["vconcat"][0]["concat"]
        for category in [panel["title"]["text"][0].lower().replace(" ", "_")]
        for row in values_of(figure, panel)
    ]
    assert len(drawn) == len(published) == 15 * len(lines)
    assert {key: row["value"] for key, row in drawn} == published
    assert {row["low"] for _, row in drawn} == {None}
