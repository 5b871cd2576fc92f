"""Records of a benchmark's files as published: JSON, JSON Lines or Parquet, told apart by their suffix."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from multirm.errors import InputError
from multirm.formats.json_source import Record, as_record, files_of, read_json, read_json_lines

_SUFFIXES = (".json", ".jsonl", ".parquet")
_ROWS_AT_ONCE = 1000


def files_in(source: Sequence[str]) -> list[Path]:
    """The files among `source`, and those in its folders that end in .json, .jsonl or .parquet.

    Raises:
        InputError: a path does not exist, a folder has no such file, or a file another suffix.
    """
    found = []
    for place in source:
        is_folder = Path(place).is_dir()
        files = files_of([place], "*")
        own = [path for path in files if path.suffix in _SUFFIXES]
        if not own or (own != files and not is_folder):
            raise InputError(
                place,
                expected=f"{'files' if is_folder else 'a file'} named *.json, *.jsonl or *.parquet",
                found=", ".join(path.name for path in files[:3]),
            )
        found += own
    return found


def read_records(path: Path) -> Iterator[Record]:
    """The rows of a file; they count from 1, and lines of JSON Lines are called lines.

    Raises:
        InputError: the file has no rows, or is broken.
    """
    if path.suffix == ".jsonl":
        return read_json_lines([path])
    return _of_parquet(path) if path.suffix == ".parquet" else read_json([path])


def _of_parquet(path: Path) -> Iterator[Record]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield as_record(f"{path}, row {number}", row)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise InputError(path, expected="a Parquet file", found=str(error)) from error
    if not number:
        raise InputError(path, expected="at least one row", found="an empty file")
