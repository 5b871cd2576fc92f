"""The pages of reference say what they describe."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import multirm

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_in_step(reference: ModuleType) -> None:
    """`make reference` writes them."""
    folder = ROOT / "docs" / "reference"
    pages = reference.pages()
    assert {path.name for path in folder.iterdir()} == set(pages)
    stale = [name for name, text in pages.items() if (folder / name).read_text() != text]
    assert stale == [], "run `make reference`"


def test_all_of_the_python_package_is_described(reference: ModuleType) -> None:
    page = reference.python_page()
    for name in {*multirm.__all__} - {"__version__", "InputError"}:
        assert f"\n## multirm.{name}\n" in page
    assert "- `pools`: " in page and "### Evaluation.chart\n" in page
    # Every argument has its line.
    said = set(page.replace(", ", "`\n- `").split("\n"))
    for name in ("frame", "columns", "rewards", "split", "unit", "scale", "n", "runs", "seed"):
        assert any(line.startswith(f"- `{name}`") for line in said), name
