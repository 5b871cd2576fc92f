"""Dry runs of Snakemake."""

import json
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

PLANNER = Path(__file__).with_name("planner.py")


def dry_run(folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of `snakemake --dry-run` in a folder."""
    planner = _planner()
    assert planner.stdin is not None
    assert planner.stdout is not None
    with tempfile.NamedTemporaryFile("r") as output:
        request = [str(folder), output.name, "--dry-run", *arguments]
        print(json.dumps(request), file=planner.stdin, flush=True)
        return int(planner.stdout.readline()), output.read()


@cache
def _planner() -> "subprocess.Popen[str]":
    """One for all tests of this process; it ends when its standard input is closed, which is when this process does."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, str(PLANNER)], **pipes)
