"""The legend by itself says what the figures' says."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.figures import accuracy_grid
from multirm.figures.accuracies import Accuracies
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.legend import chart, draw_legend
from multirm.figures.render import rendered
from multirm.inspect.trace import read_origin
from multirm.running.files import digests
from multirm.tables.accuracy import Selection


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "best_of_n.csv"
    path.write_text(
        "N,Method,Overall_mean,law_mean,physics_mean\n"
        "1,MV,40,30,50\n1,dORM-8B,40,30,50\n1,mine,40,30,50\n1,Pass@N,40,30,50\n"
    )
    return path


@pytest.mark.parametrize("ceiling", [False, True])
def test_colours_and_marks_are_the_figures(csv_file: Path, ceiling: bool) -> None:
    given = read_accuracies(csv_file, Selection.BEST_OF_N)
    grid = accuracy_grid.chart(given, Selection.BEST_OF_N, ceiling).to_dict()["vconcat"]
    point = chart(given, ceiling).to_dict()["layer"][1]["encoding"]
    drawn = grid[0]["concat"][0]["layer"][-1]["encoding"]
    below = grid[1]["layer"][1]["encoding"]
    for channel in ("color", "shape", "fill"):
        assert point[channel] == drawn[channel] == below[channel]
    methods = ["dORM-8B", "mine", "Majority vote", *(["Pass@N"] if ceiling else [])]
    assert point["color"]["scale"]["domain"] == methods


def test_no_methods() -> None:
    svg = rendered(chart(Accuracies("d", []), True), [".svg"])[".svg"]
    assert b"no methods to name" in svg


def test_the_command(csv_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "legend.svg"
    draw_legend(csv_file, [path])
    told = read_origin(path)
    assert told is not None
    assert told.made == "figure legend"
    assert (told.parameters, told.inputs) == ({"ceiling": False}, digests([csv_file]))
    svg = path.read_text().partition("</metadata>")[2]
    assert "Majority vote" in svg
    assert "dORM-8B" in svg
    assert "Pass@N" not in svg


def test_other_formats_are_refused_before_anything_is_drawn(csv_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.html, found '\.gif'"):
        draw_legend(csv_file, [tmp_path / "a.svg", tmp_path / "a.gif"])
    assert not list(tmp_path.iterdir())


def test_a_page_of_it_has_a_title(csv_file: Path) -> None:
    figure = chart(read_accuracies(csv_file, Selection.BEST_OF_N), ceiling=False)
    page = rendered(figure, [".html"])[".html"].decode()
    assert "<title>Colours and marks of methods on best_of_n</title>" in page
