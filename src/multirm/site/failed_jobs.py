"""What made Snakemake's jobs fail, in the last lines that a run prints."""

import atexit
import logging
import re
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from multirm.errors import escaped

MOST_SHOWN = 10
LONGEST_CAUSE = 600

# Enough for a traceback.
_TAIL = 2**16
# File servers' clocks may differ from ours.
_SECONDS_OF_CLOCKS = 60

_OURS = re.compile(r"^(?:\[rank\d+\]:\s*)?multirm: (?P<cause>.*)", re.MULTILINE)
# The last line of a traceback; not that of a launcher about the processes that it started.
_BUG = re.compile(
    r"^(?:\[rank\d+\]:\s*)?(?P<cause>(?!.*ChildFailedError)(?:\w+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit)\b.*)",
    re.MULTILINE,
)
_STATUS = re.compile(r"(?:non-zero exit status (?P<status>\d+)|died with <Signals\.(?P<name>\w+))")
_SLURM = re.compile(r"SLURM status is: '?(?P<state>[A-Z_]+)")
# Slurm reports a job whose command failed as FAILED; why is in its log.
_SAYS_NOTHING = "FAILED"


@dataclass
class _Job:
    """What is known about a job that was started."""

    rule: str
    wildcards: Mapping[str, str]
    started: float
    logs: Sequence[str] = ()
    command: str = ""
    said: str = ""
    failed: bool = False


@dataclass
class FailedJobs:
    """Remembers what Snakemake reports about jobs, and lets all of it pass.

    Attributes:
        jobs: those started, by the number that Snakemake gave them.
        errors: other errors; they name the command that failed.
    """

    jobs: dict[int, _Job] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def filter(self, record: logging.LogRecord) -> bool:
        event = getattr(record, "event", None)
        kind = getattr(event, "name", None)
        if kind == "JOB_INFO":
            job = _Job(_of(record, "rule_name"), _of(record, "wildcards") or {}, record.created)
            self.jobs[_of(record, "jobid")] = job
        elif kind == "JOB_FINISHED":
            self.jobs.pop(_of(record, "job_id"), None)
        elif kind == "JOB_ERROR":
            job = self.jobs.setdefault(_of(record, "jobid"), _Job(_of(record, "rule_name"), {}, 0))
            job.logs, job.command = _of(record, "log") or [], _of(record, "shellcmd") or ""
            job.said, job.failed = _of(record, "rule_msg") or "", True
        elif kind == "ERROR":
            self.errors.append(record.getMessage())
        return True

    def lines(self) -> list[str]:
        """A line for each job that has failed for good: `multirm: RULE, WILDCARDS: CAUSE (log: PATH)`."""
        failed = [job for job in self.jobs.values() if job.failed]
        lines = [self._line(job) for job in failed[-MOST_SHOWN:]]
        left_out = len(failed) - len(lines)
        return [f"multirm: {left_out} more jobs have failed", *lines] if left_out else lines

    def _line(self, job: _Job) -> str:
        values = [f"{name}={value}" for name, value in job.wildcards.items()]
        log = next((path for path in job.logs if Path(path).is_file()), None)
        found = self._cause(job, log)
        short = found if len(found) <= LONGEST_CAUSE else f"{found[: LONGEST_CAUSE - 1]}…"
        where = f" (log: {log})" if log else " (it left no log)"
        return escaped(f"multirm: {', '.join([job.rule, *values])}: {short}{where}")

    def _cause(self, job: _Job, log: str | None) -> str:
        slurm = _SLURM.search(job.said)
        if slurm and slurm["state"] != _SAYS_NOTHING:
            return f"ended by Slurm: {slurm['state']}"
        status = self._status(job)
        if status and (killed := killed_by(status)):
            return killed
        said = last_words(Path(log), job.started - _SECONDS_OF_CLOCKS) if log else ""
        return said or job.said or f"exit status {status or 'unknown'}"

    def _status(self, job: _Job) -> int | None:
        """The exit status of a job's command, negative for a signal; None if it is not known."""
        for error in reversed(self.errors):
            found = _STATUS.search(error)
            if found and job.command and job.command in error:
                name = found["name"]
                return -signal.Signals[name].value if name else int(found["status"])
        return None


def killed_by(status: int) -> str:
    """How an exit status says that a process was killed; empty if it was not."""
    # Shells add 128 to the number of the signal that killed what they ran.
    number = -status if status < 0 else status - 128
    if number not in {each.value for each in signal.Signals} or number == signal.SIGINT:
        return ""
    name = signal.Signals(number).name
    if number == signal.SIGKILL:
        return "killed (SIGKILL), as when memory runs out"
    return f"killed ({name})"


def last_words(log: Path, since: float = 0) -> str:
    """The cause of a failure by a job's log: our own message, the end of a traceback, or the last line.

    Args:
        since: seconds since the epoch; an older log is that of an earlier run.
    """
    text = _end_of(log, since)
    found = list(_OURS.finditer(text)) or list(_BUG.finditer(text))
    return found[-1]["cause"].strip() if found else _last_line(text)


def last_line(log: Path) -> str:
    """The last line of a log; empty if there is none."""
    return _last_line(_end_of(log, 0))


def last_message(text: str) -> str:
    """Our own last message in what a process has written to stderr, or its last line."""
    found = list(_OURS.finditer(text))
    return found[-1]["cause"].strip() if found else _last_line(text)


def _end_of(log: Path, since: float) -> str:
    try:
        if log.stat().st_mtime < since:
            return ""
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def _last_line(text: str) -> str:
    written = [line.strip() for line in text.splitlines() if any(map(str.isalnum, line))]
    return written[-1] if written else ""


def report_at_exit(logger: logging.Logger) -> None:
    """Print why jobs have failed when this process ends, below all that Snakemake prints.

    Args:
        logger: Snakemake's.
    """
    failed = FailedJobs()
    logger.addFilter(failed)
    atexit.register(_print, failed)


def _print(failed: FailedJobs) -> None:
    # Before this, other streams must have been written.
    sys.stdout.flush()
    sys.stderr.writelines(f"{line}\n" for line in failed.lines())
    sys.stderr.flush()


def _of(record: logging.LogRecord, name: str) -> Any:
    return getattr(record, name, None)
