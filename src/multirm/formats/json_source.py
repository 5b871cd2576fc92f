"""Read untrusted JSON as records that know their position, so that every error names file, row and key."""

import json
import math
import re
import sys
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from multirm.errors import InputError, shown
from multirm.tables.schema import Row

_LARGEST = sys.float_info.max

Placed = tuple[str, Row]
"""A row of one of our tables, and the place in the source file that it was read from."""


@dataclass(frozen=True)
class Record:
    """A JSON object and its position ("FILE, line 3"). Its getters raise `InputError` for missing or wrong values."""

    where: str
    values: Mapping[str, Any]

    def error(self, key: str, *, expected: str, found: str, remedy: str = "") -> InputError:
        """The error for a wrong value of `key`, to be raised."""
        return InputError(f"{self.where}, key {key}", expected=expected, found=found, remedy=remedy)

    def get(self, key: str) -> Any:
        """The value of `key`, of any type; the key must exist."""
        if key not in self.values:
            keys = ", ".join(map(str, self.values))
            found = (
                f"the keys {keys if len(keys) <= 200 else keys[:199] + '…'}" if keys else "no keys"
            )
            raise InputError(self.where, expected=f"the key {key}", found=found)
        return self.values[key]

    def text(self, key: str) -> str:
        """A text, stripped; blank texts are refused."""
        value = self._text(key, self.get(key), "a text").strip()
        if not value:
            raise self.error(key, expected="a text", found="an empty one")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, stripped, or None if the value is null or blank."""
        value = self.get(key)
        return None if value is None else self._text(key, value, "a text or null").strip() or None

    def identifier(self, key: str) -> str:
        """An id: a text, unstripped, or an integer as text.

        The paper's estimator draws subsets by the id, so `7` and ` 7 ` draw different ones.
        """
        value = self.get(key)
        if type(value) is int:
            return str(value)
        text = self._text(key, value, "a text")
        # Verbatim records allow blank texts.
        self.text(key)
        return text

    def name(self, key: str) -> str:
        """A name as this project spells it: `computer science` becomes `computer_science`."""
        return "_".join(self.text(key).lower().split())

    def integer(self, key: str) -> int:
        return self._integer(key, self.get(key))

    def truth(self, key: str) -> bool:
        value = self.get(key)
        if not isinstance(value, bool):
            raise self.error(key, expected="true or false", found=shown(value))
        return value

    def items(self, key: str) -> list[Any]:
        """A list of anything."""
        value = self.get(key)
        if not isinstance(value, list):
            raise self.error(key, expected="a list", found=shown(value))
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts, each stripped; some may be empty."""
        return [
            self._text(f"{key}[{i}]", value, "a text").strip()
            for i, value in enumerate(self.items(key))
        ]

    def integers(self, key: str) -> list[int]:
        return [self._integer(f"{key}[{i}]", value) for i, value in enumerate(self.items(key))]

    def counts(self, key: str) -> list[int | None]:
        """A list of integers or nulls."""
        return [
            None if value is None else self._integer(f"{key}[{i}]", value)
            for i, value in enumerate(self.items(key))
        ]

    def truths(self, key: str) -> list[bool | None]:
        """A list of booleans or nulls."""
        for i, value in enumerate(self.items(key)):
            if value is not None and not isinstance(value, bool):
                raise self.error(f"{key}[{i}]", expected="true, false or null", found=shown(value))
        return self.items(key)

    def numbers(self, key: str) -> list[float | None]:
        """A list of finite numbers or nulls; NaN becomes None."""
        values = [
            None if type(value) is float and math.isnan(value) else value
            for value in self.items(key)
        ]
        for i, value in enumerate(values):
            if value is None:
                continue
            if type(value) not in (int, float) or not abs(value) <= _LARGEST:
                raise self.error(
                    f"{key}[{i}]", expected="a finite number, or null", found=shown(value)
                )
        return [None if value is None else float(value) for value in values]

    def records(self, key: str) -> list["Record"]:
        """A list of objects, each as a record of its own."""
        return [
            as_record(f"{self.where}, {key}[{i}]", value) for i, value in enumerate(self.items(key))
        ]

    def _text(self, key: str, value: object, expected: str) -> str:
        if not isinstance(value, str):
            raise self.error(key, expected=expected, found=shown(value))
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise self.error(
                key, expected="Unicode text", found=f"half a surrogate pair in {shown(value)}"
            ) from error
        return value

    def _integer(self, key: str, value: object) -> int:
        if type(value) is not int:
            raise self.error(key, expected="a whole number", found=shown(value))
        return value


