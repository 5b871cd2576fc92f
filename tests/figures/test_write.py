"""Figures are written whole, and say what they were drawn from."""

from pathlib import Path

import altair as alt
import pytest

from multirm.errors import InputError
from multirm.figures.write import check_formats, write_figure
from multirm.inspect.trace import read_origin
from multirm.running.files import digests
from multirm.running.metadata import FORMATS

MODULE = "multirm.figures.legend"


def figure() -> alt.Chart:
    return alt.Chart(alt.InlineData(values=[{"a": 1}])).mark_point().encode(x="a:Q")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_figure_says_what_it_was_drawn_from(tmp_path: Path, suffix: str) -> None:
    source, path = tmp_path / "accuracy.csv", tmp_path / f"figure{suffix}"
    source.write_text("N\n")
    write_figure(figure(), [path], MODULE, {"ceiling": True}, [source])
    told = read_origin(path)
    assert told is not None
    assert told.made == "figure legend"
    assert list(told.code) == [MODULE]
    assert told.parameters == {"ceiling": True}
    assert told.inputs == digests([source])


def test_all_files_are_there_or_none(tmp_path: Path) -> None:
    outputs = [tmp_path / f"figure{suffix}" for suffix in FORMATS]
    write_figure(figure(), outputs, MODULE, {}, [])
    assert sorted(tmp_path.iterdir()) == sorted(outputs)
    broken = alt.Chart(alt.InlineData(values=[])).mark_point().encode(x="nowhere:X")
    for path in outputs:
        path.write_bytes(b"before")
    with pytest.raises(Exception, match="X"):
        write_figure(broken, outputs, MODULE, {}, [])
    assert {path.read_bytes() for path in outputs} == {b"before"}
    assert sorted(tmp_path.iterdir()) == sorted(outputs)


def test_other_formats_are_refused() -> None:
    check_formats([Path("a.svg"), Path("a.html")])
    with pytest.raises(InputError, match=r"\.html, found '\.gif'"):
        check_formats([Path("a.svg"), Path("a.gif")])
