"""Broken JSON is refused in one line with file, line or row, and key."""

import json
import math
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.formats.json_source import (
    Placed,
    Record,
    each,
    files_of,
    read_json,
    read_json_lines,
    read_object,
    read_objects,
)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'{"a": 1}\n{"a": "\xff"}\n', "line 2: expected UTF-8, found the byte 0xff"),
        (b'{"a": 1}\n\n{"a": \n', "line 3: expected JSON, found Expecting value at column"),
        (b'{"a": 1}\n[1]\n', "line 2: expected a JSON object, found [1]"),
        (b" \n\n", ": expected at least one row, found an empty file"),
        (b"{}\n" + b"[" * 10**5, "line 2: expected JSON of rows, found too deeply nested lists or"),
        (
            b"{}\n" + b"9" * 5000,
            "line 2: expected JSON of rows, found a number with too many digits",
        ),
    ],
)
def test_broken_json_lines(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(read_json_lines([path]))
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'[{"a": 1},\n{"a": "\xff"}]', "line 2: expected UTF-8, found the byte 0xff"),
        (b'[{"a": 1},\n{"a": ]', "line 2: expected JSON, found Expecting value at column 7"),
        (b'[{"a": 1}, 2]', "row 2: expected a JSON object, found 2"),
        (b'{"a":\n1}', ": expected a JSON list of objects, or one per line, found one object"),
        (
            b'[{"a": 1}, {"b": {"a": 1, "a": 2}}]',
            "row 2: expected each key once in an object, found",
        ),
        (b'{"a": 1}\n{"a": 1, "a": 2}', "line 2: expected each key once in an object, found"),
        (b'{"a": 1}\n{"a": ', "line 2: expected JSON"),
        ("[{}]".encode("utf-16"), "expected UTF-8, found UTF-16; save it as UTF-8"),
        (b"\0" * 100, "expected JSON, found the byte 0x00 at its start"),
        (b"[" * 10**5, "rows.json: expected JSON of rows, found too deeply nested lists or"),
        (b'{"a":' * 10**5, "rows.json: expected JSON of rows, found too deeply nested lists or"),
        (b"[" * 900 + b"]" * 900, "row 1: expected a JSON object, found [["),
        (b"[9" + b"9" * 5000 + b"]", "rows.json: expected JSON of rows, found a number with too"),
        (b"[]", ": expected at least one row"),
        (b"", ": expected at least one row"),
    ],
)
def test_broken_json(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "rows.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        list(read_json([path]))
    assert str(path) in str(caught.value)
    assert complaint in str(caught.value)


def test_rows_know_their_position(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert list(read_json_lines([path])) == [
        Record(f"{path}, line 1", {"a": 1}),
        Record(f"{path}, line 3", {"a": 2}),
    ]
    path.write_text('[{"a": 1}]')
    assert list(read_json([path])) == [Record(f"{path}, row 1", {"a": 1})]


@pytest.mark.parametrize("mark", [b"", BOM_UTF8])
@pytest.mark.parametrize("data", [b'[{"a": 1}, {"a": 2}]', b'{"a": 1}\n\n{"a": 2}\n'])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_lists_and_lines_are_told_apart_by_content(
    tmp_path: Path, mark: bytes, data: bytes, name: str
) -> None:
    path = tmp_path / name
    path.write_bytes(mark + data)
    for read in (read_json, read_json_lines):
        assert [record.values for record in read([path])] == [{"a": 1}, {"a": 2}]


def test_several_errors_are_reported_together() -> None:
    def rows_of(index: int, record: Record) -> Iterator[Placed]:
        yield record.where, {"a": record.integer("a"), "index": index}

    values: list[Any] = [1, "x", 2, None, *"abcdef"]
    records = [Record(f"f.json, row {n}", {"a": value}) for n, value in enumerate(values, 1)]
    rows = each(records, rows_of)
    assert [next(rows), next(rows)] == [
        ("f.json, row 1", {"a": 1, "index": 0}),
        ("f.json, row 3", {"a": 2, "index": 2}),
    ]
    with pytest.raises(InputError) as caught:
        list(rows)
    text = str(caught.value)
    assert text.startswith(
        "f.json, row 2, key a: expected a whole number, found 'x'; also f.json, r"
    )
    assert [f"row {n}, key a" in text for n in (2, 4, 5, 6, 7, 8)] == [True] * 5 + [False]
    assert "\n" not in text


@pytest.mark.parametrize(
    ("getter", "value", "complaint"),
    [
        (Record.text, 1, "expected a text, found 1"),
        (Record.text, None, "expected a text, found None"),
        (Record.text, math.nan, "expected a text, found nan"),
        (Record.text, " \n", "expected a text, found an empty one"),
        (Record.text, "\ud800", "half a surrogate pair"),
        (Record.optional_text, 1, "expected a text or null, found 1"),
        (Record.identifier, 1.5, "expected a text, found 1.5"),
        (Record.identifier, True, "expected a text, found True"),
        (Record.integer, "1", "expected a whole number, found '1'"),
        (Record.integer, True, "expected a whole number, found True"),
        (Record.items, "abc", "expected a list, found 'abc'"),
        (Record.records, [1], "k[0]: expected a JSON object"),
    ],
)
def test_a_value_of_the_wrong_type(
    getter: Callable[[Record, str], Any], value: object, complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        getter(Record("f.json, row 3", {"k": value}), "k")
    assert str(caught.value).startswith("f.json, row 3, ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("getter", "values"),
    [
        (Record.texts, ["x", None]),
        (Record.integers, [1, 0.5]),
        (Record.numbers, [0.5, math.inf]),
        (Record.numbers, [0.5, 10**400]),
        (Record.numbers, [0.5, "1"]),
        (Record.numbers, [0.5, False]),
    ],
)
def test_a_wrong_element_is_named(
    getter: Callable[[Record, str], Any], values: list[object]
) -> None:
    with pytest.raises(InputError, match=r"row 3, key k\[1\]: expected a"):
        getter(Record("f.json, row 3", {"k": values}), "k")


def test_a_missing_key_is_named_with_the_existing_ones() -> None:
    with pytest.raises(InputError, match=r"row 3: expected the key k, found the keys a, b"):
        Record("f.json, row 3", {"a": 1, "b": 2}).text("k")


def test_values_are_cleaned() -> None:
    record = Record("", {"t": " x ", "blank": " ", "null": None, "n": 7, "c": "Computer  Science"})
    assert record.text("t") == "x"
    assert record.optional_text("blank") is record.optional_text("null") is None
    assert record.identifier("n") == "7"
    assert record.name("c") == "computer_science"
    numbers = [1, None, 0.25, math.nan]
    assert Record("", {"r": numbers}).numbers("r") == [1.0, None, 0.25, None]


def test_files_and_folders(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt"):
        (tmp_path / name).write_text(json.dumps([]))
    found = files_of([str(tmp_path / "c.txt"), str(tmp_path)], "*.json")
    assert [file.name for file in found] == ["c.txt", "a.json", "b.json"]
    with pytest.raises(InputError, match="found neither"):
        files_of([str(tmp_path / "d.json")], "*.json")
    with pytest.raises(InputError, match=r"files named \*.jsonl, found none"):
        files_of([str(tmp_path)], "*.jsonl")
    with pytest.raises(InputError, match="at least one file or folder"):
        files_of([], "*.json")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}\n{"a": 2}',
        '{"a":\n1}{"a": 2}\n\n',
        '\n{\n"a": 1\n}\n\n{\n"a": 2\n}\n',
        '[{"a": 1}, {"a": 2}]',
        '[\n{"a": 1},\n{"a": 2}]',
    ],
)
def test_objects_on_any_lines(tmp_path: Path, text: str) -> None:
    path = tmp_path / "f.json"
    path.write_text(text)
    assert [record.values for record in read_objects([path])] == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b'{"a":\n1}\n{"a": ', "f.json, line 3: expected JSON"),
        (b'{"a":\n1}\n2', "f.json, row 2: expected a JSON object, found 2"),
        (b'{"a":\n1, "a": 2}', "f.json, row 1: expected each key once"),
        (b'{"a":\n' * 10**5, "f.json: expected JSON of rows, found too deeply nested"),
        (b"", "f.json: expected at least one row"),
    ],
)
def test_broken_objects(tmp_path: Path, data: bytes, complaint: str) -> None:
    path = tmp_path / "f.json"
    path.write_bytes(data)
    with pytest.raises(InputError, match=complaint):
        list(read_objects([path]))


def test_one_object(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text('{"a": [{"b": 1}]}')
    (inner,) = read_object(path).records("a")
    assert (inner.where, inner.values) == (f"{path}, a[0]", {"b": 1})
    path.write_text(" ")
    with pytest.raises(InputError, match=r"f.json: expected at least one row, found an empty file"):
        read_object(path)
