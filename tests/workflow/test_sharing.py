"""Several runs and studies in one folder: files of another study stay."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LAW = "results/data/T/law.parquet"
REWARDS = "results/rewards/R/T/law.parquet"
OTHERS = {"T": {"reader": "published", "source": ["../other/solutions"]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two pools of solutions in Multi-RM's layout, below `data` and below `other`."""
    pool = {"q_id": "q", "question": "What?", "answer": "A", "cot_ids": [0, 1]}
    pool |= {"cots": [["So A."], ["So B."]], "parsed_answers": ["A", "B"]}
    for data in ("data", "other"):
        (tmp_path / data / "solutions").mkdir(parents=True)
        (tmp_path / data / "solutions" / "law.json").write_text(json.dumps([pool]))
    return tmp_path


def run(
    folder: Path,
    study: str,
    *arguments: str,
    targets: Sequence[str] = (LAW,),
    file: str = "",
    **changes: object,
) -> tuple[int, str]:
    """Run a study, in a file of its name unless it is said, to make some tables; return exit code and all output."""
    content = {
        "study": study,
        "data": "data",
        "categories": ["law"],
        "datasets": {"T": {"reader": "published", "source": ["solutions"]}},
        "backbones": {},
        "models": {"R": {"kind": "dPRM", "rewards": {"T": ["rewards"]}}},
        "evaluation": {"datasets": ["T"], "n": [1, 2]},
    }
    path = folder / (file or f"{study}.yaml")
    path.write_text(yaml.safe_dump(content | changes))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
            *("--configfile", str(path), "--cores", "1", *arguments, "--", *targets),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_study_does_not_replace_files_of_another_with_other_settings(folder: Path) -> None:
    code, output = run(folder, "first")
    assert code == 0, output
    made = (folder / LAW).read_bytes()

    code, output = run(folder, "second")
    assert code == 0, output
    assert "Nothing to be done" in output

    code, output = run(folder, "second", data="other")
    assert code != 0
    assert (
        f"multirm: {LAW}: expected what the study second made, found what the study first" in output
    )
    assert (folder / LAW).read_bytes() == made

    code, output = run(folder, "first", data="other")
    assert code == 0, output
    assert (folder / LAW).read_bytes() != made


@pytest.fixture
def shared(folder: Path) -> Path:
    """The folder, once the study `first` has made its tables; the solutions below `other` are others."""
    pool = {"q_id": "q", "cot_ids": [0, 1], "rewards": [[0.5], [0.25]]}
    (folder / "data" / "rewards").mkdir()
    (folder / "data" / "rewards" / "law_reward.json").write_text(json.dumps([pool]))
    solutions = folder / "other" / "solutions" / "law.json"
    solutions.write_text(solutions.read_text().replace("So B.", "So C."))
    code, output = run(folder, "first", targets=[REWARDS])
    assert code == 0, output
    return folder


def refuses(folder: Path, *arguments: str, **changes: Any) -> str:
    """Run the study `second`, or another, on other solutions, which must be refused; returns all output."""
    made = {file: file.read_bytes() for file in (folder / "results").rglob("*.parquet")}
    changes = {"study": "second", "datasets": OTHERS} | changes
    code, output = run(folder, changes.pop("study"), *arguments, **changes)
    assert code != 0, output
    assert {file: file.read_bytes() for file in (folder / "results").rglob("*.parquet")} == made
    return output


@pytest.mark.parametrize(
    "arguments", [("--forceall",), ("--rerun-triggers", "mtime", "--forcerun", "read_solutions")]
)
def test_nothing_is_replaced_by_force(shared: Path, arguments: Sequence[str]) -> None:
    output = refuses(shared, *arguments)
    assert f"multirm: {LAW}: expected what the study second made, found what the study" in output
    assert "give one of them another folder (`results: results-second` in its file)" in output


def test_nothing_is_replaced_where_snakemake_remembers_nothing(shared: Path) -> None:
    """In a new clone with the results of another study, for instance."""
    shutil.rmtree(shared / ".snakemake")
    again = ("--forcerun", "read_solutions")
    assert f"multirm: {LAW}: expected what the study second made" in refuses(shared, *again)
    code, output = run(shared, "first", *again)
    assert code == 0, output


def test_nothing_is_replaced_by_a_study_of_the_same_name(shared: Path) -> None:
    output = refuses(shared, study="first", file="copied.yaml")
    assert f"multirm: {LAW}: expected what the study first made, found what first.yaml" in output


