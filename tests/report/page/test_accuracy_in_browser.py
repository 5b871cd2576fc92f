"""The section of accuracies in a browser: choices, numbers under the pointer and in files, and the order of rows."""

import csv
import io
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from multirm.report.page.page import report_page
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS
from tests.origins import made_of
from tests.report.page.conftest import PHONE
from tests.report.page.rows import accuracy
from tests.report.page.test_accuracy import search_gain, search_row

Open = Callable[..., Any]

SIZES = (1, 2, 4)
CATEGORIES = ("law", "math", "Overall")
MODELS = {"a": 1.0, "b_%$": 2.0}
ACCURACIES = [
    accuracy(
        *(selection, n, model),
        category=category,
        dataset=dataset,
        estimator=estimator,
        accuracy=(20 + 7 * k + 3 * n + 10 * MODELS.get(str(model), 0)) / 1.3,
        accuracy_low=None if estimator == "paper" else 5.0,
        accuracy_high=None if estimator == "paper" else 95.0,
        std=1.25 if estimator == "paper" else None,
    )
    for dataset in ("d", "e")
    for estimator in ("exact", "paper")
    for k, category in enumerate(CATEGORIES)
    for selection, models in (
        ("majority_vote", [None]),
        ("pass", [None]),
        ("best_of_n", [*MODELS]),
        ("weighted_vote", [*MODELS]),
    )
    for model in models
    for n in SIZES
]
COMPARED = [
    {
        "dataset": "d",
        "category": category,
        "selection": "best_of_n",
        "model": model,
        "aggregation": "last",
        "n": 4,
        "other_selection": "majority_vote",
        "other_model": "Majority vote",
        "other_aggregation": None,
        "difference": gain * (k - 1.5) - 0.05,
        "difference_low": gain * (k - 1.5) - 3,
        "difference_high": gain * (k - 1.5) + 3,
        "p": 0.02,
        "p_holm": 0.04,
        "family": "primary" if category == "Overall" else "exploratory",
        "n_families": 7,
        "note": None,
    }
    for k, category in enumerate(CATEGORIES)
    for model, gain in MODELS.items()
]


@pytest.fixture(scope="module")
def accuracy_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accuracy")
    parquet.write(folder / "accuracy.parquet", ACCURACY, ACCURACIES, made_of())
    parquet.write(folder / "comparisons.parquet", COMPARISONS, COMPARED, made_of())
    report_page([folder], folder / "report.html")
    return folder / "report.html"


def downloaded(page: Any, words: str) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=words).click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def chosen(row: dict[str, str]) -> tuple[Any, ...]:
    names = ("dataset", "category", "estimator", "selection", "model")
    return *(row[name] or None for name in names), int(row["n"])


def test_what_is_downloaded_is_what_is_chosen_and_in_the_table(
    accuracy_page: Path, open_page: Open
) -> None:
    opened = open_page(accuracy_page, "#accuracy")
    page = opened.page
    page.locator("[data-control=dataset]").select_option("e")
    page.locator("[data-control=estimator]").select_option("paper")
    page.locator("[data-control=selection]").select_option("weighted_vote")
    page.locator("[data-control=models] input").nth(0).uncheck()
    page.locator("summary", has_text="Categories").click()
    page.locator("[data-control=categories] input[value=math]").uncheck()
    rows = {chosen(row): float(row["accuracy"]) for row in downloaded(page, "charts’ numbers")}
    assert rows == {
        tuple(
            row[name] for name in ("dataset", "category", "estimator", "selection", "model", "n")
        ): row["accuracy"]
        for row in ACCURACIES
        if row["dataset"] == "e"
        and row["estimator"] == "paper"
        and row["category"] != "math"
        and row["selection"] != "best_of_n"
        and row["model"] != "a"
    }
    figures = page.locator("figure[data-category]")
    assert [each.get_attribute("data-category") for each in figures.all()] == ["Overall", "law"]
    address = page.url
    again = open_page(accuracy_page, "#" + address.partition("#")[2])
    assert {chosen(row) for row in downloaded(again.page, "charts’ numbers")} == set(rows)
    assert opened.said == again.said == [] and opened.requests == []


def test_gains_can_be_sorted_either_way(accuracy_page: Path, open_page: Open) -> None:
    page = open_page(accuracy_page, "#accuracy").page
    gains = page.locator("[data-part=gains]")

    def points() -> list[float]:
        cells = gains.locator("tbody tr td:nth-child(4)").all_inner_texts()
        return [float(each.replace("−", "-")) for each in cells]

    expected = sorted(row["difference"] for row in COMPARED)
    button = gains.get_by_role("button", name="points")
    for order in (expected[::-1], expected):
        button.click()
        assert points() == pytest.approx(order, abs=0.051)
    heads = gains.locator("th[aria-sort]")
    assert [each.get_attribute("aria-sort") for each in heads.all()] == ["ascending"]
    rows = downloaded(page, "Download the table")
    assert {(row["model"], row["category"]): float(row["difference"]) for row in rows} == {
        (row["model"], row["category"]): row["difference"] for row in COMPARED
    }


