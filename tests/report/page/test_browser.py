"""The page in a real browser: everything opens, every control works, and what is shown is what the tables say."""

import base64
import gzip
import json
import math
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from multirm.database.opening import open_database
from multirm.report.page.assemble import Section, packed, page_of
from multirm.report.page.solutions import solutions_payload
from multirm.tables.views import find_tables
from tests.database.pools import write_pools
from tests.report.page.conftest import DESKTOP, PAPER, PHONE, TABLET, WIDTHS, Opened
from tests.report.page.hostile import TEXTS

Open = Callable[..., Opened]

NO_TEXT_IS_CUT = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"

# The colours of rewards, as in the style sheet: lightness, chroma and hue of both ends and of the middle.
SCALE = {
    "light": ((0.79, 0.13, 60), (0.97, 0, 0), (0.79, 0.11, 245)),
    "dark": ((0.45, 0.11, 55), (0.27, 0, 0), (0.45, 0.11, 250)),
}

# Luminance and contrast by WCAG 2, of an element's text on the backgrounds behind it.
CONTRAST = """(element) => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const layers = [];
    for (let own = element; own; own = own.parentElement) layers.unshift(getComputedStyle(own).backgroundColor);
    const drawn = (colours) => {
        context.clearRect(0, 0, 1, 1);
        for (const colour of colours) { context.fillStyle = colour; context.fillRect(0, 0, 1, 1); }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (rgb) => {
        const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = rgb.map((each) => linear(each / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = drawn(layers);
    const ink = drawn([...layers, getComputedStyle(element).color]);
    const [low, high] = [luminance(paper), luminance(ink)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
}"""

# Controls without a name that a screen reader could say.
NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, summary, [role=tab]")].filter((each) => {
    const labels = [...(each.labels ?? [])].map((label) => label.textContent).join("");
    return !(each.getAttribute("aria-label") || each.textContent || labels).trim();
}).map((each) => each.outerHTML)"""


def oklab(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    angle = math.radians(hue)
    return lightness, chroma * math.cos(angle), chroma * math.sin(angle)


def colour_of(reward: float, scheme: str) -> tuple[float, ...]:
    """The background of a reward from 0 to 1, in Oklab."""
    low, middle, high = (oklab(*each) for each in SCALE[scheme])
    end, strength = (low, 1 - 2 * reward) if reward < 0.5 else (high, 2 * reward - 1)
    return tuple(m + strength * (e - m) for m, e in zip(middle, end, strict=True))


def background(element: Any) -> tuple[float, ...]:
    found = element.evaluate("(element) => getComputedStyle(element).backgroundColor")
    assert found.startswith("oklab("), found
    return tuple(float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", found)[:3])


def unpacked(packed: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def payload_of(page: Path) -> Any:
    """The data of the section Solutions."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="text/plain" id="data-solutions">([^<]*)', text)
    assert found
    return unpacked(found[1])


@pytest.fixture(scope="module")
def payload(study_page: Path) -> Any:
    return payload_of(study_page)


def pool_of(payload: Any, question: int) -> Any:
    return unpacked(payload["pools"][question])


def shown_ids(page: Page) -> list[int]:
    """The positions of the questions in the list that is shown."""
    places = page.locator(".question-row").evaluate_all(
        "(rows) => rows.map((row) => row.dataset.place)"
    )
    return [int(place) for place in places]


def to_question(page: Page, place: int) -> None:
    page.locator(f'.question-row[data-place="{place}"]').click()
    expect(page.locator(f'.solutions-detail[data-place="{place}"] .pool')).to_be_visible()


def to_solution(page: Page, question: int, solution: int) -> None:
    to_question(page, question)
    page.locator(f'.pool tr[data-place="{solution}"] button').click()
    expect(page.locator(".solution-place h4")).to_be_visible()


