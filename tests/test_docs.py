"""docs/figures.md lists every figure, and has a small picture of each one that the miniature draws."""

import importlib.util
import io
import re
import struct
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from multirm.study.figures import FIGURES, figures_of
from multirm.study.load import load_study, read_yaml

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs" / "figures.md").read_text()
MINIATURE = ROOT / "config" / "config.yaml"


@pytest.fixture(scope="module")
def thumbnails() -> ModuleType:
    spec = importlib.util.spec_from_file_location("thumbnails", ROOT / "docs" / "thumbnails.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_figure_is_listed() -> None:
    listed = TEXT.partition("\n## ")[0]
    assert [name for name in FIGURES if not re.search(rf"`{name}(/\{{study\}})?`", listed)] == []


def test_every_figure_of_the_miniature_is_pictured() -> None:
    shown = re.findall(r"\| `(\w+)` \| !\[\1\]\(figures/\1\.png\) \|", TEXT)
    study = load_study(read_yaml(MINIATURE), [MINIATURE])
    assert [name for name in figures_of(study) if name not in shown] == []
    pictures = {path.stem: path for path in (ROOT / "docs" / "figures").iterdir()}
    assert set(shown) == set(pictures), "run `make thumbnails`"
    for picture in pictures.values():
        width, _ = struct.unpack_from(">II", picture.read_bytes(), 16)
        assert 390 <= width <= 410 and picture.stat().st_size <= 25_000


def test_a_thumbnail_is_small_and_keeps_colours(thumbnails: ModuleType) -> None:
    circles = "".join(
        f'<circle cx="{x}" cy="20" r="9" fill="#{x:02x}42ff" />' for x in range(10, 240, 20)
    )
    background = '<rect width="240" height="40" fill="#ffffff" />'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="240" height="40">{background}{circles}</svg>'
    picture = Image.open(io.BytesIO(thumbnails.thumbnail(svg)))
    assert picture.width == thumbnails.WIDTH
    coloured = picture.convert("RGB")
    assert len(coloured.getcolors()) <= thumbnails.COLOURS
    for x in range(10, 240, 20):
        found = coloured.getpixel((round(x * thumbnails.WIDTH / 240), coloured.height // 2))
        assert max(abs(a - b) for a, b in zip(found, (x, 0x42, 255), strict=True)) <= 8


def test_a_figure_without_width_is_refused(thumbnails: ModuleType) -> None:
    with pytest.raises(ValueError, match="an SVG with a width"):
        thumbnails.thumbnail("<svg/>")
