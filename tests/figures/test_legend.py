"""The legend by itself says what the figure's says."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.figures.accuracies import read_accuracies
from multirm.figures.accuracy_grid import chart
from multirm.figures.legend import draw_legend, legend
from multirm.inspect.trace import read_origin
from multirm.running.files import digests
from multirm.running.metadata import FORMATS
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
def test_colours_and_shapes_are_the_figures(csv_file: Path, ceiling: bool) -> None:
    points = read_accuracies(csv_file, Selection.BEST_OF_N)
    panel = chart(points, Selection.BEST_OF_N, ceiling).to_dict()["concat"][0]
    marked = next(layer["encoding"] for layer in panel["layer"] if "shape" in layer["encoding"])
    methods = ["dORM-8B", "mine", "Majority vote", *(["Pass@N"] if ceiling else [])]
    alone = legend(methods).to_dict()["encoding"]
    assert alone["shape"] == marked["shape"]
    assert alone["color"] == marked["color"]
    assert alone["color"]["scale"]["domain"] == methods


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format(csv_file: Path, tmp_path: Path, suffix: str) -> None:
    outputs = [tmp_path / f"one{suffix}", tmp_path / f"two{suffix}"]
    for path in outputs:
        draw_legend(csv_file, [path])
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    told = read_origin(outputs[0])
    assert told is not None
    assert told.made == "figure legend"
    assert (told.parameters, told.inputs) == ({"ceiling": False}, digests([csv_file]))
    if suffix == ".svg":
        svg = outputs[0].read_text()
        assert "Majority vote" in svg
        assert "dORM-8B" in svg
        assert "Pass@N" not in svg.partition("</metadata>")[2]


def test_other_formats_are_refused_before_anything_is_drawn(csv_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.html, found '\.gif'"):
        draw_legend(csv_file, [tmp_path / "a.svg", tmp_path / "a.gif"])
    assert not list(tmp_path.iterdir())
