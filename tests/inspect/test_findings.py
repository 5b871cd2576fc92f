"""`multirm evaluate` ends with what it has found, and with commands that can be typed."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from multirm.inspect import findings
from multirm.running.usage import as_started
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


@pytest.fixture
def pools(tmp_path: Path) -> Path:
    """Two categories with pools of four solutions, of which the reward model prefers the correct ones."""
    for category in ("law", "math"):
        keys = [
            {"dataset": "toy", "category": category, "question_id": f"q{q}", "solution_id": n}
            for q in range(6)
            for n in range(4)
        ]
        solutions: list[dict[str, Any]] = [
            key
            | {"question": "Which?", "answer": "A", "steps": ["So."], "step_labels": None}
            | {"parsed_answer": "A" if key["solution_id"] == 0 else "B", "outcome": None}
            for key in keys
        ]
        rewards = [
            key
            | {"model": "m", "rewards": [0.9 if key["solution_id"] == 0 else 0.1]}
            | {"unit": "solution", "scale": "probability", "n_tokens_read": 3, "truncated": False}
            for key in keys
        ]
        parquet.write(tmp_path / f"data/{category}.parquet", SOLUTIONS, solutions, made_of())
        parquet.write(tmp_path / f"rewards/{category}.parquet", REWARDS, rewards, made_of())
    return tmp_path


def multirm(folder: Path, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "multirm", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize(
    ("estimator", "named"),
    [
        ("exact", ["toy: 12 questions, mean of 2 categories", "majority vote", "best-of-4"]),
        ("paper", ["toy: 12 questions, mean of 2 categories", "best-of-4"]),
        ("versaprm", []),
    ],
)
def test_it_says_what_it_found_and_what_to_do_next(
    pools: Path, estimator: str, named: list[str]
) -> None:
    inputs = ["--solutions", "data", "--rewards", "m=rewards", "--aggregation", "m=last"]
    said = multirm(
        pools,
        *("evaluate", *inputs, "--n", "1", "4"),
        *("--output", "my tables", "--estimator", estimator),
    )
    for words in named:
        assert words in said
    assert "The tables are in 'my tables'. To see more:" in said
    following = [line.strip() for line in said.partition("To see more:")[2].splitlines()[1:]]
    assert following
    for line in following:
        python, *words = shlex.split(line)
        assert (python, words[:2]) == ("python", ["-m", "multirm"])
        more = multirm(pools, *words[2:])
        assert words[2] != "query" or len(more.splitlines()) > 1
        if words[2] == "report":
            # The page has solutions as well.
            assert words[words.index("--tables") + 1 :][:2] == ["data", "rewards"]
            assert more == f"{words[-1]} is written: open it in a browser\n"


def test_a_page_of_files_of_ones_own_has_no_tables(pools: Path) -> None:
    rows = [f"q{n % 4},{'AB'[n // 4]},A,{n}" for n in range(8)]
    (pools / "own.csv").write_text("\n".join(["qid,parsed_answer,gold,score", *rows]))
    inputs = ["--solutions", "own.csv", "--rewards", "m=score"]
    said = multirm(pools, "evaluate", *inputs, "--output", "mine")
    assert "report mine --output mine/report.html" in said


def test_many_tables_are_named_by_their_folder() -> None:
    places = ["a/1.parquet", "a/2.parquet", "b/1.parquet", "a/3.parquet", "c", "a/1.parquet"]
    assert findings._in_few_words(places) == ["a", "b/1.parquet", "c"]
    assert findings._in_few_words(places[:3]) == places[:3]


def test_how_the_program_is_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "a b" / "multirm"
    program.parent.mkdir()
    program.write_text("#!/bin/sh")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program)])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert as_started() == shlex.quote(str(program))
    monkeypatch.setenv("PATH", str(program.parent))
    assert as_started() == "multirm"
    monkeypatch.setattr(sys, "argv", ["/src/multirm/__main__.py"])
    assert as_started() == "python -m multirm"
