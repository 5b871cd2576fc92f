"""Snakemake's plan of a study: each job's stage, whether it is due, and why."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from multirm.cli import main
from multirm.errors import InputError
from multirm.inspect.status import State, state_of, status
from multirm.site.dry_run import PlannedJob, plan
from multirm.site.locks import is_running

SNAKEFILE = """
configfile: "study.yaml"

shell.prefix("set -euo pipefail; ")
include: "workflow/rules/scoring.smk"
include: "workflow/rules/evaluation.smk"

rule all:
    input: "made/table", "made/a", "made/b"
"""
SCORING = """
from pathlib import Path
import sys
from multirm.site.locks import take_over

if workflow.is_main_process and "--cores" in sys.argv:
    this_run = take_over(Path(".snakemake"))

rule score:
    input: "data/{name}"
    output: "made/{name}"
    log: "logs/score/{name}.log"
    benchmark: "results/benchmarks/score/{name}.tsv"
    params: code="code of scoring.toy: 1234", lr=config["lr"]
    shell: "(if [ -e wait ]; then echo waiting; touch waits; sleep 600; fi; cat {input}) 2>&1 | tee {output} > {log}"
"""
EVALUATION = """
rule evaluate:
    input: "made/a", "made/b"
    output: "made/table"
    log: "logs/evaluate.log"
    benchmark: "results/benchmarks/evaluate.tsv"
    shell: "cat {input} > {output}; echo done > {log}"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workflow of two stages, without results."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    for name, text in {
        "Snakefile": SNAKEFILE,
        "workflow/rules/scoring.smk": SCORING,
        "workflow/rules/evaluation.smk": EVALUATION,
        "study.yaml": "lr: 0.1",
        "data/a": "a",
        "data/b": "b",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    command = [sys.executable, "-m", "snakemake", "--quiet", "all", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, check=False, capture_output=True).returncode


def states(jobs: list[PlannedJob], *, active: bool = False) -> dict[str, str]:
    return {job.outputs[0].removeprefix("made/"): state_of(job, active).value for job in jobs}


def test_a_study_before_and_after_its_run(project: Path) -> None:
    jobs = plan(Path("study.yaml"))
    assert [(job.stage, job.rule, job.wildcards, job.outputs) for job in jobs] == [
        ("scoring", "score", {"name": "a"}, ["made/a"]),
        ("scoring", "score", {"name": "b"}, ["made/b"]),
        ("evaluation", "evaluate", {}, ["made/table"]),
    ]
    assert states(jobs) == dict.fromkeys(["a", "b", "table"], "missing")
    assert run(project) == 0
    assert states(plan(Path("study.yaml"))) == dict.fromkeys(["a", "b", "table"], "made")


def test_why_jobs_are_stale(project: Path) -> None:
    assert run(project) == 0
    (project / "data/b").write_text("other")
    jobs = plan(Path("study.yaml"))
    assert states(jobs) == {"a": "made", "b": "stale", "table": "stale"}
    assert [job.reasons for job in jobs] == [
        [],
        ["changed data/b"],
        ["inputs that will be made anew"],
    ]
    rules = project / "workflow/rules/scoring.smk"
    rules.write_text(rules.read_text().replace("toy: 1234", "toy: 5678"))
    (project / "study.yaml").write_text("lr: 0.2")
    (reasons, *_) = (job.reasons for job in plan(Path("study.yaml")))
    assert reasons == ["code of scoring.toy", "settings: 0.1 → 0.2"]


def test_a_failed_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(project) == 0
    for name in ("logs/score/b.log", "results/benchmarks/score/b.tsv"):
        os.utime(project / name, (1e9, 1e9))
    (project / "data/b").unlink()
    (project / "data/b").mkdir()
    assert run(project) != 0
    assert states(plan(Path("study.yaml"))) == {"a": "made", "b": "failed", "table": "stale"}
    status(Path("study.yaml"))
    said = capsys.readouterr().out
    assert "ago: score, name=b: cat: data/b: Is a directory (log: logs/score/b.log)" in said


def test_a_run_that_is_going_on_is_not_disturbed(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "wait").touch()
    command = [sys.executable, "-m", "snakemake", "--cores", "1"]
    quiet = subprocess.DEVNULL
    going = subprocess.Popen(
        command, cwd=project, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        while not (project / "waits").exists():
            assert going.poll() is None
            time.sleep(0.05)
        assert is_running(project / ".snakemake")
        locks = sorted((project / ".snakemake/locks").iterdir())
        jobs = plan(Path("study.yaml"))
        assert sorted((project / ".snakemake/locks").iterdir()) == locks != []
        assert Counter(states(jobs, active=True).values()) == {"running": 1, "missing": 2}
        status(Path("study.yaml"))
        said = capsys.readouterr().out
        assert "waiting" in said
        assert "Snakemake is running; 3 jobs left, unknown time" in said
    finally:
        os.killpg(going.pid, signal.SIGKILL)
        going.wait()
    assert not is_running(project / ".snakemake")
    # What was running then has not ended.
    assert Counter(states(plan(Path("study.yaml"))).values()) == {"failed": 1, "missing": 2}


def test_without_snakemake(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "snakemake", None)
    with pytest.raises(SystemExit):
        main(["status", "study.yaml"])
    last = capsys.readouterr().err.splitlines()[-1]
    assert (
        last
        == "multirm: status needs the package snakemake: pip install '.[pipeline]' in the folder of multirm"
    )


def test_mistakes_are_named(project: Path) -> None:
    (project / "Snakefile").write_text("import sys\nsys.exit('multirm: study.yaml: expected more')")
    with pytest.raises(InputError, match=r"found study\.yaml: expected more"):
        plan(Path("study.yaml"))
    (project / "Snakefile").unlink()
    with pytest.raises(InputError, match="expected the folder with the Snakefile"):
        plan(Path("study.yaml"))


def test_every_stage_of_the_miniature(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("PYTHONPATH", str(checkout / "src"))
    jobs = plan(Path("config/micro.yaml"))
    stages = list(dict.fromkeys(job.stage for job in jobs))
    assert stages[:5] == ["data", "critiques", "training", "scoring", "evaluation"]
    assert all(state_of(job, active=False) == State.MISSING for job in jobs)
    assert not (checkout / ".snakemake/locks").exists() or not any(
        (checkout / ".snakemake/locks").iterdir()
    )
