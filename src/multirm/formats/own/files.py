"""Read somebody else's file as a table: CSV, JSON, JSONL, Parquet, Arrow, or a folder of `datasets.save_to_disk`.

Values are as they are in the file: those of a CSV file are texts, so that the id `007` and the answer `1.50` stay.
"""

import codecs
import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from multirm.errors import InputError, did_you_mean, one_of, shown
from multirm.formats.own.problems import OwnDataError

BYTES_AT_ONCE = 2**24
# A row of a CSV file must fit in.
CSV_BLOCK = 2**26
DELIMITERS = ",;\t|"
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_file(place: str) -> pa.Table:
    """The table in a file or folder.

    Args:
        place: a file named `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, `.parquet` or `.arrow`; a folder as
            `save_to_disk` of `datasets` writes it; or a folder of files of one of these kinds.

    Raises:
        InputError: no such file, another kind, or lines that cannot be read.
    """
    path = Path(place)
    if path.is_dir():
        return _read_folder(path)
    if not path.is_file():
        raise InputError(path, expected=f"a file named {_KINDS}", found="none", remedy=_near(path))
    if path.suffix.casefold() not in _READERS:
        raise InputError(
            path,
            expected=f"a file named {_KINDS}",
            found=f"one named {path.suffix or path.name}",
            remedy="convert it, for instance by pandas",
        )
    if path.stat().st_size == 0:
        raise InputError(path, expected="at least one row", found="an empty file")
    return _READERS[path.suffix.casefold()](path)


def dataset_name(places: Iterable[str]) -> str:
    """The name of the one file or folder that data is in, or of the folder that several files are in."""
    paths = [Path(place).absolute() for place in places]
    if len(paths) > 1:
        return paths[0].parent.name or "data"
    path = paths[0]
    return path.name if path.is_dir() else path.stem


def concatenated(tables: Iterable[pa.Table]) -> pa.Table:
    """Tables one after the other; columns that have different types become texts."""
    tables = list(tables)
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException:
        texts = [
            pa.table({name: _spelled(table[name]) for name in table.column_names})
            for table in tables
        ]
        return pa.concat_tables(texts, promote_options="permissive")


def _spelled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_nested(column.type) or pa.types.is_floating(column.type):
        return pa.chunked_array([_texts(column.to_pylist())])
    return column.cast(pa.string())


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    return did_you_mean(path.name, (other.name for other in path.parent.iterdir()))


def _read_folder(folder: Path) -> pa.Table:
    if (folder / "dataset_dict.json").is_file():
        splits = json.loads((folder / "dataset_dict.json").read_text()).get("splits", [])
        raise InputError(
            folder,
            expected="one split of a saved dataset",
            found=f"the splits {', '.join(splits)}",
            remedy=f"name one of them, such as {folder / splits[0]}" if splits else "",
        )
    if (folder / "state.json").is_file():
        state = json.loads((folder / "state.json").read_text())
        files = [folder / each["filename"] for each in state["_data_files"]]
        return concatenated(map(_read_arrow, files))
    found = sorted(
        file
        for file in folder.iterdir()
        if file.suffix.casefold() in _READERS and not file.name.startswith(".")
    )
    kinds = {file.suffix for file in found}
    if len(kinds) != 1:
        raise InputError(
            folder,
            expected=f"files of one kind, named {_KINDS}, or a folder of save_to_disk",
            found=f"files named {', '.join(sorted(kinds))}" if kinds else "none",
        )
    return concatenated(read_file(str(file)) for file in found)


def _read_arrow(path: Path) -> pa.Table:
    try:
        with pa.memory_map(str(path)) as source:
            try:
                return pa.ipc.open_stream(source).read_all()
            except pa.ArrowInvalid:
                return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, expected="an Arrow file", found=_reason(error)) from error


def _read_parquet(path: Path) -> pa.Table:
    try:
        return pq.read_table(path, partitioning=None)
    except (pa.ArrowException, OSError) as error:
        raise InputError(path, expected="a Parquet file", found=_reason(error)) from error


def _read_csv(path: Path) -> pa.Table:
    _refuse_other_encodings(path)
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        delimiter = max(DELIMITERS, key=first.count)
        file.seek(0)
        names = next(csv.reader(file, delimiter=delimiter), [])
    wrong: list[str] = []

    def left_out(row: Any) -> str:
        wrong.append(f"{row.actual_columns} values: {shown(row.text)}")
        return "skip"

    try:
        table = pa.csv.read_csv(
            path,
            pa.csv.ReadOptions(block_size=CSV_BLOCK),
            pa.csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=left_out
            ),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowException as error:
        raise InputError(path, expected="a CSV file", found=_reason(error)) from error
    if wrong:
        raise InputError(
            path,
            expected=f"{len(names)} values in every row, as in the first line",
            found=f"{wrong[0]}{f', and {len(wrong) - 1} more such rows' * (len(wrong) > 1)}",
            remedy=f'write texts that contain {delimiter!r} or " in quotes',
        )
    return table


