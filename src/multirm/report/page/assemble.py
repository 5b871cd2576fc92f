"""The sections of a page → one HTML file that needs nothing else: no network, no other file, no server.

The data of each section is compressed, and unpacked when the section is opened. Scripts run only if their digest is in
the page's content security policy, so no text from a model or a data set can become one.
"""

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from multirm.running.metadata import KEYWORD
from multirm.version import VERSION

# All sections use what is defined in these; each section is a block of its own.
_SHARED = ("elements.js", "tables.js", "charts.js")
_LAST = "page.js"

_PLACE = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        name: `static/{name}.js` draws it, with what is in `static/{name}-*.js`; `static/{name}.css` is its style, if
            there is one.
        title: what it is called.
        payload: its data, ready for JSON.
    """

    name: str
    title: str
    payload: Mapping[str, Any]


def page_of(title: str, sections: Sequence[Section], provenance: str = "") -> str:
    """A page as HTML: the same text for the same sections.

    Args:
        title: of the whole page; it may be any text.
        provenance: what the page was made from, in ASCII, as `running.metadata.text_in` finds it.

    Raises:
        ValueError: a payload has NaN or infinity in it.
    """
    names = [section.name for section in sections]
    script, style = script_of(names), style_of(names)
    parts = {
        "policy": policy_of(script, style),
        "title": html.escape(title),
        "keyword": KEYWORD,
        "provenance": html.escape(provenance),
        "style": style,
        "tabs": "".join(map(_tab, sections)),
        "panels": "".join(map(_panel, sections)),
        "version": html.escape(VERSION),
        "data": "\n".join(map(_data, sections)),
        "script": script,
    }
    # In one pass: what is filled in is not looked at again.
    return _PLACE.sub(lambda found: parts[found[1]], _read("page.html"))


def policy_of(script: str, style: str) -> str:
    """A content security policy under which only this script runs, only this style is used, and nothing is loaded."""
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src {_hash(script)}",
            f"style-src {_hash(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def script_of(names: Sequence[str]) -> str:
    """The page's script: what sections share, the sections, each in its own block, and what opens them."""
    blocks = [*map(_files_of, names), [_LAST]]
    own = [f"{{\n{''.join(map(_read, files))}}}\n" for files in blocks]
    return _unclosed("".join(['"use strict";\n', *map(_read, _SHARED), *own]))


def _files_of(section: str) -> list[str]:
    """The scripts of a section, the one that draws it last."""
    parts = [file.name for file in _static().iterdir() if file.name.startswith(f"{section}-")]
    return [*sorted(parts), f"{section}.js"]


def style_of(names: Sequence[str]) -> str:
    """The page's style sheet, and those of the sections that have one."""
    files = [_static() / f"{name}.css" for name in names]
    own = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
    return _unclosed("".join([_read("page.css"), *own]))


def _unclosed(text: str) -> str:
    """A script or a style sheet that does not end where it is put into HTML before it should."""
    if re.search(r"</|<!--", text):
        raise ValueError("a static file contains </ or <!--")
    return text


def _static() -> Traversable:
    return resources.files(__package__) / "static"


def _read(name: str) -> str:
    return (_static() / name).read_text(encoding="utf-8")


def _tab(section: Section) -> str:
    name, title = html.escape(section.name), html.escape(section.title)
    return (
        f'<button type="button" role="tab" id="tab-{name}" aria-controls="panel-{name}" '
        f'aria-selected="false" tabindex="-1" data-section="{name}">{title}</button>'
    )


def _panel(section: Section) -> str:
    name, title = html.escape(section.name), html.escape(section.title)
    return (
        f'\n<section role="tabpanel" id="panel-{name}" aria-labelledby="tab-{name}" class="panel" '
        f'data-section="{name}" hidden>\n<h2 tabindex="-1">{title}</h2>\n<div class="content"></div>\n</section>'
    )


def _data(section: Section) -> str:
    # A type that is no script's: browsers do not run it.
    name = html.escape(section.name)
    return f'<script type="text/plain" id="data-{name}">{packed(section.payload)}</script>'


def packed(content: object) -> str:
    """A value as base64 of its gzipped JSON, the same for the same value.

    Raises:
        ValueError: there is NaN or infinity in it.
    """
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), 6, mtime=0)).decode("ascii")
