"""Every format is a whole file of its kind, with text as text, and no text of a table does anything in it."""

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import altair as alt
import pytest

from multirm.charts.palette import VOTES, styles
from multirm.figures.accuracies import Accuracies, Point
from multirm.figures.accuracy_grid import chart
from multirm.figures.render import page, rendered, specification
from multirm.running.metadata import FORMATS
from multirm.tables.accuracy import Selection
from tests.figures.described import described

HOSTILE = "</script><script>alert(1)</script><!-- \"'&amp; {datum.n} \u2028"


def figure(name: str = "dORM") -> alt.VConcatChart:
    points = [Point(category, name, n, 50.0 + n) for category in ("law", name) for n in (1, 2)]
    looks = VOTES | styles(described({name: None}))
    return chart(Accuracies(name, points, looks), Selection.BEST_OF_N, False)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return rendered(figure(), FORMATS)


def test_all_formats(files: dict[str, bytes]) -> None:
    assert list(files) == list(FORMATS)
    assert ET.fromstring(files[".svg"]).tag.endswith("svg")
    assert files[".pdf"].startswith(b"%PDF")
    assert files[".png"].startswith(b"\x89PNG")
    assert files[".html"].startswith(b"<!DOCTYPE html>")
    with pytest.raises(ValueError, match="gif"):
        rendered(figure(), [".gif"])


def test_the_same_chart_is_the_same_bytes(files: dict[str, bytes]) -> None:
    assert rendered(figure(), FORMATS) == files


def test_text_is_text(files: dict[str, bytes]) -> None:
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", files[".svg"].decode())
    assert {"Law", "dORM", "N", "Accuracy (%)", "Best-of-N accuracy on dORM"} <= set(texts)
    assert b"/ToUnicode" in files[".pdf"]
    assert b"/Font" in files[".pdf"]


def test_a_page_has_a_title_and_loads_nothing(files: dict[str, bytes]) -> None:
    html = files[".html"].decode()
    assert "<title>Best-of-N accuracy on dORM</title>" in html
    assert "default-src 'none'" in html
    for loading in ("<script src", "<link", "@import", "cdn."):
        assert loading not in html


def test_a_page_is_as_wide_as_a_screen_of_700_pixels(files: dict[str, bytes]) -> None:
    html = files[".html"].decode()
    assert "svg.marks { display: block; max-width: 100%;" in html
    found = re.search(r'<svg[^>]* width="(\d+)', files[".svg"].decode())
    margins = 2 * 8
    assert found and int(found[1]) + margins <= 700


def specification_in(html: str) -> dict[str, Any]:
    found = re.search(r'vegaEmbed\("#figure", (.*), (\{.*?\}\})\);\n</script>', html)
    assert found
    made: dict[str, Any] = json.loads(found[1])
    return made


def test_hostile_text_is_shown_and_does_nothing() -> None:
    html = page(specification(figure(HOSTILE)))
    assert html.count("<script") == html.count("</script>") == page({}).count("</script>") == 2
    assert "alert(1)</" not in html
    assert "<!--" not in html.partition("<script>")[0]
    assert specification_in(html) == specification(figure(HOSTILE))
    svg = rendered(figure(HOSTILE), [".svg"])[".svg"]
    root = ET.fromstring(svg)
    assert not [node for node in root.iter() if node.tag.endswith("script")]
    words = "".join(root.itertext())
    assert "</script><script>alert(1)" in words.replace("\n", "")


def test_points_tell_their_values() -> None:
    html = page(specification(figure()))
    panel = specification_in(html)["vconcat"][0]["concat"][0]
    told = [each["title"] for each in panel["layer"][-1]["encoding"]["tooltip"]]
    assert told == ["Method", "N", "Accuracy (%)", "95 % interval", "Questions"]
