"""docs/figures.md lists every figure, and has a small picture of each one that the miniature draws."""

import importlib.util
import re
import struct
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import vl_convert

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


def test_a_picture_keeps_its_pixels(thumbnails: ModuleType) -> None:
    circles = "".join(
        f'<circle cx="{x}" cy="{x % 37}" r="9" fill="#{x:02x}42ff" />' for x in range(0, 240, 12)
    )
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" width="240" height="40">{circles}</svg>'
    background = '<rect width="240" height="40" fill="#ffffff" />'
    svg = svg.replace("<circle", f"{background}<circle", 1)
    found = thumbnails.pixels(vl_convert.svg_to_png(svg, scale=1))
    assert found.shape == (40, 240, 4) and (found[:, :, 3] == 255).all()
    for x in range(0, 228, 12):
        # The next circle is drawn over the right half of this one.
        assert found[x % 37, max(x - 2, 0)].tolist() == [x, 0x42, 255, 255]
    small = thumbnails.with_palette(found)
    assert small.startswith(b"\x89PNG") and len(small) < 5000
    assert np.unique(found.reshape(-1, 4), axis=0).shape[0] > thumbnails.COLOURS