def test_what_was_made_from_a_missing_file_is_not_replaced(shared: Path) -> None:
    """The missing file could be made, but what the other study made from it would follow."""
    (shared / LAW).unlink()
    output = refuses(shared, targets=[REWARDS])
    assert f"multirm: {REWARDS}: expected what the study second made" in output
    # Made again as it was, it changes nothing.
    code, output = run(shared, "second", targets=[REWARDS])
    assert code == 0, output


def test_each_study_may_have_a_folder_of_its_own(shared: Path) -> None:
    """With everything in it: tables, logs, benchmarks, and the list of files."""
    before = {file: file.read_bytes() for file in (shared / "results").rglob("*") if file.is_file()}
    own = "out/the second"
    code, output = run(
        shared,
        "second",
        datasets=OTHERS,
        results=f"./{own}/",
        targets=[LAW.replace("results", own)],
    )
    assert code == 0, output
    assert {file: file.read_bytes() for file in before} == before
    made = sorted(str(file.relative_to(shared / own)) for file in (shared / own).rglob("*.*"))
    assert made == [
        "benchmarks/read_solutions/T/law.tsv",
        "data/T/law.parquet",
        "logs/read_solutions/T/law.log",
        "studies/second.txt",
    ]


def test_a_whole_study_is_made_in_its_folder(tmp_path: Path) -> None:
    """No command of any job names the default folder."""
    study = yaml.safe_load((ROOT / "tests" / "workflow" / "micro.yaml").read_text())
    file = tmp_path / "micro.yaml"
    file.write_text(yaml.safe_dump(study | {"results": "out/the study"}))
    command = [
        *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--configfile", str(file), "--dry-run", "--printshellcmds", "--", "all"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "--output 'out/the study/models/dPRM-micro/adapter'" in output
    assert "'out/the study/backbones/micro/model'" in output
    assert not re.findall(r"[\s'\"=]results/\S*", output)


# What Slurm's commands say of a cluster that refuses every job.
SLURM = {
    "sinfo": "echo 'gpu|(null)'",
    "scontrol": "echo 'MinJobAge = 300 sec'",
    "squeue": "exit 0",
    "sacct": "exit 0",
    "sbatch": "case \"$*\" in *test-only*) echo 'Job 1 to start' >&2; exit 0;; esac; exit 1",
}


def test_slurms_own_logs_are_in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, says in SLURM.items():
        command = folder / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/bin/sh\n{says}\n")
        command.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder / "bin"), prepend=os.pathsep)
    code, output = run(
        folder,
        "first",
        *("--executor", "slurm", "--jobs", "1"),
        *("--slurm-init-seconds-before-status-checks", "1"),
        results="mine",
        targets=[LAW.replace("results", "mine")],
    )
    assert code != 0
    assert f"--output {folder}/mine/logs/slurm/rule_read_solutions/T_law/" in output


def test_a_model_missing_from_the_hub_stops_no_other_job(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    other = "results/data/H/law.parquet"
    datasets = {
        "T": {"reader": "published", "source": ["solutions"]},
        "H": {"reader": "published", "source": ["owner/absent"]},
    }
    code, output = run(folder, "first", "--keep-going", datasets=datasets, targets=[other, LAW])
    assert code != 0, output
    assert (folder / LAW).exists() and not (folder / other).exists()
    (line,) = (folder / "results/logs/read_solutions/H/law.log").read_text().splitlines()
    assert line.startswith("multirm: ") and "owner/absent" in line


def test_a_checkout_below_braces_is_refused_in_one_line(tmp_path: Path) -> None:
    checkout = tmp_path / "a {b}"
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("workflow", "config", "envs"):
        shutil.copytree(ROOT / name, checkout / name)
    shutil.copy(ROOT / "Snakefile", checkout)
    command = [sys.executable, "-m", "snakemake", "--dry-run"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.splitlines()[-1].startswith(f"multirm: {checkout}: expected a checkout in a")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("question", ["--dry-run", "--summary", "--list-rules", "--dag"])
def test_a_plan_leaves_the_lock_of_a_killed_run(folder: Path, question: str) -> None:
    state = folder / ".snakemake"
    killed, lock = (
        state / "runs" / f"{socket.gethostname()} 4194303",
        state / "locks" / "0.output.lock",
    )
    for file in (killed, lock):
        file.parent.mkdir(parents=True)
        file.write_text(LAW)

    _, output = run(folder, "first", question)
    assert "its lock is removed" not in output
    assert killed.exists() and lock.exists()

    code, output = run(folder, "first")
    assert code == 0, output
    assert output.count("its lock is removed") == 1
    assert not killed.exists() and not lock.exists()