class VerbatimRecord(Record):
    """A record whose texts are taken verbatim: not stripped, and they may be empty."""

    def text(self, key: str) -> str:
        return self._text(key, self.get(key), "a text")

    def optional_text(self, key: str) -> str | None:
        return None if self.get(key) is None else self.text(key)

    def texts(self, key: str) -> list[str]:
        return [
            self._text(f"{key}[{i}]", value, "a text") for i, value in enumerate(self.items(key))
        ]


def as_record(where: str, value: object) -> Record:
    if not isinstance(value, Mapping):
        raise InputError(where, expected="a JSON object", found=shown(value))
    return Record(where, value)


def files_of(source: Sequence[str], pattern: str) -> list[Path]:
    """The files among `source`, and those in its folders whose names match `pattern`, sorted within each.

    Raises:
        InputError: a path does not exist, or there are no files.
    """
    files: list[Path] = []
    for path in map(Path, source):
        if path.is_dir():
            found = sorted(file for file in path.glob(pattern) if file.is_file())
            if not found:
                raise InputError(path, expected=f"files named {pattern}", found="none")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(path, expected="a file or a folder", found="neither")
    if not files:
        raise InputError("source", expected="at least one file or folder", found="none")
    return files


def read_json_lines(files: Sequence[Path]) -> Iterator[Record]:
    """The objects in JSON Lines files; blank lines are skipped. A file with one JSON list is accepted, too.

    Raises:
        InputError: a file has no rows, or a line is not UTF-8, not JSON or not an object.
    """
    for path in files:
        if _starts_a_list(path):
            yield from read_json([path])
            continue
        for number, line in _lines(path):
            yield as_record(f"{path}, line {number}", _parse(path, line, number))


def read_json(files: Sequence[Path]) -> Iterator[Record]:
    """The objects in files with one JSON list each; rows count from 1. JSON Lines files are accepted, too.

    Raises:
        InputError: a file has no rows, is not UTF-8, not JSON, or has another shape.
    """
    for path in files:
        for number, value in enumerate(read_values(path), start=1):
            yield as_record(f"{path}, row {number}", value)


def read_values(path: Path) -> list[Any]:
    """The values in a file with one JSON list or in a JSON Lines file, of any type.

    Raises:
        InputError: the file has no rows, is not UTF-8, not JSON, neither a list nor lines, or an object has a
            key twice.
    """
    data = _bytes(path)
    if not data.strip():
        raise _empty(path)
    if data.lstrip()[:1] == b"{" and _is_object(data.lstrip().partition(b"\n")[0]):
        return [_parse(path, line, number) for number, line in _lines(path)]
    values = _parse(path, data)
    if not isinstance(values, list):
        found = "one object" if isinstance(values, dict) else shown(values)
        raise InputError(path, expected="a JSON list of objects, or one per line", found=found)
    if not values:
        raise _empty(path)
    return values


def read_object(path: Path) -> Record:
    """The object that a file holds.

    Raises:
        InputError: the file is empty, is not UTF-8, not JSON, or something else than an object.
    """
    data = _bytes(path)
    if not data.strip():
        raise _empty(path)
    return as_record(str(path), _parse(path, data))


def read_objects(files: Sequence[Path]) -> Iterator[Record]:
    """The objects in files with one after the other, each on any number of lines; lists are accepted, too.

    Raises:
        InputError: a file has no rows, is not UTF-8, not JSON, or has another shape.
    """
    for path in files:
        _, first = next(_lines(path))
        if first.lstrip().startswith(b"{") and not _is_object(first):
            values = _parse(path, _bytes(path), parse=_one_after_the_other)
            for number, value in enumerate(values, start=1):
                yield as_record(f"{path}, row {number}", value)
        else:
            yield from read_json_lines([path])


MOST_PROBLEMS = 5

T = TypeVar("T")


def each(records: Iterable[Record], rows_of: Callable[[int, Record], Iterable[T]]) -> Iterator[T]:
    """The rows of every record; errors are collected, and raised together after the last row.

    Args:
        rows_of: makes the rows of a record, given its 0-based index.

    Raises:
        InputError: the errors of up to `MOST_PROBLEMS` records; reading stops there.
    """
    problems: list[InputError] = []
    for index, record in enumerate(records):
        try:
            yield from rows_of(index, record)
        except InputError as problem:
            problems.append(problem)
            if len(problems) == MOST_PROBLEMS:
                break
    if problems:
        raise all_of(problems)


