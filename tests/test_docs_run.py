"""Code in the docs is run, on the micro study and a file of own rewards; what is not run has a reason.

`test_docs.py` checks the rest of it: that commands, options and files exist.
"""

import ast
import csv
import random
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from multirm.cli import main
from tests.test_docs import COMMANDS_OF_PAGES, PAGES, code_of, text_of
from tests.test_journeys import rows_of_an_engineer, write

# Patterns of commands and statements that are not run, with the reason.
NOT_RUN = {
    r"^make\b|^snakemake (?!-n )": "runs whole studies, as the tests of the workflow and of journeys do",
    r"[Qq]wen|meta-llama|SmolLM2": "needs a model of the hub, a server or a service",
    r"path/to|RewardBench/|outputs\.jsonl": "reads published data",
    r"^multirm [\w-]+ .*\b(rb|uf|some)/|agreement\.parquet": "goes on with what was read from published data",
    r"mine/.*searches|searches GROUP BY|mine/nodes": "goes on with searches by a model of the hub",
    r"(labelled|labels)\.parquet|my-prm|With_examples|answered\.csv": "goes on with what a model of the hub has made",
    r"prefetch": "downloads",
    r"--install-completion": "changes the settings of the user's shell",
}

# What pages say of the miniature, as it is called in the micro study, whose pools are smaller.
MICRO = {
    "Facts_junior": "Micro",
    "Facts_senior": "Micro_noisy",
    "-mini": "-micro",
    "config/config.yaml": "config/micro.yaml",
    "n = 16": "n = 4",
    "n=8": "n=4",
}


def of_micro(text: str) -> str:
    for name, own in MICRO.items():
        text = text.replace(name, own)
    return text


def reason(text: str) -> str:
    """Why code is not run; empty if it is."""
    line = " ".join(text.split())
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, line)), "")


def commands_to_run() -> dict[str, list[list[str]]]:
    """The words of the commands of each page, by the page's name; those that other pages have are left out."""
    found: dict[str, list[list[str]]] = {}
    seen = set()
    for page, (program, *words) in COMMANDS_OF_PAGES:
        command = [Path(program).name, *map(of_micro, words)]
        if not reason(" ".join(command)) and tuple(command) not in seen:
            seen.add(tuple(command))
            found.setdefault(page.name, []).append(command)
    return found


COMMANDS = commands_to_run()


def statements_of(page: Path) -> Iterator[str]:
    """The statements of the Python code of a page."""
    for code in code_of(page):
        try:
            parsed = ast.parse(code)
        except SyntaxError:
            continue
        # Formulas and tables may look like Python.
        if "multirm" in code or "evaluation." in code:
            yield from (ast.unparse(statement) for statement in parsed.body)


STATEMENTS = {
    page.name: [of_micro(each) for each in statements_of(page) if not reason(each)]
    for page in PAGES
    if any("multirm" in code for code in statements_of(page))
}


@pytest.fixture(scope="module")
def study(finished_study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the micro study beside files with own rewards."""
    folder = tmp_path_factory.mktemp("docs") / "study"
    shutil.copytree(finished_study, folder, symlinks=True)
    rows = list(rows_of_an_engineer())
    for name in ("solutions.csv", "pools.csv"):
        write(folder / name, rows)
    drawn = random.Random(2)
    for number, row in enumerate(rows):
        row["subject"] = "law" if number % 16 < 8 else "history"
        row["step_scores"] = str([drawn.random(), drawn.random()])
        row["score"] = drawn.random()
    write(folder / "my_rewards.csv", rows[:64])
    return folder


@pytest.fixture
def here(study: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(study)
    monkeypatch.setenv("PYTHONPATH", str(study / "src"))
    shutil.rmtree("mine", ignore_errors=True)
    return study


@pytest.mark.parametrize("page", COMMANDS)
def test_commands_run(here: Path, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS[page]:
        program, *words = command
        if program != "multirm":
            run = subprocess.run(
                [str(Path(sys.executable).with_name(program)), *words],
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode == 0, (command, run.stderr)
            continue
        try:
            main(words)
        except SystemExit as left:
            assert not left.code, (shlex.join(command), capsys.readouterr().err)
        if words[0] == "query":
            header, *rows = csv.reader(capsys.readouterr().out.splitlines())
            assert header and rows, f"{shlex.join(command)} finds nothing"


@pytest.mark.parametrize("page", STATEMENTS)
def test_python_runs(here: Path, page: str) -> None:
    names: dict[str, Any] = {"frame": pd.read_csv("my_rewards.csv")}
    exec("import multirm", names)
    for statement in STATEMENTS[page]:
        exec(statement, names)


def test_most_is_run_and_every_reason_is_needed() -> None:
    commands = [
        " ".join([Path(program).name, *words]) for _, (program, *words) in COMMANDS_OF_PAGES
    ]
    n_run = sum(map(len, COMMANDS.values()))
    assert n_run >= 25
    statements = [each for page in PAGES for each in statements_of(page)]
    for pattern in NOT_RUN:
        assert any(re.search(pattern, " ".join(each.split())) for each in commands + statements)
    text = "".join(map(text_of, PAGES))
    assert [name for name in MICRO if name not in text] == []
