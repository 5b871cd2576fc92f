"""Text in a figure's own metadata: `<metadata>` in SVG, tEXt in PNG, Info in PDF, `<meta>` in HTML.

Files may come from anybody: only the place of the text is read, and nothing in them is executed.
"""

import html
import re
import struct
import zlib
from xml.sax.saxutils import escape, unescape

FORMATS = (".svg", ".pdf", ".png", ".html")

KEYWORD = "multirm"

_SVG_TEXT = re.compile(rf'<metadata id="{KEYWORD}">([^<]*)</metadata>'.encode())
_HTML_TEXT = re.compile(rf'<meta name="{KEYWORD}" content="([^"]*)">'.encode())
# Hexadecimal, so that nothing in it needs an escape.
_PDF_TEXT = re.compile(rf"/{KEYWORD} <([0-9a-f]*)>".encode())
_PDF_END = re.compile(rb"trailer\s*<<([^>]*)>>\s*startxref\s+(\d+)\s+%%EOF\s*\Z")

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNK = struct.Struct(">I4s")


def with_text(figure: bytes, suffix: str, text: str) -> bytes:
    """Add `text` to a figure's metadata; the picture is unchanged.

    Args:
        figure: the bytes of a figure without such a text.
        suffix: its format, one of `FORMATS`.
        text: ASCII.
    """
    written = text.encode("ascii")
    match suffix:
        case ".svg":
            mark = f'<metadata id="{KEYWORD}">{escape(text)}</metadata>'.encode()
            return _after(figure, rb"<svg\b[^>]*>", mark)
        case ".html":
            mark = f'<meta name="{KEYWORD}" content="{html.escape(text)}">'.encode()
            return _after(figure, rb"<head\b[^>]*>", mark)
        case ".png":
            return _into_png(figure, written)
        case ".pdf":
            return _into_pdf(figure, written)
    raise ValueError(f"no figure has the suffix {suffix}")


def text_in(figure: bytes, suffix: str) -> str | None:
    """The text that `with_text` put into a figure; None if there is none.

    Raises:
        ValueError: the text is not ASCII, or the suffix is not one of `FORMATS`.
    """
    match suffix:
        case ".svg":
            found = _SVG_TEXT.search(figure)
            return unescape(found[1].decode("ascii")) if found else None
        case ".html":
            found = _HTML_TEXT.search(figure)
            return html.unescape(found[1].decode("ascii")) if found else None
        case ".png":
            return _in_png(figure)
        case ".pdf":
            # The last one counts: updates are appended to a PDF.
            texts = _PDF_TEXT.findall(figure)
            return bytes.fromhex(texts[-1].decode()).decode("ascii") if texts else None
    raise ValueError(f"no figure has the suffix {suffix}")


def _after(figure: bytes, tag: bytes, mark: bytes) -> bytes:
    found = re.search(tag, figure)
    if found is None:
        raise ValueError(f"a figure without {tag.decode()}")
    return figure[: found.end()] + mark + figure[found.end() :]


def _into_png(figure: bytes, text: bytes) -> bytes:
    """Insert the text as a tEXt chunk after the header chunk (PNG specification, sections 5.3 and 11.3.3)."""
    length, kind = _PNG_CHUNK.unpack_from(figure, len(_PNG_SIGNATURE))
    if not figure.startswith(_PNG_SIGNATURE) or kind != b"IHDR":
        raise ValueError("a PNG without header")
    end = len(_PNG_SIGNATURE) + _PNG_CHUNK.size + length + 4
    data = KEYWORD.encode() + b"\0" + text
    chunk = _PNG_CHUNK.pack(len(data), b"tEXt") + data
    checksum = struct.pack(">I", zlib.crc32(b"tEXt" + data))
    return figure[:end] + chunk + checksum + figure[end:]


def _in_png(figure: bytes) -> str | None:
    place = len(_PNG_SIGNATURE) if figure.startswith(_PNG_SIGNATURE) else len(figure)
    while place + _PNG_CHUNK.size <= len(figure):
        length, kind = _PNG_CHUNK.unpack_from(figure, place)
        start = place + _PNG_CHUNK.size
        keyword, _, text = figure[start : start + length].partition(b"\0")
        if kind == b"tEXt" and keyword == KEYWORD.encode():
            return text.decode("ascii")
        place = start + length + 4
    return None


def _into_pdf(figure: bytes, text: bytes) -> bytes:
    """Append the text as an information dictionary in an incremental update (ISO 32000-1, 7.5.6 and 14.3.3)."""
    end = _PDF_END.search(figure)
    if end is None:
        raise ValueError("a PDF that does not end in a trailer and its cross-reference table")
    trailer, previous = end[1], end[2].decode()
    size = re.search(rb"/Size\s+(\d+)", trailer)
    root = re.search(rb"/Root\s+\d+\s+\d+\s+R", trailer)
    if size is None or root is None:
        raise ValueError("a PDF whose trailer names no size or no root")
    number, start = int(size[1]), len(figure) + 1
    information = f"{number} 0 obj\n<< /{KEYWORD} <{text.hex()}> >>\nendobj\n"
    table = f"xref\n0 1\n{0:010d} 65535 f \n{number} 1\n{start:010d} 00000 n \n"
    names = f"/Size {number + 1} {root[0].decode()} /Info {number} 0 R /Prev {previous}"
    after = f"trailer\n<< {names} >>\nstartxref\n{start + len(information)}\n%%EOF\n"
    return figure + f"\n{information}{table}{after}".encode()
