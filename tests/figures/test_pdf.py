"""A PDF in order is the same document, and the same bytes whatever order its objects were written in."""

import re
import zlib

import pytest
import vl_convert

from multirm.figures.pdf import in_order

BODIES = {
    "catalog": b"<< /Type /Catalog /Pages {pages} 0 R >>",
    "pages": b"<< /Type /Pages /Count 1 /Kids [{page} 0 R] >>",
    "page": b"<< /Type /Page /Resources << /Font << {fonts} >> >> /Contents {text} 0 R >>",
    "roman": b"<< /Type /Font /BaseFont /Roman >>",
    "bold": b"<< /Type /Font /BaseFont /Bold >>",
    # What stands in a stream is no reference, and no end.
    "text": b"<< /Length 40 >>\nstream\n1 0 R trailer xref 2 0 obj endobj 0 0 R ()\nendstream",
}


def pdf(order: list[str], fonts: list[str]) -> bytes:
    """A document with its objects in an order, and its fonts in another."""
    numbers = {name: b"%d" % number for number, name in enumerate(order, start=1)}
    named = {"f0": numbers["roman"], "f1": numbers["bold"]}
    listed = b" ".join(b"/%s %s 0 R" % (name.encode(), named[name]) for name in fonts)
    written, entries = b"%PDF-1.7\n%\xff\xff\n\n", b"0000000000 65535 f \n"
    for name in order:
        entries += b"%010d 00000 n \n" % len(written)
        body = BODIES[name].replace(b"{fonts}", listed)
        for other, number in numbers.items():
            body = body.replace(b"{%s}" % other.encode(), number)
        written += b"%s 0 obj\n%s\nendobj\n\n" % (numbers[name], body)
    table = b"xref\n0 %d\n%s" % (len(order) + 1, entries)
    trailer = b"<<\n/Size %d\n/Root %s 0 R\n>>" % (len(order) + 1, numbers["catalog"])
    return written + table + b"trailer\n%s\nstartxref\n%d\n%%%%EOF" % (trailer, len(written))


def objects(document: bytes) -> dict[int, bytes]:
    """The objects by number, found as a reader finds them: through the table."""
    end = re.search(rb"startxref\s+(\d+)\s+%%EOF\s*\Z", document)
    assert end is not None
    table = re.match(rb"xref\n0 (\d+)\n", document[int(end[1]) :])
    assert table is not None
    found = {}
    for number in range(1, int(table[1])):
        start = int(end[1]) + table.end() + 20 * number
        place = int(document[start : start + 10])
        header = b"%d 0 obj" % number
        assert document[place:].startswith(header)
        found[number] = document[place + len(header) :].split(b"\nendobj\n", 1)[0].strip()
    assert re.search(rb"/Size (\d+)", document[int(end[1]) :])[1] == table[1]  # type: ignore[index]
    return found


def test_the_order_of_objects_and_fonts_makes_no_difference() -> None:
    names = list(BODIES)
    orders = [names, names[::-1], names[3:] + names[:3]]
    made = {
        in_order(pdf(order, fonts)) for order in orders for fonts in (["f0", "f1"], ["f1", "f0"])
    }
    assert len(made) == 1
    found = objects(made.pop())
    assert sorted(found) == [1, 2, 3, 4, 5, 6]
    assert found[1] == b"<< /Type /Catalog /Pages 2 0 R >>"
    page = next(body for body in found.values() if b"/Type /Page " in body)
    fonts = re.findall(rb"/f\d (\d) 0 R", page)
    assert [b"/Roman" in found[int(number)] for number in fonts] == [True, False]
    assert BODIES["text"] in found.values()


def test_what_was_drawn_is_as_it_was() -> None:
    specification = {"mark": "text", "encoding": {"text": {"value": "law"}}, "title": "Bold"}
    drawn = vl_convert.vegalite_to_pdf({**specification, "data": {"values": [{}]}})
    streams = re.compile(rb"stream\n(.*?)\nendstream", re.DOTALL)

    def contents(document: bytes) -> list[bytes]:
        return sorted(
            zlib.decompress(data) if data[:1] == b"x" else data
            for data in streams.findall(document)
        )

    ordered = in_order(drawn)
    assert contents(ordered) == contents(drawn)
    assert len(objects(ordered)) == len(objects(drawn))
    assert in_order(ordered) == ordered


@pytest.mark.parametrize("cut", [0, 20, 200])
def test_other_bytes_are_refused(cut: int) -> None:
    document = pdf(list(BODIES), ["f0", "f1"])
    with pytest.raises(ValueError, match="a PDF "):
        in_order(document[: len(document) - cut - 1])


def test_objects_that_are_elsewhere_are_missed() -> None:
    document = pdf(list(BODIES), ["f0", "f1"])
    with pytest.raises(ValueError, match="a PDF whose object 1 is not where"):
        in_order(document.replace(b"0000000014 ", b"0000000015 "))
