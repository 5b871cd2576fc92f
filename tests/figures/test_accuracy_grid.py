"""The main figure: what it shows, and that every format is a whole file of its kind."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.figures.accuracies import Point, read_accuracies
from multirm.figures.accuracy_grid import caption, chart, draw_accuracy_grid, rendered
from multirm.inspect.trace import read_origin
from multirm.running.files import digests
from multirm.running.metadata import FORMATS
from multirm.tables.accuracy import IntervalNote, Selection

METHODS = ["Majority vote", "dORM-8B", "gPRM-mini", "mine", "dORM-14B", "Pass@N"]


def points(categories: list[str], sizes: list[int]) -> list[Point]:
    return [
        Point(category, method, n, 40.0 + n + place)
        for category in categories
        for n in sizes
        for place, method in enumerate(METHODS)
    ]


def panels(ceiling: bool = False) -> list[dict[str, Any]]:
    data = points(["Overall", "computer_science", "law"], [1, 2, 4])
    return chart(data, Selection.BEST_OF_N, ceiling).to_dict()["concat"]


def test_a_panel_per_category_overall_first_with_readable_titles() -> None:
    assert [panel["title"]["text"] for panel in panels()] == [
        "Overall",
        "Computer science",
        "Law",
    ]


def test_n_is_on_a_log_2_axis_with_a_tick_per_size() -> None:
    x = panels()[0]["layer"][0]["encoding"]["x"]
    assert (x["scale"]["type"], x["scale"]["base"]) == ("log", 2)
    assert x["axis"]["values"] == [1, 2, 4]


def test_the_ceiling_is_optional() -> None:
    def domain(ceiling: bool) -> list[str]:
        return panels(ceiling)[0]["layer"][0]["encoding"]["color"]["scale"]["domain"]

    assert domain(True) == [*domain(False), "Pass@N"]


def test_colours_follow_the_kind_and_no_two_methods_share_one() -> None:
    scale = panels(True)[0]["layer"][0]["encoding"]["color"]["scale"]
    colours = dict(zip(scale["domain"], scale["range"], strict=True))
    assert len(set(colours.values())) == len(METHODS)
    assert colours["dORM-8B"] == "#56B4E9"
    assert colours["gPRM-mini"] == "#D55E00"


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "best_of_n.csv"
    path.write_text(
        "N,Method,Overall_mean,law_mean,physics_mean\n"
        "1,MV,40,30,50\n1,dORM,40,30,50\n2,MV,40,30,50\n2,dORM,50,35,65\n"
    )
    return path


def test_every_format(tmp_path: Path, csv_file: Path) -> None:
    outputs = [tmp_path / f"figure{suffix}" for suffix in (".svg", ".pdf", ".png", ".html")]
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, outputs)
    svg, pdf, png, html = (path.read_bytes() for path in outputs)
    assert svg.startswith(b"<svg")
    assert b"Physics" in svg
    assert pdf.startswith(b"%PDF")
    assert png.startswith(b"\x89PNG")
    assert b"Physics" in html
    assert sorted(tmp_path.iterdir()) == sorted(outputs)


def test_html_loads_nothing_from_elsewhere(tmp_path: Path, csv_file: Path) -> None:
    path = tmp_path / "figure.html"
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, [path])
    html = path.read_text()
    assert "vegaEmbed" in html
    for loading in ("<script src", "<link", "@import", "cdn."):
        assert loading not in html


@pytest.mark.parametrize("sizes", [[1], [4], [1, 3, 100]])
def test_one_size_one_category_and_flat_curves(sizes: list[int]) -> None:
    flat = [Point("test", "dORM", n, 100.0) for n in sizes]
    assert rendered(chart(flat, Selection.WEIGHTED_VOTE, True), ".svg").count(b"NaN") == 0


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_figure_is_the_same_bytes(csv_file: Path, tmp_path: Path, suffix: str) -> None:
    outputs = [tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"]
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, outputs[:1])
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, outputs[1:])
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_figure_says_what_it_was_drawn_from(csv_file: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"figure{suffix}"
    draw_accuracy_grid(csv_file, Selection.BEST_OF_N, [path], ceiling=True)
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


def test_published_figure(shared_data: Path) -> None:
    path = shared_data / "published/mmlu_pro_llama_3.1_8b_best_of_n.csv"
    figure = chart(read_accuracies(path, Selection.BEST_OF_N), Selection.BEST_OF_N, False)
    assert len(figure.to_dict()["concat"]) == 15
    svg = rendered(figure, ".svg").decode()
    for text in ("Computer science", "Psychology", "Majority vote", "gPRM", "Accuracy (%)"):
        assert text in svg


def test_the_line_under_the_title_says_what_bars_are_and_what_they_rest_on() -> None:
    data = [
        Point("law", "dORM", 1, 50.0, 40.0, 60.0),
        Point("law", "dORM", 2, 100.0, 80.0, 100.0, IntervalNote.NO_SPREAD),
        Point("law", "Pass@N", 2, 100.0, 20.0, 100.0, IntervalNote.ONE_QUESTION),
    ]
    assert caption(data[:1], ["dORM"], 200) == ["Bars: 95 % intervals."]
    (line,) = caption(data, ["dORM"], 200)
    assert line.startswith("Bars: 95 % intervals. Where all questions came out alike")
    assert "One question" in " ".join(caption(data, ["dORM", "Pass@N"], 40))
    assert max(map(len, caption(data, ["dORM", "Pass@N"], 40))) <= 40
    without = [Point("law", "MV", 1, 50.0, note=IntervalNote.PUBLISHED)]
    assert caption(without, ["MV"], 200) == [f"The{IntervalNote.PUBLISHED.meaning[3:]}."]
    drawn = chart(data, Selection.BEST_OF_N, True).to_dict()
    assert drawn["title"]["subtitle"][0].startswith("Bars")
    assert drawn["title"]["text"] == "Best-of-N"
