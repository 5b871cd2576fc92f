"""The state of a study in lines: a row per stage, remarks, and the time left with how it is known."""

from pathlib import Path
from typing import Any

import pytest

from multirm.inspect.status import Standing, State, report, state_of
from multirm.site.dry_run import PlannedJob
from multirm.site.run_times import Estimate, estimate, read_benchmarks


def job(rule: str, stage: str = "scoring", **known: Any) -> PlannedJob:
    unknown: dict[str, Any] = {"wildcards": {}, "outputs": [], "log": None, "benchmark": None}
    unknown |= {"is_due": True, "is_missing": True, "is_started": False, "reasons": []}
    return PlannedJob(rule=rule, stage=stage, **(unknown | known))


def test_the_report(tmp_path: Path) -> None:
    table, log = tmp_path / "table", tmp_path / "log"
    table.write_bytes(bytes(2500))
    log.write_text("10:00:00 scored 3 of 9 solutions, 00:10 left\n")
    standings = [
        Standing(job("read", "data", outputs=[str(table)]), State.MADE, None),
        Standing(
            job("score", reasons=["code of scoring.generative"]), State.STALE, Estimate(90, True)
        ),
        Standing(
            job("score", reasons=["code of scoring.generative"]), State.STALE, Estimate(60, False)
        ),
        Standing(
            job("score", log=str(log), wildcards={"model": "m\x1b"}),
            State.RUNNING,
            Estimate(50, False),
        ),
        Standing(job("search", "searches"), State.MISSING, None),
        Standing(job("search", "searches", log=str(log)), State.FAILED, None),
    ]
    assert report(standings, active=True, now=log.stat().st_mtime + 300) == [
        "stage     made  stale  missing  running  failed    size  time left",
        "data         1      ·        ·        ·       ·  2.5 kB",
        "scoring      ·      2        ·        1       ·     0 B      3 min",
        "searches     ·      ·        1        ·       1     0 B    unknown",
        "all          1      2        1        1       1  2.5 kB  3 min + ?",
        "",
        "scoring: stale: code of scoring.generative (2)",
        "scoring: running: score, model=m\x1b: 10:00:00 scored 3 of 9 solutions, 00:10 left",
        "searches: failed 5 min ago: search: 10:00:00 scored 3 of 9 solutions, 00:10 left"
        f" (log: {log})",
        "",
        "Snakemake is running; 5 jobs left, about 3 min one after the other: 1 as long as before,"
        " 2 as long as others of their rule on average, unknown for 2 (search 2)",
    ]


def test_a_finished_study() -> None:
    (*_, last) = report([Standing(job("read"), State.MADE, None)], active=False, now=0)
    assert last == "Snakemake is not running; everything is made"


def test_rules_of_unknown_time_are_counted_if_they_are_many() -> None:
    rules = ["a", "a", "b", "c", "d", "e"]
    for more, ending in (
        ([], "a 2, b 1, c 1, d 1, e 1)"),
        (["f"], "a 2, b 1, c 1, d 1, e 1 and 1 more rule)"),
        (["f", "g"], "e 1 and 2 more rules)"),
    ):
        due = [Standing(job(rule), State.MISSING, None) for rule in [*rules, *more]]
        assert report(due, active=False, now=0)[-1].endswith(ending)


@pytest.mark.parametrize(
    ("known", "active", "state"),
    [
        ({"is_due": False}, False, State.MADE),
        ({"is_due": False, "is_started": True}, True, State.RUNNING),
        ({}, True, State.MISSING),
        ({"is_missing": False}, False, State.STALE),
        ({"is_started": True}, True, State.RUNNING),
        ({"is_started": True}, False, State.FAILED),
    ],
)
def test_states(known: dict[str, Any], active: bool, state: State) -> None:
    assert state_of(job("r", **known), active) == state


def test_a_job_has_failed_if_its_log_is_newer_than_its_times(tmp_path: Path) -> None:
    log, times = tmp_path / "log", tmp_path / "times"
    log.touch()
    tried = job("r", log=str(log), benchmark=str(times))
    assert state_of(tried, active=False) == State.FAILED
    times.touch()
    # It has succeeded, and its outputs were deleted.
    assert state_of(tried, active=False) == State.MISSING


HEADER = "s\th:m:s\n"


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "results/benchmarks"
    for name, seconds in {"m/d/a": 10, "m/d/b": 20, "m/e/a": 60, "n/d/a": 110}.items():
        file = folder / "score" / f"{name}.tsv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{HEADER}{seconds}\t0\n")
    (folder / "score/m/d/broken.tsv").write_text(HEADER)
    (folder / "score/m/d/odd.tsv").write_text("x\ty\n1\t2\n")
    (folder / "simulate.tsv").write_text(f"{HEADER}5\t0\n")
    return folder


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("score/m/d/a", Estimate(10, is_own=True)),
        ("score/m/d/broken", Estimate(15, is_own=False)),
        ("score/m/f/a", Estimate(30, is_own=False)),
        ("score/o/d/a", Estimate(50, is_own=False)),
        ("simulate", Estimate(5, is_own=True)),
        ("other/m/d/a", None),
        ("alone", None),
    ],
)
def test_jobs_take_as_long_as_those_most_like_them(
    benchmarks: Path, file: str, expected: Estimate | None
) -> None:
    names = [str(benchmarks / f"{name}.tsv") for name in (file, "score/m/d/a", "simulate")]
    known = read_benchmarks([*names, None])
    assert estimate(names[0], known) == expected
    assert estimate(None, known) is None
