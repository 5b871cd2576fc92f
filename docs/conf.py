"""How Sphinx builds the documentation: `make docs` writes it to docs/_build, without network access."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from multirm.version import VERSION  # noqa: E402

project = "multirm"
version = release = VERSION
copyright = "the multirm authors"

extensions = ["myst_parser"]
exclude_patterns = ["_build", "figures"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"multirm {VERSION}"