def _refuse_other_encodings(path: Path) -> None:
    """Refuse text that is not UTF-8, and say where it begins to differ."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_before = 0
    with path.open("rb") as file:
        while block := file.read(BYTES_AT_ONCE):
            if not n_before and block.startswith(UTF_16):
                raise InputError(path, expected="text in UTF-8", found="UTF-16", remedy=_AS_UTF_8)
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line = n_before + block[: error.start].count(b"\n") + 1
                byte = error.object[error.start]
                raise InputError(
                    f"{path}, line {line}",
                    expected="text in UTF-8",
                    found=f"the byte 0x{byte:02x}",
                    remedy=_AS_UTF_8,
                ) from None
            n_before += block.count(b"\n")


_AS_UTF_8 = "save it as UTF-8, or read it by pandas with its encoding and write it again"


def _read_json_lines(path: Path) -> pa.Table:
    _refuse_other_encodings(path)
    return table_of_objects(path, _objects_of_lines(path))


def _objects_of_lines(path: Path) -> Iterator[dict[str, Any]]:
    problems: list[InputError] = []
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                value, reason = None, f"{shown(line.strip())} ({_reason(error)})"
            else:
                reason = shown(value)
            if isinstance(value, dict):
                yield value
            else:
                where = f"{path}, line {number}"
                problems.append(InputError(where, expected="a JSON object", found=reason))
    if problems:
        raise OwnDataError(str(path), problems)


def _read_json(path: Path) -> pa.Table:
    """A list of objects, an object of columns, or, whatever the file's name, an object per line."""
    _refuse_other_encodings(path)
    text = path.read_text(encoding="utf-8-sig")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        if "Extra data" in _reason(error):
            return _read_json_lines(path)
        raise InputError(path, expected="JSON", found=_reason(error)) from error
    if isinstance(value, dict):
        # The rows may stand beside what is known of all of them.
        rows = [each for each in value.values() if _are_objects(each)]
        value = rows[0] if len(rows) == 1 else value
    if isinstance(value, dict) and value:
        columns = list(value.values())
        if all(isinstance(each, list) and len(each) == len(columns[0]) for each in columns):
            return pa.table({name: array_of(path, name, values) for name, values in value.items()})
        if all(isinstance(each, dict) for each in columns):
            # As pandas writes a frame: a row's number for each value.
            return table_of_objects(path, _turned(value))
    if not isinstance(value, list):
        raise InputError(
            path,
            expected="a list of objects",
            found=shown(value),
            remedy="write an object for each solution",
        )
    wrong = [row for row, each in enumerate(value, 1) if not isinstance(each, dict)]
    if wrong:
        where = f"{path}, row {wrong[0]}"
        raise InputError(where, expected="an object", found=shown(value[wrong[0] - 1]))
    return table_of_objects(path, value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _turned(columns: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in next(iter(columns.values())):
        yield {name: values.get(row) for name, values in columns.items()}


def table_of_objects(where: object, rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table; what a row lacks is null.

    Args:
        where: what they are, for errors.

    Raises:
        InputError: a text is not Unicode.
    """
    columns: dict[str, list[Any]] = {}
    for n_before, row in enumerate(rows):
        for name in row:
            columns.setdefault(name, [None] * n_before)
        for name, values in columns.items():
            values.append(row.get(name))
    return pa.table({name: array_of(where, name, values) for name, values in columns.items()})


def array_of(where: object, name: str, values: list[Any]) -> pa.Array:
    """Values as an array; those of several types, and large numbers, become texts.

    NaN is a missing value, also beside texts and in lists: a row of pandas has it where another has a text.

    Raises:
        InputError: a text is not Unicode.
    """
    try:
        return pa.array(values, from_pandas=True)
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values, 1) if _is_broken(value))
        raise InputError(
            f"{where}, row {row}, column {name}",
            expected="Unicode text",
            found=f"half a surrogate pair in {shown(values[row - 1])}",
        ) from None
    except (pa.ArrowException, OverflowError):
        return _texts(values)


def _is_broken(value: Any) -> bool:
    try:
        pa.array([value])
    except UnicodeEncodeError:
        return True
    except (pa.ArrowException, OverflowError):
        return False
    return False


def _texts(values: list[Any]) -> pa.Array:
    return pa.array(list(map(_text, values)), pa.string())


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            return None
        # The ids 1 and 1.0 are one.
        value = int(value) if value.is_integer() and abs(value) < 2**53 else value
    return json.dumps(value, default=str)


def _reason(error: Exception) -> str:
    said = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return " ".join(said.split())[:200] or type(error).__name__


_READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_parquet,
    ".arrow": _read_arrow,
}
_KINDS = one_of(list(_READERS))
