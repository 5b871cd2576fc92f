"""Write docs/figures/{figure}.png: each figure in results/figures, small, and in few colours.

`make thumbnails` runs it after a study, whose figures replace those of earlier ones: after `make study` for the
miniature's, and after a study of noise, of domains or of shuffled steps for theirs.
"""

import io
import re
from pathlib import Path

import vl_convert
from PIL import Image

HERE = Path(__file__).parent
FIGURES = HERE.parent / "results" / "figures"
WIDTH = 400
COLOURS = 64

_WIDTH_OF_SVG = re.compile(r'<svg\b[^>]*? width="([\d.]+)"')


def write_thumbnails() -> None:
    """Write a thumbnail of each figure: of its first file by name."""
    for folder in sorted({path.parent for path in FIGURES.glob("*/*.svg")}):
        svg = min(folder.glob("*.svg")).read_text(encoding="utf-8")
        (HERE / "figures").mkdir(exist_ok=True)
        (HERE / "figures" / f"{folder.name}.png").write_bytes(thumbnail(svg))


def thumbnail(svg: str) -> bytes:
    """A figure as a PNG of `WIDTH` pixels and at most `COLOURS` colours.

    Raises:
        ValueError: the figure has no width.
    """
    found = _WIDTH_OF_SVG.search(svg)
    if found is None:
        raise ValueError("expected an SVG with a width, found none")
    png = vl_convert.svg_to_png(svg, scale=WIDTH / float(found[1]))
    small = io.BytesIO()
    coloured = Image.open(io.BytesIO(png)).convert("RGB")
    coloured.quantize(COLOURS, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


if __name__ == "__main__":
    write_thumbnails()