def test_numbers_are_told_by_pointer_finger_and_keyboard(
    accuracy_page: Path, open_page: Open
) -> None:
    page = open_page(accuracy_page, "#accuracy").page
    chart = page.locator("[data-category=law] svg.lines")
    values = sorted(
        (
            row["accuracy"]
            for row in ACCURACIES
            if (row["dataset"], row["estimator"], row["category"], row["n"])
            == ("d", "exact", "law", 4)
            and row["selection"] != "weighted_vote"
        ),
        reverse=True,
    )
    chart.scroll_into_view_if_needed()
    width = chart.bounding_box()["width"]
    chart.hover(position={"x": width - 14, "y": 60})
    tip = page.locator(".tip")
    assert "N = 4, 12 questions" in tip.inner_text()
    told = tip.locator("td:nth-of-type(1)").all_inner_texts()
    assert [float(each) for each in told] == pytest.approx(values, abs=0.051)
    page.mouse.move(1, 1)
    assert tip.is_hidden()
    chart.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "N = 2" in tip.inner_text()
    page.keyboard.press("Escape")
    assert tip.is_hidden()

    phone = open_page(accuracy_page, "#accuracy", PHONE, has_touch=True).page
    touched = phone.locator("[data-category=law] svg.lines")
    touched.tap(position={"x": 40, "y": 60})
    assert "N = 1" in phone.locator(".tip").inner_text()
    box = phone.locator(".tip").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE


def test_latex_and_markdown_take_no_name_for_markup(accuracy_page: Path, open_page: Open) -> None:
    page = open_page(accuracy_page, "#accuracy").page
    page.evaluate(
        "document.execCommand = () => { window.taken = document.activeElement.value; return true; }"
    )
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    texts = {}
    for form in ("LaTeX", "Markdown"):
        page.get_by_role("button", name=form).click()
        page.wait_for_function("window.taken")
        texts[form] = page.evaluate("[window.taken, (window.taken = null)][0]")
    assert "b\\_\\%\\$ & Overall & " in texts["LaTeX"]
    assert texts["LaTeX"].count("\\\\\n") == 1 + len(COMPARED)
    assert "| b\\_%$ | Overall | " in texts["Markdown"]
    lines = texts["Markdown"].splitlines()
    assert {line.count("|") for line in lines} == {7} and len(lines) == 2 + len(COMPARED)


def test_numbers_are_rounded_as_in_sentences(accuracy_page: Path, open_page: Open) -> None:
    page = open_page(accuracy_page).page
    values = [-31.25, 31.25, 31.75, 0.15, 2.5, 0.25, -0.05, 1e-9, 99.95, 12.349999]
    for digits in (0, 1, 2):
        found = page.evaluate(
            "([all, digits]) => all.map((each) => fixed(each, digits))", [values, digits]
        )
        assert [each.replace("−", "-") for each in found] == [
            f"{each:z.{digits}f}" for each in values
        ]


def test_searches_can_be_chosen(tmp_path: Path, open_page: Open) -> None:
    counts = dict.fromkeys(
        ("n_unjudged", "n_unanswered", "n_finished", "n_overrun", "n_looped", "n_unscored"), 0
    )
    rows = [
        {**dict.fromkeys(SEARCH_ACCURACY.columns.names), **counts, "n_dropped": 0}
        | search_row(search, method, category=category, measure=measure, accuracy=value)
        for value, (category, measure, (search, method)) in enumerate(
            product(
                ("Overall", "law"),
                ("best", "covered"),
                (("wide", "best_of_n"), ("b<i>eam", "beam_search")),
            )
        )
    ]
    gains = [
        search_gain(search="b<i>eam", category=category, measure="best")
        | {"method": "beam_search", "policy_tokens": 120.25, "baseline_tokens": 120.0}
        | {"accuracy": 1.0, "baseline_accuracy": 2.0, "n_questions": 12}
        for category in ("Overall", "law")
    ]
    folder = tmp_path / "evaluation"
    parquet.write(folder / "search_accuracy.parquet", SEARCH_ACCURACY, rows, made_of())
    parquet.write(folder / "search_gains.parquet", SEARCH_GAINS, gains, made_of())
    report_page([folder], tmp_path / "page.html")
    opened = open_page(tmp_path / "page.html", "#accuracy")
    page = opened.page
    part = page.locator('[data-part="searches"]')

    def accuracies() -> list[str]:
        lines = part.locator("tbody tr").all()
        return [line.locator("td").nth(3).inner_text() for line in lines]

    assert accuracies() == ["0.0", "1.0"]
    beam = part.locator("tbody tr").nth(1)
    assert beam.locator("th").inner_text() == "b<i>eam"
    expect(beam).to_contain_text("−0.3")
    expect(beam).to_contain_text("3.5 of wide")
    part.locator('[data-control="right"]').select_option("covered")
    assert accuracies() == ["2.0", "3.0"]
    part.locator('[data-control="within"]').select_option("law")
    assert accuracies() == ["6.0", "7.0"]
    address = page.evaluate("location.hash")
    again = open_page(tmp_path / "page.html", address).page
    assert again.locator('[data-part="searches"] td').nth(3).inner_text() == "6.0"
    assert opened.said == []
