"""Pages in a real browser: Debian's Chromium, started once, and two pages to look at."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from multirm.report.page.page import report_page
from tests.report.page.hostile import STUDY, write_hostile

CHROMIUM = Path(__file__).with_name("chromium.sh")
LOCK = Path("/tmp/multirm-chromium.lock")

PHONE, TABLET, DESKTOP = 390, 768, 1280
# A4 with margins of 12 mm, in pixels of CSS.
PAPER = 703
WIDTHS = (PHONE, TABLET, DESKTOP)


@dataclass
class Opened:
    """A page in the browser.

    Attributes:
        page: Playwright's page.
        said: messages on its console, errors of its scripts, and its dialogs.
        requests: addresses that it asked for, but for its own file.
    """

    page: Page
    said: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without it, tests are skipped, except under CI."""
    with LOCK.open("w") as lock:
        # Only one process can install packages at a time.
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = subprocess.run([CHROMIUM], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        message = f"needs Chromium: {found.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found.stdout.strip()


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """Chromium without a window."""
    # Its sandbox refuses to run for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def study_page(finished_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the micro study."""
    output = tmp_path_factory.mktemp("page") / "report.html"
    results = finished_study / "results"
    report_page([results / "evaluation"], output, [results])
    return output


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the hostile study."""
    folder = tmp_path_factory.mktemp("hostile")
    report_page([write_hostile(folder / "results")], folder / "report.html", title=STUDY)
    return folder / "report.html"


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """A function that opens a file, optionally with a hash, a width and settings of Playwright's context."""
    contexts = []

    def opened(file: Path, address: str = "", width: int = DESKTOP, **settings: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        context.set_default_timeout(20_000)
        found = Opened(context.new_page())
        page, url = found.page, file.as_uri()
        page.on("console", lambda message: found.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: found.said.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (found.said.append("dialog"), dialog.dismiss()))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.split("#")[0] == url or request.url.startswith("blob:")
                else found.requests.append(request.url)
            ),
        )
        page.goto(url + address)
        page.wait_for_selector("html[data-ready]", state="attached")
        return found

    yield opened
    for context in contexts:
        context.close()
