"""Texts that try to run something, to hide something, or to break the page, in a real browser."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.report.page.conftest import PHONE, WIDTHS, Opened
from tests.report.page.hostile import BIDI, CATEGORY, DATASET, MODELS, QUESTION, STUDY, TEXTS

Open = Callable[..., Opened]

# Characters that reorder or hide text, and controls, as they must not be in the page.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)


def nothing_has_run(opened: Opened) -> None:
    assert opened.said == []
    assert opened.requests == []
    assert opened.page.evaluate("window.canary") is None
    # No element but those that the page makes.
    for selector in ("img", "a[href^=javascript]", "main script", "main style", "iframe", "object"):
        assert opened.page.locator(selector).count() == 0, selector
    names = "[...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames())"
    assert [name for name in opened.page.evaluate(names) if name.startswith("on")] == []


def to_the_question(page: Page) -> None:
    page.get_by_label("Question or id contains").fill("id <img")
    page.locator(".question-row").click()
    expect(page.locator(".pool")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_and_everything_fits(
    hostile_page: Path, open_page: Open, width: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    opened = open_page(hostile_page, "#solutions", width)
    page = opened.page
    fits = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    folder = tmp_path_factory.getbasetemp() / "screenshots"
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(fits), tab.inner_text()
        page.screenshot(path=folder / f"hostile_{tab.inner_text()}_{width}.png", full_page=True)
    page.get_by_role("tab", name="Solutions").click()
    to_the_question(page)
    for place in range(len(TEXTS)):
        page.locator(f'.pool tr[data-place="{place}"] button').click()
        expect(page.locator(".solution-place h4")).to_have_text(f"Solution {place}")
        page.evaluate(
            "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
        )
        assert page.evaluate(fits), TEXTS[place][:30]
    page.locator('.pool tr[data-place="1"] button').click()
    page.screenshot(path=folder / f"hostile_question_{width}.png", full_page=True)
    nothing_has_run(opened)


def test_what_every_question_says_is_harmless(hostile_page: Path, open_page: Open) -> None:
    opened = open_page(hostile_page, "#solutions", PHONE)
    page = opened.page
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for place in (0, 1, 2, 7, 49):
        page.locator(f'.question-row[data-place="{place}"]').click()
        expect(page.locator(f'.solutions-detail[data-place="{place}"] .pool')).to_be_visible()
        page.locator(".solution-row").last.click()
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
    search = page.get_by_label("Question or id contains")
    for text in (*TEXTS[:4], "(", "\\", "[a"):
        search.fill(text)
    nothing_has_run(opened)


def test_texts_are_shown_as_they_are(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page, "#solutions").page
    to_the_question(page)
    heading = page.locator(".solutions-detail h3").text_content() or ""
    for name in (DATASET, CATEGORY, QUESTION):
        assert HIDDEN.sub("", name)[:60] in re.sub(r"U\+[0-9A-F]{4}", "", heading)
    for place, text in enumerate(TEXTS):
        page.locator(f'.pool tr[data-place="{place}"] button').click()
        shown = page.locator(".steps .step .said").first.text_content() or ""
        marked = HIDDEN.sub(lambda found: f"U+{ord(found[0]):04X}", text)
        assert shown == marked
    whole = page.locator("main").evaluate("(main) => main.textContent")
    assert not HIDDEN.search(whole.replace("\n", ""))


def test_hidden_characters_are_marked_and_direction_is_kept_apart(
    hostile_page: Path, open_page: Open
) -> None:
    page = open_page(hostile_page, "#solutions").page
    to_the_question(page)
    page.locator(f'.pool tr[data-place="{TEXTS.index(BIDI)}"] button').click()
    step = page.locator(".steps .step .said").first
    marks = step.locator(".hidden-character").all_inner_texts()
    assert marks[:4] == ["U+202E", "U+202C", "U+2066", "U+2069"]
    # Reading order: the mark of the override does not move what follows it.
    boxes = [step.locator(".hidden-character").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0] and boxes[1]
    assert boxes[0]["x"] < boxes[1]["x"] or boxes[0]["y"] < boxes[1]["y"]
    for selector in (".solutions-detail bdi", ".said"):
        isolated = page.locator(selector).evaluate_all(
            "(all) => all.map((each) => getComputedStyle(each).unicodeBidi)"
        )
        assert isolated
        assert set(isolated) <= {"isolate", "plaintext", "isolate-override"}


def test_the_policy_refuses_requests_and_scripts(hostile_page: Path, open_page: Open) -> None:
    opened = open_page(hostile_page)
    page = opened.page
    failures: list[str | None] = []
    page.on("requestfailed", lambda request: failures.append(request.failure))
    refused = page.evaluate(
        """async () => {
            const outcomes = {};
            outcomes.fetch = await fetch("https://example.invalid/").then(() => "sent", (error) => error.name);
            const image = new Image();
            outcomes.image = await new Promise((done) => {
                image.onload = () => done("loaded");
                image.onerror = () => done("refused");
                image.src = "https://example.invalid/x.png";
            });
            const script = document.createElement("script");
            script.textContent = "window.canary = 1";
            document.body.append(script);
            const element = document.createElement("div");
            element.innerHTML = '<img src=x onerror="window.canary = 2">';
            document.body.append(element);
            await new Promise((done) => setTimeout(done, 200));
            outcomes.canary = window.canary ?? null;
            try { eval("window.canary = 3"); } catch (error) { outcomes.eval = error.name; }
            return outcomes;
        }"""
    )
    assert refused == {
        "fetch": "TypeError",
        "image": "refused",
        "canary": None,
        "eval": "EvalError",
    }
    assert len(failures) == len(opened.requests)
    assert set(failures) <= {"csp", "net::ERR_BLOCKED_BY_CSP"}
    assert len([each for each in opened.said if "Content Security Policy" in each]) >= 5


def test_lone_surrogates_are_marked(hostile_page: Path, open_page: Open) -> None:
    """No table can hold them, but JSON can."""
    page = open_page(hostile_page).page
    text = json.dumps("a\ud800b \udc00 \U0001f600")
    assert page.evaluate(f"said({text}).textContent") == "aU+D800b U+DC00 \U0001f600"
    assert page.evaluate(f"plain({text})") == "a⟨U+D800⟩b ⟨U+DC00⟩ \U0001f600"


def test_the_title_is_text(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page).page
    assert "<script>" in page.title()
    assert STUDY.split("\u202e")[0].strip() in (page.locator("h1").text_content() or "")


def test_names_of_models_are_shown(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page, "#solutions").page
    to_the_question(page)
    table = page.locator(".pool thead").text_content() or ""
    for name in MODELS:
        assert HIDDEN.sub("", name) in re.sub(r"U\+[0-9A-F]{4}", "", table)