def test_every_section_opens_without_a_word_on_the_console(
    study_page: Path, open_page: Open
) -> None:
    opened = open_page(study_page)
    page = opened.page
    tabs = page.get_by_role("tab")
    assert tabs.count() >= 2
    for place in range(tabs.count()):
        tab = tabs.nth(place)
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
        expect(panel.locator("h2")).to_be_visible()
        assert panel.locator(".content").inner_text().strip()
        assert page.evaluate(NO_TEXT_IS_CUT)
        assert page.locator("[role=tabpanel]:visible").count() == 1
    assert (opened.said, opened.requests) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(
    study_page: Path,
    open_page: Open,
    width: int,
    scheme: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    opened = open_page(study_page, "#solutions", width, color_scheme=scheme)
    page = opened.page
    to_solution(page, 0, 0)
    folder = tmp_path_factory.getbasetemp() / "screenshots"
    for tab in page.get_by_role("tab").all():
        tab.click()
        assert page.evaluate(NO_TEXT_IS_CUT), tab.inner_text()
        page.screenshot(path=folder / f"{tab.inner_text()}_{width}_{scheme}.png", full_page=True)
    assert opened.said == []


def test_filters_show_what_they_say(study_page: Path, open_page: Open, payload: Any) -> None:
    page = open_page(study_page, "#solutions").page
    # Other sections have labels with these words, too.
    own = page.locator("#panel-solutions")
    questions, marks = payload["questions"], payload["marks"]
    every = list(range(len(questions)))
    assert shown_ids(page) == every
    for category in {row[1] for row in questions}:
        own.get_by_label("Category").select_option(category)
        assert shown_ids(page) == [n for n in every if questions[n][1] == category]
    own.get_by_label("Category").select_option("")
    own.get_by_label("Data set").select_option(label=payload["datasets"][0]["name"])
    assert shown_ids(page) == [n for n in every if questions[n][0] == 0]
    own.get_by_label("Data set").select_option("")

    boxes = page.locator(".filters fieldset label")
    assert boxes.count() >= 3
    for box in boxes.all():
        box.click()
        checked = page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('only')")
        bit = 1 << marks.index(checked)
        wanted = [n for n in every if questions[n][4] & bit]
        assert shown_ids(page) == wanted
        expect(page.locator(".count")).to_have_text(f"{len(wanted)} of {len(every)} questions")
        box.click()
    first, second = boxes.nth(0), boxes.nth(1)
    first.click()
    only_first = set(shown_ids(page))
    second.click()
    assert set(shown_ids(page)) <= only_first
    first.click()
    second.click()

    search = page.get_by_label("Question or id contains")
    search.fill(questions[3][2].upper())
    assert shown_ids(page) == [n for n in every if questions[n][2] == questions[3][2]]
    search.fill("no question says this")
    assert shown_ids(page) == []
    search.fill("")
    assert shown_ids(page) == every


def test_filters_of_rarer_questions(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page, "#solutions").page
    payload = payload_of(hostile_page)
    for label, mark in [
        ("Truncated", "truncated"),
        ("Missing rewards", "missing"),
        ("Trees", "tree"),
    ]:
        box = page.get_by_label(label)
        box.check()
        bit = 1 << payload["marks"].index(mark)
        assert shown_ids(page) == [n for n, row in enumerate(payload["questions"]) if row[4] & bit]
        assert len(shown_ids(page)) == 1
        box.uncheck()


def test_trees_unfold(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page, "#solutions").page
    page.get_by_label("Trees").check()
    page.locator(".question-row").click()
    expect(page.locator(".tree")).to_have_count(2)
    search, merged = page.locator(".tree").all()
    # A chain of nodes without branches is not folded.
    assert merged.locator("details").count() == 0
    assert merged.locator(".node").count() == len(TEXTS) - 1
    assert search.locator(".node").count() == len(TEXTS) - 1
    fold = search.locator("details").last
    below = fold.locator("ol .node").first
    expect(below).to_be_visible()
    fold.locator("summary").first.click()
    expect(below).to_be_hidden()
    assert "finished" in (search.text_content() or "")


def test_what_is_left_out_is_said(tmp_path: Path, open_page: Open) -> None:
    folder = write_pools(tmp_path / "results", has_answers=True)
    with open_database(find_tables(folder)) as database:
        payload = solutions_payload(database, budget=12_000)
    pool = pool_of(payload, 0)
    del pool["details"]["0"]
    payload["pools"] = [packed(pool), *payload["pools"][1:]]
    file = tmp_path / "page.html"
    file.write_text(page_of("t", [Section("solutions", "Solutions", payload)]), encoding="utf-8")
    opened = open_page(file)
    page = opened.page
    (dataset,) = payload["datasets"]
    shown, every = dataset["n_shown"], dataset["n_questions"]
    assert 1 < shown < every
    note = page.locator(".solutions-list .left-out")
    expect(note).to_contain_text(f"d: {shown} questions shown, {every - shown} left out")
    expect(note).to_contain_text("multirm show QUESTION_ID")
    page.get_by_label("Random sample").check()
    bit = 1 << payload["marks"].index("random")
    assert shown_ids(page) == [n for n, row in enumerate(payload["questions"]) if row[4] & bit]
    assert len(shown_ids(page)) < shown
    page.get_by_label("Random sample").uncheck()
    to_solution(page, 0, 0)
    expect(page.locator(".solution-place")).to_contain_text("The text is not in this page")
    expect(page.locator(".solution-place")).to_contain_text(f"--solution {pool['ids'][0]}")
    command = page.locator(".command code").inner_text()
    assert command == f"multirm show {payload['questions'][0][2]} --dataset d --category law"
    assert opened.said == []


def test_a_pool_shows_its_numbers_and_who_chose_what(
    study_page: Path, open_page: Open, payload: Any
) -> None:
    page = open_page(study_page, "#solutions").page
    for question in range(0, len(payload["questions"]), 3):
        to_question(page, question)
        pool = pool_of(payload, question)
        rows = page.locator(".pool tbody tr")
        assert rows.count() == len(pool["ids"])
        texts = [row.locator("td").all_inner_texts() for row in rows.all()]
        for place, cells in enumerate(texts):
            assert cells[0] == (pool["parsed"][place] or "none")
            assert cells[1] == {1: "✓ right", 0: "✗ wrong"}[pool["correct"][place]]
            for own, scores in zip(cells[2:6], pool["scores"], strict=True):
                assert float(own) == pytest.approx(scores[place], abs=5e-4, rel=0.05)
        choices = page.locator(".choices tbody tr").all()
        assert len(choices) == len(pool["choices"]) == 9
        for line, choice in zip(choices, pool["choices"], strict=True):
            answers = [
                pool["parsed"][candidate["solutions"][0]] or "none"
                for candidate in choice["candidates"][: choice["n_tied"]]
            ]
            wanted = " or ".join(dict.fromkeys(answers)) or "none"
            assert line.locator("td").nth(1).inner_text() == wanted
            right = {1: "✓ right", 0: "✗ wrong"}.get(choice["correct"])
            assert right is None or line.locator("td").nth(2).inner_text() == right


def test_a_pool_can_be_sorted_by_a_model_s_reward(
    study_page: Path, open_page: Open, payload: Any
) -> None:
    page = open_page(study_page, "#solutions").page
    to_question(page, 0)
    scores = pool_of(payload, 0)["scores"]
    for model, own in enumerate(scores):
        page.locator(f'.pool th[data-order="{model}"] button').click()
        places = page.locator(".pool tbody tr").evaluate_all(
            "(rows) => rows.map((row) => Number(row.dataset.place))"
        )
        assert [own[place] for place in places] == sorted(own, reverse=True)
        expect(page.locator(f'.pool th[data-order="{model}"]')).to_have_attribute(
            "aria-sort", "descending"
        )
    page.locator('.pool th[data-order="id"] button').click()
    first = page.locator(".pool tbody tr").first
    expect(first).to_have_attribute("data-place", "0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_steps_have_the_colours_of_their_rewards(
    study_page: Path, open_page: Open, payload: Any, scheme: Any
) -> None:
    page = open_page(study_page, "#solutions", color_scheme=scheme).page
    (dataset,) = payload["datasets"]
    to_solution(page, 0, 0)
    details = pool_of(payload, 0)["details"]["0"]
    labels = pool_of(payload, 0)["labels"][0]
    by_step = [n for n, model in enumerate(dataset["models"]) if model["unit"] == "step"]
    assert len(by_step) == 2
    for model in by_step:
        page.locator(f'.colour-by input[value="{model}"]').check()
        steps = page.locator(".steps .step").all()
        assert len(steps) == len(details["steps"])
        for place, step in enumerate(steps):
            reward = details["rewards"][model][place]
            assert background(step) == pytest.approx(colour_of(reward, scheme), abs=2e-3)
            chosen = step.locator(".reward.is-chosen")
            assert dataset["models"][model]["name"] in chosen.inner_text()
            assert float(chosen.inner_text().split()[-1]) == pytest.approx(
                reward, abs=5e-4, rel=0.05
            )
            assert step.locator(".said").inner_text() == details["steps"][place]
            assert step.evaluate(CONTRAST) >= 7
            first_wrong = 0 not in labels[:place] and labels[place] == 0
            label = step.locator(".label").inner_text()
            assert ("first incorrect step" in label) == first_wrong
            assert ("✓" in label) == (0 not in labels[: place + 1])


def test_the_scale_is_even_and_tells_low_from_high() -> None:
    """Lightness falls evenly from the middle to both ends, which differ in hue for any kind of colour vision."""
    for scheme, (low, middle, high) in SCALE.items():
        assert low[0] == high[0], scheme
        steps = [colour_of(place / 20, scheme) for place in range(21)]
        lengths = [math.dist(a, b) for a, b in pairwise(steps)]
        assert max(lengths) / min(lengths) < 1.25
        # Blue against orange: the axis that is left to people who cannot tell red from green.
        assert oklab(*low)[2] - oklab(*high)[2] > 0.18
        assert middle[1] == 0


def test_critiques_are_folded_and_their_verdict_is_marked(
    study_page: Path, open_page: Open, payload: Any
) -> None:
    page = open_page(study_page, "#solutions").page
    to_solution(page, 0, 1)
    details = pool_of(payload, 0)["details"]["1"]
    critiques = [each for own in details["critiques"] for each in own]
    folded = page.locator(".critiques details")
    assert folded.count() == len(critiques) > 0
    for place, critique in enumerate(critiques):
        fold = folded.nth(place)
        expect(fold.locator(".critique")).to_be_hidden()
        fold.locator("summary").click()
        expect(fold.locator(".critique")).to_be_visible()
        assert fold.locator(".critique").text_content() == critique["text"]
        if critique["verdict"]:
            start, end = critique["verdict"]
            assert fold.locator("mark").text_content() == critique["text"][start:end]
        reward = fold.locator("summary .reward")
        if critique["reward"] is not None:
            assert background(reward) == pytest.approx(
                colour_of(critique["reward"], "light"), abs=2e-3
            )


def test_a_keyboard_is_enough(study_page: Path, open_page: Open, payload: Any) -> None:
    page = open_page(study_page, "#solutions").page

    def focused() -> str:
        return page.evaluate(
            "document.activeElement.dataset.place ?? document.activeElement.innerText"
        )

    page.locator(".question-row").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    assert focused() == "1"
    page.keyboard.press("Enter")
    expect(page.locator(".pool")).to_be_visible()
    id_ = payload["questions"][1][2]
    assert id_ in focused()
    # From the heading on, Tab reaches the pool's first solution.
    for _ in range(20):
        page.keyboard.press("Tab")
        if focused() == "Solution 0":
            break
    page.keyboard.press("ArrowDown")
    assert focused() == "Solution 1"
    page.keyboard.press("Enter")
    expect(page.locator(".solution-place h4")).to_have_text("Solution 1")
    assert focused() == "Solution 1"
    page.keyboard.press("ArrowDown")
    expect(page.locator(".solution-place h4")).to_have_text("Solution 2")
    page.keyboard.press("Escape")
    expect(page.locator(".solution-place h4")).to_have_count(0)
    assert focused() == "Solution 2"
    page.keyboard.press("Escape")
    expect(page.locator(".pool")).to_have_count(0)
    assert focused() == "1"


def test_arrows_go_through_pages_of_questions(hostile_page: Path, open_page: Open) -> None:
    page = open_page(hostile_page, "#solutions").page
    assert shown_ids(page) == list(range(50))
    page.locator(".question-row").nth(49).focus()
    page.keyboard.press("ArrowDown")
    assert shown_ids(page) == list(range(50, 60))
    assert page.evaluate("document.activeElement.dataset.place") == "50"
    page.keyboard.press("ArrowUp")
    assert shown_ids(page) == list(range(50))
    assert page.evaluate("document.activeElement.dataset.place") == "49"
    page.get_by_role("button", name="Next").click()
    assert shown_ids(page) == list(range(50, 60))
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    assert shown_ids(page) == list(range(50))


def test_an_address_brings_back_what_it_was_copied_from(
    study_page: Path, open_page: Open, payload: Any
) -> None:
    page = open_page(study_page, "#solutions").page
    category = payload["questions"][5][1]
    page.get_by_label("Category").select_option(category)
    to_solution(page, 5, 2)
    page.locator(".colour-by input").nth(1).check()
    address = page.evaluate("location.hash")
    again = open_page(study_page, address).page
    expect(again.locator(".solution-place h4")).to_have_text("Solution 2")
    assert again.locator(".colour-by input").nth(1).is_checked()
    assert again.get_by_label("Category").input_value() == category
    assert shown_ids(again) == shown_ids(page)
    assert again.evaluate("location.hash") == address
    # An address that says nothing sensible opens the list.
    for odd in (
        "#solutions?question=%5B%22",
        "#solutions?question=7&solution=x",
        "#nothing%E0%A4%A",
    ):
        opened = open_page(study_page, odd)
        assert opened.said == []


def test_dark_colours_can_be_switched_on(study_page: Path, open_page: Open) -> None:
    page = open_page(study_page).page
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.locator("#theme").click()
    dark = page.evaluate(paper)
    assert light != dark
    assert open_page(study_page, color_scheme="dark").page.evaluate(paper) == dark


def test_print_shows_everything_but_controls(study_page: Path, open_page: Open) -> None:
    page = open_page(study_page, "#solutions").page
    to_solution(page, 0, 0)
    page.emulate_media(media="print")
    expect(page.locator(".filters")).to_be_hidden()
    expect(page.get_by_role("tablist")).to_be_hidden()
    expect(page.locator(".steps .step").first).to_be_visible()
    assert (
        page.locator("[role=tabpanel]:visible").count() == page.locator("[role=tabpanel]").count()
    )
    step = page.locator(".steps .step").first
    assert step.evaluate("(each) => getComputedStyle(each).printColorAdjust") == "exact"


def test_paper_has_what_a_screen_hides(study_page: Path, open_page: Open) -> None:
    page = open_page(study_page, "#solutions").page
    folds = page.locator(".solutions-detail details")
    to_solution(page, 0, 1)
    assert folds.count() and page.locator(".solutions-detail details[open]").count() == 0
    charts = page.locator(".line-chart svg")
    assert {int(str(each.get_attribute("width"))) for each in charts.all()} == {320}
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    assert page.locator(".solutions-detail details[open]").count() == folds.count()
    # Charts of a section that was never open are as wide as paper.
    assert int(str(charts.first.get_attribute("width"))) > 600
    choice = page.locator("#panel-accuracy .on-paper")
    expect(choice).to_be_visible()
    assert "On Micro; Best-of-N" in choice.inner_text()
    assert page.locator(".gains caption").first.evaluate("(each) => each.offsetHeight") > 10
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    page.emulate_media(media="screen")
    assert page.locator(".solutions-detail details[open]").count() == 0
    expect(choice).to_be_hidden()


def test_nothing_is_cut_at_the_edge_of_paper(study_page: Path, open_page: Open) -> None:
    page = open_page(study_page, "#solutions", PAPER).page
    to_solution(page, 0, 0)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    wide = page.locator("table, .graph, .lines").evaluate_all(
        "(all) => all.filter((each) => each.getBoundingClientRect().right > innerWidth + 1)"
        ".map((each) => each.querySelector('caption')?.textContent ?? each.outerHTML.slice(0, 80))"
    )
    assert wide == []


@pytest.mark.parametrize("width", [TABLET, DESKTOP])
def test_each_solution_of_a_pool_has_one_line(
    study_page: Path, open_page: Open, payload: Any, width: int
) -> None:
    page = open_page(study_page, "#solutions", width).page
    chosen = [sum(each["n_tied"] > 1 for each in pool_of(payload, n)["choices"]) for n in range(6)]
    to_question(page, chosen.index(max(chosen)))
    heights = page.locator(".pool tbody tr").evaluate_all("(all) => all.map((e) => e.offsetHeight)")
    assert max(heights) < 1.5 * min(heights)


def test_the_random_sample_can_be_chosen_only_where_something_is_left_out(
    study_page: Path, open_page: Open
) -> None:
    page = open_page(study_page, "#solutions").page
    expect(page.locator(".question-row").first).to_be_visible()
    expect(page.get_by_label("Random sample")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_controls_have_names_and_texts_have_contrast(
    study_page: Path, open_page: Open, scheme: Any
) -> None:
    page = open_page(study_page, "#solutions", color_scheme=scheme).page
    to_solution(page, 0, 0)
    assert page.evaluate(NAMELESS) == []
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    for tab in page.get_by_role("tab").all():
        tab.click()
        panel = page.locator(f"#{tab.get_attribute('aria-controls')}")
        for selector in ("p", "h2", "h3", "button", "td", "th", ".tag", "mark", ".right", ".wrong"):
            for element in panel.locator(f"{selector}:visible").all()[:12]:
                if element.is_enabled():
                    assert element.evaluate(CONTRAST) >= 4.5, element.evaluate(
                        "(each) => each.outerHTML"
                    )
    # Headings go down by one level at a time.
    levels = page.locator("h1, h2, h3, h4, h5").evaluate_all(
        "(all) => all.map((each) => Number(each.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_on_a_phone_a_question_takes_the_place_of_the_list(
    study_page: Path, open_page: Open
) -> None:
    page = open_page(study_page, "#solutions", PHONE, has_touch=True).page
    page.locator(".question-row").first.tap()
    expect(page.locator(".pool")).to_be_visible()
    expect(page.locator(".questions")).to_be_hidden()
    page.get_by_role("button", name="Back to the list").tap()
    expect(page.locator(".questions")).to_be_visible()
    expect(page.locator(".pool")).to_have_count(0)
    desk = open_page(study_page, "#solutions", DESKTOP).page
    desk.locator(".question-row").first.click()
    expect(desk.locator(".pool")).to_be_visible()
    expect(desk.locator(".questions")).to_be_visible()
