"""Time that Snakemake takes to plan, which depends on the machine: run by hand.

    python tests/benchmarks/workflow.py plan FILE [RESULTS]
    python tests/benchmarks/workflow.py growth [FILE]
    python tests/benchmarks/workflow.py parts FILE

`plan` plans the study FILE in an empty folder, or with RESULTS (the folder above results/, such as . once
`make study` has run); `growth` one with 1, 2 and 4 times the categories of config/paper.yaml; `parts` says
in which functions a plan spends its time. Processor time stands beside the clock's: others may be at work.
"""

import contextlib
import cProfile
import os
import pstats
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).resolve().parents[2]


def dry_run(study: Path, folder: Path) -> list[str]:
    """The arguments of Snakemake."""
    return [
        *("--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)),
        *("--configfile", str(study), "--cores", "1", "--dry-run", "--quiet", "rules", "--", "all"),
    ]


def report(name: str, study: Path, folder: Path) -> None:
    """Plan once, and print how many jobs there are and how long it took."""
    before, started = os.times(), time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", *dry_run(study, folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, after = time.perf_counter() - started, os.times()
    of_processor = sum(after[2:4]) - sum(before[2:4])
    totals = [line.split()[1] for line in run.stdout.splitlines() if line.startswith("total ")]
    print(f"{name}: {(totals or [0])[0]} jobs, {seconds:.1f} s, {of_processor:.1f} s of processor")


def plan(study: Path, results: Path | None = None) -> None:
    with TemporaryDirectory() as empty:
        report(study.stem, study, results or Path(empty))


def growth(study: Path) -> None:
    settings = yaml.safe_load(study.read_text())
    categories = settings["categories"]
    with TemporaryDirectory() as empty:
        for times in (1, 2, 4):
            settings["categories"] = [
                *categories,
                *(f"{name}_{k}" for k in range(1, times) for name in categories),
            ]
            edited = Path(empty, f"{times}.yaml")
            edited.write_text(yaml.safe_dump(settings))
            report(f"{len(settings['categories'])} categories", edited, Path(empty))


def parts(study: Path) -> None:
    from snakemake.cli import main

    profile = cProfile.Profile()
    with TemporaryDirectory() as empty, contextlib.suppress(SystemExit):
        profile.runcall(main, dry_run(study, Path(empty)))
    pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    files = [Path(argument).resolve() for argument in arguments] or [ROOT / "config" / "paper.yaml"]
    {"plan": plan, "growth": growth, "parts": parts}[command](*files)
