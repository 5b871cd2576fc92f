"""Write docs/figures/{figure}.png: each figure in results/figures, small, and in few colours.

`make thumbnails` runs it after a study, whose figures replace those of earlier ones: after `make study` for the
miniature's, and after a study of noise or of shuffled steps for theirs.
"""

import re
import struct
import zlib
from pathlib import Path

import numpy as np
import vl_convert

HERE = Path(__file__).parent
FIGURES = HERE.parent / "results" / "figures"
WIDTH = 400
COLOURS = 64

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDTH_OF_SVG = re.compile(r'<svg\b[^>]*? width="([\d.]+)"')


def write_thumbnails() -> None:
    """Write a thumbnail of each figure: of its first file by name."""
    for folder in sorted({path.parent for path in FIGURES.glob("*/*.svg")}):
        svg = min(folder.glob("*.svg")).read_text(encoding="utf-8")
        found = _WIDTH_OF_SVG.search(svg)
        if found is None:
            raise ValueError(f"{folder}: an SVG without a width")
        png = vl_convert.svg_to_png(svg, scale=WIDTH / float(found[1]))
        thumbnail = HERE / "figures" / f"{folder.name}.png"
        thumbnail.parent.mkdir(exist_ok=True)
        thumbnail.write_bytes(with_palette(pixels(png)))


def pixels(png: bytes) -> np.ndarray:
    """The pixels of a PNG with 8 bits for each of red, green, blue and alpha: uint8 [rows, columns, 4].

    PNG specification, 9: each row has bytes that say by how much it differs from what is to the left and above.
    """
    place, packed = len(_SIGNATURE), b""
    width = height = 0
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        data = png[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height = struct.unpack_from(">II", data)
        packed += data if kind == b"IDAT" else b""
        place += length + 12
    rows = np.frombuffer(zlib.decompress(packed), dtype=np.uint8).reshape(height, -1)
    result = np.zeros((height + 1, width + 1, 4), dtype=np.int64)
    for row, (kind, *_), differences in zip(range(height), rows, rows[:, 1:], strict=True):
        for column, difference in enumerate(differences.reshape(width, 4)):
            left, above = result[row + 1, column], result[row, column + 1]
            predicted = _predicted(kind, left, above, result[row, column])
            result[row + 1, column + 1] = (difference + predicted) % 256
    return result[1:, 1:].astype(np.uint8)


def _predicted(
    kind: int, left: np.ndarray, above: np.ndarray, corner: np.ndarray
) -> np.ndarray | int:
    match kind:
        case 1:
            return left
        case 2:
            return above
        case 3:
            return (left + above) // 2
        case 4:
            distances = [abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)]
            return np.choose(np.argmin(distances, axis=0), [left, above, corner])
    return 0


def with_palette(coloured: np.ndarray) -> bytes:
    """The pixels as a PNG with a palette of the most common colours, to the nearest of which the others go."""
    height, width = coloured.shape[:2]
    # To 5 bits, so that shades of one colour count as one.
    shades = (coloured[:, :, :3].reshape(-1, 3) >> 3).astype(np.int64)
    every, place, counts = np.unique(shades, axis=0, return_inverse=True, return_counts=True)
    palette = every[np.argsort(-counts)[:COLOURS]]
    nearest = ((every[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    rows = nearest[place].astype(np.uint8).reshape(height, width)
    packed = zlib.compress(np.insert(rows, 0, 0, axis=1).tobytes(), 9)
    colours = (palette * 255 // 31).astype(np.uint8).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", packed), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    write_thumbnails()
