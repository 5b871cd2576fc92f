"""Text in a figure's metadata is read back unchanged, and the figure stays valid."""

import re
import struct
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser

import pytest
import vl_convert
from hypothesis import given
from hypothesis import strategies as st

from multirm.running.metadata import FORMATS, text_in, with_text

SPECIFICATION = {
    "data": {"values": [{"x": 1, "y": 2}]},
    "mark": "point",
    "encoding": {
        "x": {"field": "x", "type": "quantitative"},
        "y": {"field": "y", "type": "quantitative"},
    },
}
AWKWARD = '{"<b>&amp;\\"\'": "](\\\\)>> endobj %%EOF --> </svg></metadata></head>"}'


@pytest.fixture(scope="module")
def figures() -> dict[str, bytes]:
    return {
        ".svg": vl_convert.vegalite_to_svg(SPECIFICATION).encode(),
        ".pdf": vl_convert.vegalite_to_pdf(SPECIFICATION),
        ".png": vl_convert.vegalite_to_png(SPECIFICATION),
        ".html": vl_convert.vegalite_to_html(SPECIFICATION, bundle=True).encode(),
    }


@pytest.mark.parametrize("suffix", FORMATS)
@given(text=st.text(st.characters(max_codepoint=126, min_codepoint=32)))
def test_any_text_is_read_back(figures: dict[str, bytes], suffix: str, text: str) -> None:
    assert text_in(figures[suffix], suffix) is None
    assert text_in(with_text(figures[suffix], suffix, text), suffix) == text


def test_an_svg_stays_valid_with_the_same_picture(figures: dict[str, bytes]) -> None:
    before = ET.fromstring(figures[".svg"])
    after = ET.fromstring(with_text(figures[".svg"], ".svg", AWKWARD))
    assert [child.tag for child in after][1:] == [child.tag for child in before]
    assert after[0].tag == "{http://www.w3.org/2000/svg}metadata"
    assert after[0].text == AWKWARD


def test_an_html_page_stays_valid_without_injected_markup(figures: dict[str, bytes]) -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Parser().feed(with_text(figures[".html"], ".html", AWKWARD).decode())
    head = next(place for place, (tag, _) in enumerate(tags) if tag == "head")
    assert tags[head + 1] == ("meta", {"name": "multirm", "content": AWKWARD})
    assert "b" not in {tag for tag, _ in tags}


def png_chunks(png: bytes) -> list[tuple[bytes, bytes]]:
    place, chunks = 8, []
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        data = png[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", png, place + 8 + length)
        assert checksum == zlib.crc32(kind + data)
        chunks.append((kind, data))
        place += 12 + length
    return chunks


def test_a_png_gets_one_more_chunk(figures: dict[str, bytes]) -> None:
    before = png_chunks(figures[".png"])
    after = png_chunks(with_text(figures[".png"], ".png", AWKWARD))
    assert after == [before[0], (b"tEXt", b"multirm\0" + AWKWARD.encode()), *before[1:]]


def test_a_pdf_gets_an_incremental_update(figures: dict[str, bytes]) -> None:
    """As a PDF reader does: from the last table to the object, and to the previous table."""
    before, after = figures[".pdf"], with_text(figures[".pdf"], ".pdf", AWKWARD)
    assert after.startswith(before)
    end = re.search(rb"startxref\n(\d+)\n%%EOF\n\Z", after)
    assert end is not None
    table = after[int(end[1]) :]
    first = rb"xref\n0 1\n0000000000 65535 f \n"
    entry = re.match(first + rb"(\d+) 1\n(\d{10}) 00000 n \ntrailer\n", table)
    assert entry is not None
    assert after[int(entry[2]) :].startswith(b"%s 0 obj\n<< /multirm <" % entry[1])
    earlier = re.findall(rb"startxref\s+(\d+)", before)[-1]
    assert b"/Prev %s " % earlier in table
    assert before[int(earlier) :].startswith(b"xref")
    assert b"/Info %s 0 R" % entry[1] in table
    sizes = [int(size) for size in re.findall(rb"/Size (\d+)", after)]
    assert sizes[-1] == sizes[-2] + 1 == int(entry[1]) + 1


@pytest.mark.parametrize("suffix", FORMATS)
def test_other_bytes_have_no_text_and_accept_none(suffix: str) -> None:
    for other in (b"", b"multirm", b"\x89PNG\r\n\x1a\n\xff\xff\xff\xfftEXt", b"\0" * 40):
        assert text_in(other, suffix) is None
        with pytest.raises((ValueError, struct.error)):
            with_text(other, suffix, "text")


@pytest.mark.parametrize(
    ("suffix", "figure"),
    [
        (".svg", b'<metadata id="multirm">\xff</metadata>'),
        (".html", b'<meta name="multirm" content="\xff">'),
        (".png", b"\x89PNG\r\n\x1a\n\0\0\0\x09tEXtmultirm\0\xff...."),
        (".pdf", b"/multirm <abc>"),
    ],
)
def test_a_text_in_another_format_is_reported(suffix: str, figure: bytes) -> None:
    with pytest.raises(ValueError, match=r"codec|hex"):
        text_in(figure, suffix)
