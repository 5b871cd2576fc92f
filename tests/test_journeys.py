"""The journeys of docs/journeys.md, step by step as they are written there."""

import csv
import random
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "journeys.md").read_text()
BIN = Path(sys.executable).parent


def section(title: str) -> str:
    """The text below a heading, up to the next one of the same level."""
    (found,) = re.findall(rf"^## {re.escape(title)}.*?\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)
    return found


def commands(text: str) -> list[list[str]]:
    """The commands in the indented code of a text."""
    lines = re.findall(r"^ {4,}((?:.*\\\n)*.*)$", text, re.M)
    joined = [line.replace("\\\n", " ") for line in lines]
    return [shlex.split(line) for line in joined if re.match(r"(multirm|snakemake|make) ", line)]


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]], cwd=folder, capture_output=True, text=True, check=False
    )


def rows_of_an_engineer() -> Iterator[dict[str, object]]:
    drawn = random.Random(1)
    for question in range(40):
        gold = "ABCD"[question % 4]
        for _ in range(8):
            is_right = drawn.random() < 0.55
            answer = gold if is_right else drawn.choice([each for each in "ABCD" if each != gold])
            yield {
                "qid": f"q{question}",
                "prompt": f"Which letter has the number {question}?",
                "response": f"Let me count.\n\nThe answer is ({answer}).",
                "extracted_answer": answer,
                "gold": gold,
                "is_correct": is_right,
                "score_skywork": drawn.gauss(3 * is_right, 2),
            }


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the engineer's file, and files with her mistakes."""
    folder = tmp_path_factory.mktemp("desk")
    rows = list(rows_of_an_engineer())
    write(folder / "solutions.csv", rows)
    (folder / "solutions.xlsx").write_bytes(b"PK")
    write(folder / "answers.csv", [{"qid": row["qid"], "gold": row["gold"]} for row in rows])
    write(folder / "twice.csv", [{**row, "number": 0} for row in rows])
    return folder


@pytest.fixture(scope="module")
def imported(desk: Path) -> tuple[Path, list[subprocess.CompletedProcess[str]]]:
    steps = commands(section("Own rewards").partition("### ")[0])
    assert len(steps) == 3
    return desk, [run(words, desk) for words in steps]


def test_a_newcomer_has_a_page_after_one_command(finished_study: Path) -> None:
    # `make study` has made it, of the micro study instead of the miniature.
    first, *_ = commands(section("A newcomer"))
    assert first == ["make", "study"]
    page = (finished_study / "results" / "report.html").read_text()
    assert "Micro" in page


def test_own_rewards_become_a_page(
    imported: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    desk, runs = imported
    for each in runs:
        assert each.returncode == 0, each.stderr
    assert "skywork" in runs[1].stdout
    assert (desk / "mine" / "report.html").stat().st_size < 15e6
    # Her own grading counts: the accuracy of one solution is the share of solutions that she graded as correct.
    found = parquet.read(
        desk / "mine" / "evaluation" / "solutions" / "accuracy.parquet", ACCURACY
    ).to_pylist()
    (one,) = [
        row["accuracy"]
        for row in found
        if row["category"] == "Overall" and row["selection"] == "pass" and row["n"] == 1
    ]
    graded = [bool(row["is_correct"]) for row in rows_of_an_engineer()]
    assert one == pytest.approx(100 * sum(graded) / len(graded))


def test_the_first_command_prints_the_others(
    imported: tuple[Path, list[subprocess.CompletedProcess[str]]],
) -> None:
    _, runs = imported
    _, *others = commands(section("Own rewards").partition("### ")[0])
    # The program as it was started: the shell may not find it by its name.
    printed = [line for line in runs[0].stdout.splitlines() if "multirm " in line]
    for _, *words in others:
        assert any(shlex.split(line)[1:] == words for line in printed)


MISTAKES = re.findall(
    r"^\d+\. (.*)\n\n {8}(multirm .*)\n\n {3,4}`(.*)`$", section("Own rewards"), re.M
)


def test_there_are_ten_mistakes() -> None:
    assert len(MISTAKES) == 10


@pytest.mark.parametrize(("mistake", "command", "answer"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_first_mistake_is_answered_well(
    desk: Path, tmp_path: Path, mistake: str, command: str, answer: str
) -> None:
    for file in desk.glob("*.*"):
        if file.is_file():
            shutil.copy(file, tmp_path)
    (tmp_path / "mine" / "data").mkdir(parents=True)
    found = run(shlex.split(command), tmp_path)
    assert found.returncode == 2, mistake
    assert answer in found.stderr
    assert "Traceback" not in found.stderr
    # Nothing is half-written.
    assert [*(tmp_path / "mine").rglob("*.parquet")] == []


def test_one_model_changed_runs_it_alone(study_copy: Path) -> None:
    # Of the micro study instead of the miniature.
    (written,) = commands(section("One reward model changed"))
    words = [word.replace("mini/Facts_junior", "micro/Micro") for word in written]
    assert words != written
    config = study_copy / "config" / "micro.yaml"
    text = config.read_text()
    changed = text.replace(
        "dataset: Micro_train, scoring: {shards: 2}",
        "dataset: Micro_train, training: {learning_rate: 2.0e-4}, scoring: {shards: 2}",
    )
    assert changed != text
    config.write_text(changed)
    others = [
        file
        for model in ("dORM-micro", "gORM-micro", "gPRM-micro")
        for file in (study_copy / "results" / "rewards" / model).rglob("*.parquet")
    ]
    before = {file: file.stat().st_mtime_ns for file in others}
    found = run([*words, "--configfile", "config/micro.yaml"], study_copy)
    assert found.returncode == 0, found.stderr
    # The table of jobs before the first one runs.
    assert dict(re.findall(r"^(\w+) +(\d+)$", found.stdout + found.stderr, re.M)) == {
        "train_discriminative": "1",
        "score_discriminative_shard": "2",
        "join_rewards": "1",
        "total": "4",
    }
    assert {file: file.stat().st_mtime_ns for file in others} == before
