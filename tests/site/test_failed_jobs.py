"""The last lines of a run say which jobs failed and why, however they ended."""

import logging
import os
import subprocess
import sys
from enum import Enum, auto
from pathlib import Path
from typing import Any

import pytest

from multirm.site.failed_jobs import MOST_SHOWN, FailedJobs, killed_by, last_words

SNAKEFILE = """
import sys
from snakemake.logging import logger
from multirm.site import failed_jobs, short_messages

if workflow.is_main_process:
    short_messages.shorten(logger)
    failed_jobs.report_at_exit(logger)

ENDS = {
    "input": "echo 'multirm: a.parquet: expected rows, found none; make it again' >&2; exit 2",
    "bug": "python -c '1 / 0'",
    "killed": "echo 10:00:00 scored 3 of 9; kill -9 $$",
    "inside": "echo Killed; exit 137",
    "term": "kill -TERM $$",
    "silent": "exit 3",
    "nasty": "printf 'multirm: \\\\033]0;x\\\\007 expected y\\\\n'; exit 2",
    "fine": "touch made/fine",
}

rule all:
    input: expand("made/{end}", end=ENDS)

rule end:
    output: "made/{end}"
    log: "logs/{end}.log"
    params: lambda w: ENDS[w.end]
    shell: "( {params} ) > {log} 2>&1"

rule without_log:
    output: "other/{name}"
    shell: "exit 4"

rule after_all:
    input: [f"in/{n}" for n in range(300)]
    output: "after"
    shell: "false {input}"
"""


class Event(Enum):
    """As in Snakemake, whose loggers' plugins it belongs to."""

    JOB_INFO = auto()
    JOB_ERROR = auto()
    JOB_FINISHED = auto()
    ERROR = auto()


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "Snakefile").write_text(SNAKEFILE)
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plain_run_ends_with_the_causes(tmp_path: Path) -> None:
    done = run(tmp_path, "--keep-going")
    assert done.returncode == 1
    *before, _ = lines = [""] + done.stderr.splitlines()
    causes = [line for line in lines if line.startswith("multirm: end, ")]
    # Nothing comes after them.
    assert lines[-len(causes) :] == causes
    assert before
    assert sorted(causes) == [
        "multirm: end, end=bug: ZeroDivisionError: division by zero (log: logs/bug.log)",
        "multirm: end, end=input: a.parquet: expected rows, found none; make it again"
        " (log: logs/input.log)",
        "multirm: end, end=inside: killed (SIGKILL), as when memory runs out (log: logs/inside.log)",
        "multirm: end, end=killed: killed (SIGKILL), as when memory runs out (log: logs/killed.log)",
        r"multirm: end, end=nasty: \x1b]0;x\x07 expected y (log: logs/nasty.log)",
        "multirm: end, end=silent: exit status 3 (log: logs/silent.log)",
        "multirm: end, end=term: killed (SIGTERM) (log: logs/term.log)",
    ]


def test_a_job_without_a_log(tmp_path: Path) -> None:
    done = run(tmp_path, "other/x")
    last = done.stderr.splitlines()[-1]
    assert last == "multirm: without_log, name=x: exit status 4 (it left no log)"


def test_a_successful_run_says_nothing(tmp_path: Path) -> None:
    done = run(tmp_path, "made/fine")
    assert done.returncode == 0
    assert "multirm:" not in done.stderr


def test_hundreds_of_files_are_not_printed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(300):
        (tmp_path / f"in/{number}").touch()
    for arguments in (["-n", "after"], ["after"]):
        done = run(tmp_path, *arguments)
        said = done.stdout + done.stderr
        assert len(said) < 5000
        assert "in/0, in/1, in/2, and 297 more" in said
        assert "in/150" not in said
    assert said.splitlines()[-1] == "multirm: after_all: exit status 1 (it left no log)"
    # Its own log has everything.
    (log,) = (tmp_path / ".snakemake/log").glob("*.log")
    assert "in/299" in log.read_text()


def record(event: Event, **extra: Any) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": "", "event": event, **extra})


def failing(failed: FailedJobs, number: int, **extra: Any) -> None:
    failed.filter(record(Event.JOB_INFO, jobid=number, rule_name="r", wildcards={"n": str(number)}))
    failed.filter(record(Event.JOB_ERROR, jobid=number, rule_name="r", log=[], **extra))


def test_a_job_that_succeeds_at_last_has_not_failed() -> None:
    failed = FailedJobs()
    failing(failed, 1)
    failing(failed, 2)
    failed.filter(record(Event.JOB_FINISHED, job_id=1))
    assert failed.lines() == ["multirm: r, n=2: exit status unknown (it left no log)"]


def test_many_failures_are_counted() -> None:
    failed = FailedJobs()
    for number in range(MOST_SHOWN + 5):
        failing(failed, number)
    first, *others = failed.lines()
    assert first == "multirm: 5 more jobs have failed"
    assert [line.split(":")[1] for line in others] == [
        f" r, n={n}" for n in range(5, MOST_SHOWN + 5)
    ]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("SLURM status is: 'OUT_OF_MEMORY'. The job", "ended by Slurm: OUT_OF_MEMORY"),
        ("SLURM status is: 'TIMEOUT'.", "ended by Slurm: TIMEOUT"),
        ("SLURM status is: 'FAILED'.", "d.parquet: expected x"),
    ],
)
def test_slurm_says_what_it_ended(tmp_path: Path, said: str, line: str) -> None:
    log = tmp_path / "log"
    log.write_text("multirm: d.parquet: expected x\n")
    failed = FailedJobs()
    failed.filter(record(Event.JOB_INFO, jobid=1, rule_name="r", wildcards={}))
    failed.filter(
        record(Event.JOB_ERROR, jobid=1, rule_name="r", log=["gone", str(log)], rule_msg=said)
    )
    assert failed.lines() == [f"multirm: r: {line} (log: {log})"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", ""),
        ("10:00:00 read\n\n  ──────\n", "10:00:00 read"),
        ("Traceback (most recent call last):\n  File\nKeyError: 'x'\n", "KeyError: 'x'"),
        ("a\ntorch.OutOfMemoryError: CUDA out of memory.\n", "torch.OutOfMemoryError: CUDA out of"),
        ("[rank1]: ValueError: no\n====\nx.ChildFailedError: \n====\n", "ValueError: no"),
        (
            "multirm: a: expected b\nE1127 failed (exitcode: 2)\nx.ChildFailedError:\n",
            "a: expected b",
        ),
        ("multirm: a\nmultirm: b\n", "b"),
        ("a \udcff\n", "a �"),
    ],
)
def test_the_last_words_of_a_log(tmp_path: Path, text: str, cause: str) -> None:
    log = tmp_path / "log"
    log.write_text(text, errors="surrogateescape")
    found = last_words(log, 0)
    assert found.startswith(cause)
    assert bool(found) == bool(cause)
    assert last_words(log, log.stat().st_mtime + 1) == ""
    assert last_words(tmp_path / "none", 0) == ""


def test_which_statuses_are_signals() -> None:
    assert killed_by(137) == killed_by(-9) != ""
    assert "SIGSEGV" in killed_by(139)
    assert [killed_by(status) for status in (0, 1, 2, 75, 130, 255)] == [""] * 6