def all_of(problems: Sequence[InputError]) -> InputError:
    """Combine several errors into one, in one line."""
    first, *others = problems
    if not others:
        return first
    also = "; also ".join(map(str, others))
    return InputError(
        first.where,
        expected=first.expected,
        found=first.found,
        remedy="; ".join(filter(None, [first.remedy, f"also {also}"])),
    )


def _bytes(path: Path) -> bytes:
    """The bytes of a file, without a byte order mark.

    Raises:
        InputError: the file does not fit into memory, or cannot be JSON.
    """
    try:
        with path.open("rb") as file:
            _refuse_other_encodings(path, file.read(len(BOM_UTF8)))
            file.seek(0)
            return file.read().removeprefix(BOM_UTF8)
    except MemoryError as error:
        raise InputError(
            path, expected="a file that fits into memory", found=f"{path.stat().st_size:,} bytes"
        ) from error


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The non-blank lines of a file, with their numbers.

    Raises:
        InputError: there are none, a line does not fit into memory, or the file cannot be JSON.
    """
    empty = True
    with path.open("rb") as lines:
        start = lines.read(len(BOM_UTF8))
        _refuse_other_encodings(path, start)
        lines.seek(len(start) if start == BOM_UTF8 else 0)
        numbered = enumerate(lines, start=1)
        while True:
            try:
                number, line = next(numbered)
            except StopIteration:
                break
            except MemoryError as error:
                found = f"{path.stat().st_size:,} bytes"
                raise InputError(
                    path, expected="lines that fit into memory", found=found
                ) from error
            if line.strip():
                empty = False
                yield number, line.rstrip()
    if empty:
        raise _empty(path)


def _refuse_other_encodings(path: Path, start: bytes) -> None:
    """Refuse UTF-16 and binary files by their first bytes, before all of the file is read."""
    if start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InputError(path, expected="UTF-8", found="UTF-16", remedy="save it as UTF-8")
    if b"\0" in start:
        raise InputError(path, expected="JSON", found="the byte 0x00 at its start")


def _starts_a_list(path: Path) -> bool:
    """Whether a file is one JSON list rather than JSON Lines."""
    _, line = next(_lines(path))
    return line.lstrip().startswith(b"[")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class _KeyTwiceError(ValueError):
    """An object has a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwiceError(next(key for key in keys if keys.count(key) > 1))
    return values


_DECODER = json.JSONDecoder(object_pairs_hook=_object)
_SPACE = re.compile(r"\s*")


def _one_after_the_other(text: str) -> list[Any]:
    values: list[Any] = []
    place, end = _SPACE.match(text).end(), len(text.rstrip())  # type: ignore[union-attr]
    while place < end:
        value, place = _DECODER.raw_decode(text, place)
        values.append(value)
        place = _SPACE.match(text, place).end()  # type: ignore[union-attr]
    return values


def _parse(
    path: Path,
    data: bytes,
    number: int | None = None,
    parse: Callable[[str], Any] = _DECODER.decode,
) -> Any:
    """The JSON in `data`: a whole file, or the line of that number."""
    where = path if number is None else f"{path}, line {number}"
    try:
        return parse(data.decode())
    except UnicodeDecodeError as error:
        line = (number or 1) + data.count(b"\n", 0, error.start)
        found = f"the byte 0x{data[error.start]:02x}"
        raise InputError(f"{path}, line {line}", expected="UTF-8", found=found) from error
    except json.JSONDecodeError as error:
        line = (number or 1) + error.lineno - 1
        found = f"{error.msg} at column {error.colno}"
        raise InputError(f"{path}, line {line}", expected="JSON", found=found) from error
    except _KeyTwiceError as error:
        if number is None:
            where = f"{path}, row {_row_with_a_key_twice(data.decode())}"
        raise InputError(
            where, expected="each key once in an object", found=f"{shown(str(error))} twice"
        ) from error
    except MemoryError as error:
        found = f"{len(data):,} bytes"
        raise InputError(where, expected="JSON that fits into memory", found=found) from error
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        found = "too deeply nested lists or objects" if deep else "a number with too many digits"
        raise InputError(where, expected="JSON of rows", found=found) from error


def _row_with_a_key_twice(text: str) -> int:
    """The number of the first row of a list in which an object has a key twice."""
    place, number = re.compile(r"\s*\[?\s*").match(text).end(), 1  # type: ignore[union-attr]
    while True:
        try:
            _, place = _DECODER.raw_decode(text, place)
        except _KeyTwiceError:
            return number
        place, number = re.compile(r"\s*,?\s*").match(text, place).end(), number + 1  # type: ignore[union-attr]


def _empty(path: Path) -> InputError:
    return InputError(path, expected="at least one row", found="an empty file")
