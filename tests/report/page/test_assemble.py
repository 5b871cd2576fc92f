"""The page as one file: nothing from elsewhere, only our own script, the same bytes for the same sections."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.report.page.assemble import (
    Section,
    _static,
    packed,
    page_of,
    policy_of,
    script_of,
    style_of,
)
from multirm.running.metadata import text_in

HOSTILE = (
    """</title></script><script>alert(1)</script><img src=x onerror=alert(1)>{{script}}\u202e"'"""
)
SECTIONS = [Section("overview", "Overview", {"datasets": []})]


class Elements(HTMLParser):
    """The elements of a page with their attributes, and the text of each script and style."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style", "title"):
            self.texts.append((self._inside, data))


def test_the_same_sections_make_the_same_page() -> None:
    assert page_of("t", SECTIONS, "{}") == page_of("t", SECTIONS, "{}")
    assert page_of("t", SECTIONS) != page_of("other", SECTIONS)


def test_the_policy_permits_our_script_and_style_alone() -> None:
    elements = Elements(page_of("t", SECTIONS))
    policies = [
        attributes["content"]
        for tag, attributes in elements.found
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    directives = dict(part.strip().partition(" ")[::2] for part in str(policies[0]).split(";"))
    assert directives["default-src"] == "'none'"
    for kind in ("script", "style"):
        text = "".join(text for tag, text in elements.texts if tag == kind and "{" in text)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert directives[f"{kind}-src"] == f"'sha256-{digest}'"
    assert "unsafe" not in str(policies[0])
    assert policy_of("a", "b") != policy_of("a", "c")


def test_nothing_comes_from_elsewhere() -> None:
    elements = Elements(page_of("t", SECTIONS))
    addresses = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in ("src", "href", "action", "data", "poster", "srcset")
    ]
    assert addresses == ["#main"]
    code = script_of(["overview", "solutions"]) + style_of(["overview", "solutions"])
    # Names of XML are not addresses.
    assert set(re.findall(r"https?://[^\"' )]+", code)) <= {"http://www.w3.org/2000/svg"}
    assert "@import" not in code and "url(" not in code


def test_all_scripts_of_a_section_are_in_its_block() -> None:
    code = script_of(["overview", "solutions"])
    files = [file for file in _static().iterdir() if file.name.startswith("solutions")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.name.endswith(".js")]
    assert len(texts) > 3
    assert all(code.count(text) == 1 for text in texts)
    # Between the brace that opens the section's block and the next block.
    places = [code.index(text) for text in texts]
    inside = code[min(places) : max(places)]
    assert "\n}\n{\n" not in inside


def test_no_script_makes_markup_or_code_of_texts() -> None:
    code = script_of(["overview", "solutions"])
    forbidden = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|\bimport\b"
    )
    assert re.findall(forbidden, code) == []


def test_a_hostile_title_is_text() -> None:
    page = page_of(HOSTILE, SECTIONS)
    elements = Elements(page)
    assert "".join(text for tag, text in elements.texts if tag == "title") == HOSTILE
    assert not [tag for tag, _ in elements.found if tag == "img"]
    assert len([tag for tag, _ in elements.found if tag == "script"]) == 2
    assert page.count("{{script}}") == 2, "what is filled in is not filled in again"


def test_hostile_data_is_no_markup() -> None:
    data = {"text": HOSTILE, "name": "\ud800"}
    elements = Elements(page_of("t", [Section("overview", "Overview", data)]))
    (block,) = [text for tag, text in elements.texts if tag == "script" and "{" not in text]
    assert re.fullmatch("[A-Za-z0-9+/=]+", block.strip())
    assert json.loads(gzip.decompress(base64.b64decode(block))) == data


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(json_values)
def test_what_is_packed_is_what_is_unpacked(value: object) -> None:
    assert json.loads(gzip.decompress(base64.b64decode(packed(value)))) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_no_json_has_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        packed({"value": value})


def test_the_provenance_is_found_again() -> None:
    text = '{"made": "page", "x": "<&\\">"}'
    assert text_in(page_of("t", SECTIONS, text).encode(), ".html") == text


def test_each_section_has_a_tab_and_a_panel() -> None:
    sections = [*SECTIONS, Section("solutions", "Solutions", {})]
    found = Elements(page_of("t", sections)).found
    tabs = [attributes for _, attributes in found if attributes.get("role") == "tab"]
    panels = [attributes for _, attributes in found if attributes.get("role") == "tabpanel"]
    assert [tab["data-section"] for tab in tabs] == ["overview", "solutions"]
    assert [tab["aria-controls"] for tab in tabs] == [panel["id"] for panel in panels]
    assert [panel["aria-labelledby"] for panel in panels] == [tab["id"] for tab in tabs]
