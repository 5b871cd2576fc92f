"""The files of batch services in a folder: job files to upload, what their records are about, and result files.

    jobs/NAME.jsonl       to upload
    started/NAME.jsonl    not to upload again: put there by the user who started them, or when a result is there
    records/NAME.jsonl    for each record in it: id, key of the prompt, number of the sample, attempt
    results/…             the service's files, under any names, also in folders
    given_up.txt          ids of records that are not asked again, one a line

Several jobs may share a folder, because ids depend on what is asked. They have eleven letters and digits, which all
services accept.
"""

import hashlib
import json
import string
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from multirm.engines.base import Key
from multirm.engines.batch_forms import Failure, Form, Reply
from multirm.errors import InputError, shown
from multirm.formats.json_source import Record, read_json_lines
from multirm.running.files import whole_together

_DIGITS = string.digits + string.ascii_letters
_LENGTH = 11

# Bedrock's summary of a job.
_NO_RESULTS = "manifest.json.out"


def record_id(
    model: str, body: Mapping[str, Any], seed: int, key: Key, sample: int, attempt: int
) -> str:
    """The id of a record: it depends on all that is asked, what for, and for which time."""
    said = json.dumps([model, body, seed, key, sample, attempt], sort_keys=True)
    number = int.from_bytes(hashlib.sha256(said.encode()).digest())
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(digits)


@dataclass(frozen=True)
class JobRecord:
    """One line of a job file.

    Attributes:
        attempt: from 0; above 0, an earlier record about the same sample failed or did not return.
        after: what had happened to that one; empty at attempt 0.
    """

    id: str
    key: Key
    sample: int
    attempt: int
    body: dict[str, Any]
    seed: int
    after: str = ""

    @property
    def description(self) -> dict[str, Any]:
        """The line of the file of records."""
        known = {"id": self.id, "key": self.key, "sample": self.sample, "attempt": self.attempt}
        return {**known, "after": self.after} if self.after else known


@dataclass
class Results:
    """What the result files of a folder say.

    Attributes:
        outcomes: by record, of those that were asked about.
        jobs: names of the job files of which any record has a result.
    """

    outcomes: dict[str, Reply | Failure] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)


class BatchFolder:
    """A folder of job and result files. It and its folders are made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs, self.results = path / "jobs", path / "results"
        self._records, self._started = path / "records", path / "started"
        for folder in (self.jobs, self.results, self._records, self._started):
            folder.mkdir(parents=True, exist_ok=True)

    def asked(self) -> dict[str, str]:
        """The name of the job file of each record that was ever written.

        Raises:
            InputError: a file of records is damaged.
        """
        return {
            line.text("id"): file.stem
            for file in sorted(self._records.glob("*.jsonl"))
            for line in read_json_lines([file])
        }

    def given_up(self) -> set[str]:
        """The ids of the records that are not asked again."""
        path = self.path / "given_up.txt"
        return set(path.read_text(errors="replace").split()) if path.is_file() else set()

    def is_out(self, job: str) -> bool:
        """Whether the job file is still there: if it was deleted, its records are asked again."""
        return any((folder / f"{job}.jsonl").is_file() for folder in (self.jobs, self._started))

    def set_aside(self, answered: Iterable[str]) -> None:
        """Move the files of jobs with results away from those that are to be uploaded.

        A service runs a file again, and bills it, if it is uploaded again.
        """
        for job in answered:
            name = f"{job}.jsonl"
            # Another job that shares the folder may have moved it.
            with suppress(FileNotFoundError):
                (self.jobs / name).rename(self._started / name)

    def write(self, records: Sequence[JobRecord], form: Form) -> dict[str, int]:
        """Write records to as few job files of about the same size as the service's limits allow.

        Returns:
            the number of records in each job file, by its name.

        Raises:
            InputError: a record is longer than a file may be, or there is no room on the disk.
        """
        lines = [_line(form.line(record.id, record.body, record.seed)) for record in records]
        paths, contents, sizes = [], [], {}
        first = len(list(self._records.glob("*.jsonl"))) + 1
        for number, part in enumerate(split(lines, form.most_records, form.most_bytes), first):
            chosen = records[part.start : part.stop]
            name = f"{number:04}-{chosen[0].id}"
            paths += [self.jobs / f"{name}.jsonl", self._records / f"{name}.jsonl"]
            contents += [lines[part.start : part.stop]]
            contents += [[_line(record.description) for record in chosen]]
            sizes[name] = len(chosen)
        with whole_together(paths) as parts:
            for path, content in zip(parts, contents, strict=True):
                path.write_bytes(b"".join(content))
        return sizes

    def read(self, form: Form, asked: Mapping[str, str], wanted: Collection[str]) -> Results:
        """Read the result files, in any order.

        Args:
            asked: as from `asked`.
            wanted: the records whose outcomes are kept.

        Raises:
            InputError: a line is not whole or no result, its record was not written to this folder, or has two results.
        """
        found = Results()
        places: dict[str, str] = {}
        for path in self._result_files():
            for where, record, outcome in _outcomes(path, form):
                if record not in asked:
                    raise InputError(
                        where,
                        expected=f"a record of the job files in {self.jobs}",
                        found=f"the record {shown(record)}",
                        remedy="move the file to the folder of its own job",
                    )
                if record in places:
                    raise InputError(
                        where,
                        expected="one result of each record",
                        found=f"a second one of {record}, after {places[record]}",
                        remedy="keep one of the two files, or lines",
                    )
                places[record] = where
                found.jobs.add(asked[record])
                if record in wanted:
                    found.outcomes[record] = outcome
        return found

    def _result_files(self) -> list[Path]:
        return [
            path
            for path in sorted(self.results.rglob("*"))
            if path.is_file()
            and path.name != _NO_RESULTS
            and not path.name.startswith(".")
            and path.stat().st_size
        ]


def split(lines: Sequence[bytes], most_lines: int, most_bytes: int) -> list[range]:
    """The fewest runs of lines with about the same number of lines, none above either limit.

    A last file with the few lines that were left over could be below a service's minimum.

    Raises:
        InputError: a single line has more bytes.
    """
    longest = max(map(len, lines))
    if longest > most_bytes:
        raise InputError(
            "prompts",
            expected=f"records of at most {most_bytes:,} bytes",
            found=f"one of {longest:,}",
        )
    n_files = max(ceil(len(lines) / most_lines), ceil(sum(map(len, lines)) / most_bytes))
    while True:
        ends = [len(lines) * k // n_files for k in range(n_files + 1)]
        runs = [range(*run) for run in pairwise(ends)]
        if all(sum(len(lines[k]) for k in run) <= most_bytes for run in runs):
            return runs
        n_files += 1


def _outcomes(path: Path, form: Form) -> Iterator[tuple[str, str, Reply | Failure]]:
    """The place, record and outcome of each line of a result file."""
    for line in _lines(path):
        record, outcome = form.read(line)
        yield line.where, record, outcome


def _lines(path: Path) -> Iterator[Record]:
    try:
        yield from read_json_lines([path])
    except InputError as error:
        raise InputError(
            error.where,
            expected=error.expected,
            found=error.found,
            remedy="if the file was cut off while it was downloaded, download it again",
        ) from error


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"
