"""JSON from elsewhere, as records that know where they stand: every complaint names file, row and key."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.tables import Row

Placed = tuple[str, Row]
"""A row of one of our tables, and the place in somebody's file that it was read from."""


@dataclass(frozen=True)
class Record:
    """A JSON object and where it stands ("FILE, line 3"). Its getters refuse what is missing or mistyped."""

    where: str
    values: Mapping[str, Any]

    def error(self, key: str, *, expected: str, found: str, remedy: str = "") -> InputError:
        """What is wrong with the value of `key`, to be raised."""
        return InputError(f"{self.where}, key {key}", expected=expected, found=found, remedy=remedy)

    def get(self, key: str) -> Any:
        """The value of `key`, which must be there, whatever it is."""
        if key not in self.values:
            found = f"the keys {', '.join(map(str, self.values))}" if self.values else "no keys"
            raise InputError(self.where, expected=f"the key {key}", found=found)
        return self.values[key]

    def text(self, key: str) -> str:
        """A text that says something, stripped."""
        value = self._text(key, self.get(key), "a text").strip()
        if not value:
            raise self.error(key, expected="a text", found="an empty one")
        return value

    def optional_text(self, key: str) -> str | None:
        """A text, or None where the value is null or blank."""
        value = self.get(key)
        return None if value is None else self._text(key, value, "a text or null").strip() or None

    def identifier(self, key: str) -> str:
        """A text as it is written, blanks around it included, or a whole number as text.

        Published subpools are drawn by the id: `7` and ` 7 ` draw others.
        """
        value = self.get(key)
        if type(value) is int:
            return str(value)
        text = self._text(key, value, "a text")
        # Verbatim records admit texts that say nothing.
        self.text(key)
        return text

    def name(self, key: str) -> str:
        """A text spelled as this project spells names: `computer science` is `computer_science`."""
        return "_".join(self.text(key).lower().split())

    def integer(self, key: str) -> int:
        return self._integer(key, self.get(key))

    def items(self, key: str) -> list[Any]:
        """A list, whatever is in it."""
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
        """A list of whole numbers, or null."""
        return [
            None if value is None else self._integer(f"{key}[{i}]", value)
            for i, value in enumerate(self.items(key))
        ]

    def truths(self, key: str) -> list[bool | None]:
        """A list of true, false or null."""
        for i, value in enumerate(self.items(key)):
            if value is not None and not isinstance(value, bool):
                raise self.error(f"{key}[{i}]", expected="true, false or null", found=shown(value))
        return self.items(key)

    def fractions(self, key: str) -> list[float | None]:
        """A list of numbers from 0 to 1, or null; not a number is null, too."""
        values = [
            None if type(value) is float and math.isnan(value) else value
            for value in self.items(key)
        ]
        for i, value in enumerate(values):
            if value is None:
                continue
            if type(value) not in (int, float) or not 0 <= value <= 1:
                raise self.error(
                    f"{key}[{i}]", expected="a number from 0 to 1, or null", found=shown(value)
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
    """A record whose texts are taken as they stand: not stripped, and some may be empty."""

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
    """The files among `source`, and those in its folders whose names match `pattern`, sorted in each.

    Raises:
        InputError: something is not there, or there are no files.
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
            raise InputError(path, expected="a file or a folder", found="nothing of that name")
    if not files:
        raise InputError("source", expected="at least one file or folder", found="none")
    return files


def read_json_lines(files: Sequence[Path]) -> Iterator[Record]:
    """The objects in files that hold one per line; blank lines are passed over.

    Raises:
        InputError: a file without rows, or a line that is not UTF-8, not JSON or not an object.
    """
    for path in files:
        empty = True
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                empty = False
                where = f"{path}, line {number}"
                yield as_record(where, _parse(path, line.rstrip(), number))
        if empty:
            raise _empty(path)


def read_json(files: Sequence[Path]) -> Iterator[Record]:
    """The objects in files that each hold one JSON list of them; rows are counted from 1.

    Raises:
        InputError: a file without rows, not UTF-8, not JSON, or with another shape.
    """
    for path in files:
        for number, value in enumerate(read_values(path), start=1):
            yield as_record(f"{path}, row {number}", value)


def read_values(path: Path) -> list[Any]:
    """What a file with one JSON list holds, whatever that is.

    Raises:
        InputError: a file without rows, not UTF-8, not JSON, or not a list.
    """
    data = path.read_bytes()
    if not data.strip():
        raise _empty(path)
    values = _parse(path, data)
    if not isinstance(values, list):
        raise InputError(path, expected="a JSON list of objects", found=shown(values))
    if not values:
        raise _empty(path)
    return values


def _parse(path: Path, data: bytes, number: int | None = None) -> Any:
    """The JSON in `data`: a whole file, or the line of that number."""
    try:
        return json.loads(data.decode())
    except UnicodeDecodeError as error:
        line = (number or 1) + data.count(b"\n", 0, error.start)
        found = f"the byte 0x{data[error.start]:02x}"
        raise InputError(f"{path}, line {line}", expected="UTF-8", found=found) from error
    except json.JSONDecodeError as error:
        line = (number or 1) + error.lineno - 1
        found = f"{error.msg} at column {error.colno}"
        raise InputError(f"{path}, line {line}", expected="JSON", found=found) from error
    except (RecursionError, ValueError) as error:
        deep = isinstance(error, RecursionError)
        found = "lists or objects too deep in each other" if deep else "a number of too many digits"
        where = path if number is None else f"{path}, line {number}"
        raise InputError(where, expected="JSON of rows", found=found) from error


def _empty(path: Path) -> InputError:
    return InputError(path, expected="at least one row", found="an empty file")
