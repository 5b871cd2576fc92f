"""Jobs that are killed: run in forks of one process, and what they leave."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FORKER = Path(__file__).with_name("forker.py")

# Threads that wait for each other get nowhere on a busy machine.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

# Seconds until SIGKILL or None, log, arguments → exit code and seconds.
Run = Callable[[float | None, Path, list[str]], tuple[int, float]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs commands of multirm in forks of one process, which has imported everything once."""
    forker = subprocess.Popen(
        [sys.executable, FORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    to, answers = forker.stdin, forker.stdout
    assert to and answers

    def run(seconds: float | None, log: Path, arguments: list[str]) -> tuple[int, float]:
        to.write(json.dumps([seconds, str(log), arguments]) + "\n")
        to.flush()
        code, took = json.loads(answers.readline())
        return code, took

    yield run
    to.close()
    forker.wait()
    answers.close()


def tables_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("[!.]*.parquet"))}


def journals_in(folder: Path) -> list[Path]:
    return sorted(folder.glob(".*journal*"))


def n_kept(folder: Path) -> int:
    """How many prompts' completions the journal in a folder holds."""
    journal = folder / ".r.parquet.journal"
    if not journal.exists():
        return 0
    database = sqlite3.connect(journal)
    try:
        return int(database.execute("SELECT count(*) FROM items").fetchone()[0])
    except sqlite3.OperationalError:
        # Killed before it had its tables.
        return 0
    finally:
        database.close()
