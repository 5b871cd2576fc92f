"""What of a study is made, stale or missing, what failed last, and how long the rest will take."""

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from multirm.errors import escaped
from multirm.running.arguments import entry
from multirm.site.dry_run import PlannedJob, plan
from multirm.site.failed_jobs import last_line, last_words
from multirm.site.locks import is_running
from multirm.site.run_times import Estimate, estimate, read_benchmarks

STATE_OF_SNAKEMAKE = Path(".snakemake")

MOST_REASONS = 3
MOST_RULES = 5
LONGEST = 160

# Logs and benchmarks of one job are written within seconds.
_SECONDS_TOGETHER = 5


class State(StrEnum):
    """Where a job stands."""

    MADE = "made"
    STALE = "stale"
    MISSING = "missing"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True)
class Standing:
    """A job, its state, and how long it will take if it has to run."""

    job: PlannedJob
    state: State
    estimate: Estimate | None


@entry
def status(study: Path = Path("config/config.yaml"), data: Path | None = None) -> None:
    """Print what of a study is made, stale, missing, running or failed, stage by stage.

    Snakemake is asked what it would run and why; nothing is run, and a run that is going on is not disturbed. Run it
    in the folder with the Snakefile. The time left is the time of jobs one after the other, from `results/benchmarks`:
    a job takes as long as it did before, or as others of its rule did on average. It plans without `--sdm conda`: for a
    study that runs with it, everything would be made anew, in another environment.

    Args:
        study: The study in YAML, as given to Snakemake with --configfile.
        data: The folder that its sources are relative to, as given with --config data=….
    """
    jobs = plan(study, data)
    active = is_running(STATE_OF_SNAKEMAKE)
    benchmarks = read_benchmarks(job.benchmark for job in jobs)
    standings = [
        Standing(job, state := state_of(job, active), _time_left(job, state, benchmarks))
        for job in jobs
    ]
    sys.stdout.writelines(f"{escaped(line)}\n" for line in report(standings, active, time.time()))


def _time_left(job: PlannedJob, state: State, benchmarks: dict[Path, float]) -> Estimate | None:
    return None if state == State.MADE else estimate(job.benchmark, benchmarks)


def state_of(job: PlannedJob, active: bool) -> State:
    """The state of a job.

    Args:
        active: whether Snakemake is running.
    """
    # Even if its outputs are there: they may be partial.
    if job.is_started:
        return State.RUNNING if active else State.FAILED
    if not job.is_due:
        return State.MADE
    if job.is_missing:
        return State.FAILED if _has_failed(job) else State.MISSING
    return State.STALE


def _has_failed(job: PlannedJob) -> bool:
    """Whether a job was started and did not succeed: only then would it have left its times beside its log."""
    log = _time_of(job.log)
    return log is not None and log > (_time_of(job.benchmark) or 0) + _SECONDS_TOGETHER


def _time_of(file: str | None) -> float | None:
    try:
        return Path(file).stat().st_mtime if file else None
    except OSError:
        return None


def report(standings: Sequence[Standing], active: bool, now: float) -> list[str]:
    """The states of all jobs in lines of text: a table with a row per stage, remarks, and the time left."""
    stages: dict[str, list[Standing]] = defaultdict(list)
    for each in standings:
        stages[each.job.stage].append(each)
    header = ["stage", *State, "size", "time left"]
    rows = [_row(name, jobs) for name, jobs in stages.items()]
    lines = _aligned([header, *rows, _row("all", standings)])
    remarks = [line for name, jobs in stages.items() for line in _remarks(name, jobs, now)]
    doing = "Snakemake is running" if active else "Snakemake is not running"
    return [*lines, "", *remarks, *([""] if remarks else []), f"{doing}; {_left(standings)}"]


def _row(name: str, jobs: Sequence[Standing]) -> list[str]:
    counts = Counter(each.state for each in jobs)
    files = {file for each in jobs for file in each.job.outputs}
    left = [each.estimate for each in jobs if each.state != State.MADE]
    known = [each.seconds for each in left if each]
    unknown = "unknown" if left and not known else ""
    more = " + ?" if known and len(known) < len(left) else ""
    time_left = f"{_duration(sum(known))}{more}" if known else unknown
    return [name, *(str(counts[state] or "·") for state in State), _size(files), time_left]


def _size(files: Iterable[str]) -> str:
    size = float(sum(Path(file).stat().st_size for file in files if Path(file).is_file()))
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _remarks(stage: str, jobs: Sequence[Standing], now: float) -> Iterator[str]:
    """Why jobs of a stage are stale, what the running ones have written last, and why the last one failed."""
    stale = [each.job for each in jobs if each.state == State.STALE]
    if stale:
        reasons = Counter(reason for job in stale for reason in job.reasons)
        said = [f"{reason} ({n})" for reason, n in reasons.most_common(MOST_REASONS)]
        more = len(reasons) - len(said)
        yield _short(f"{stage}: stale: {'; '.join(said)}" + (f"; {more} others" if more else ""))
    for each in jobs:
        if each.state == State.RUNNING:
            last = last_line(Path(each.job.log)) if each.job.log else ""
            yield _short(f"{stage}: running: {_named(each.job)}: {last or 'nothing said yet'}")
    failed = [each.job for each in jobs if each.state == State.FAILED]
    if failed:
        last_failed = max(failed, key=lambda job: _time_of(job.log) or 0)
        cause = last_words(Path(last_failed.log)) if last_failed.log else ""
        when = _duration(now - (_time_of(last_failed.log) or now))
        yield (
            f"{stage}: failed {when} ago: {_named(last_failed)}: {cause or 'it said nothing'}"
            f" (log: {last_failed.log})"
        )


def _named(job: PlannedJob) -> str:
    return ", ".join([job.rule, *(f"{name}={value}" for name, value in job.wildcards.items())])


def _short(line: str) -> str:
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _left(standings: Sequence[Standing]) -> str:
    """The time that is left in all, and how it is known."""
    due = [each for each in standings if each.state != State.MADE]
    if not due:
        return "everything is made"
    known = [each.estimate for each in due if each.estimate]
    own = sum(each.is_own for each in known)
    unknown = Counter(each.job.rule for each in due if not each.estimate)
    ways = []
    if own:
        ways.append(f"{own} as long as before")
    if len(known) > own:
        ways.append(f"{len(known) - own} as long as others of their rule on average")
    if unknown:
        named = [f"{rule} {n}" for rule, n in unknown.most_common(MOST_RULES)]
        more = len(unknown) - len(named)
        rules = ", ".join(named) + f" and {more} more rule{'s' * (more > 1)}" * bool(more)
        ways.append(f"unknown for {unknown.total()} ({rules})")
    total = f"about {_duration(sum(each.seconds for each in known))}" if known else "unknown time"
    jobs = f"{len(due)} job{'s' * (len(due) != 1)}"
    return f"{jobs} left, {total} one after the other: {', '.join(ways)}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
