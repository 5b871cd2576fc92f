"""The only reader and writer of tables.

A table is checked when it is written and when it is read: page checksums, columns and types, nulls and NaN, one row
per key, and its schema's check of each row. Its footer (metadata key `multirm`) records the schema and the table's
origin: the code, the parameters and the digests of the inputs.

Tables that other programs wrote, such as pandas and polars, may have the same values in wider types, and further
columns.
"""

import json
import os
import resource
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.running.files import whole_together
from multirm.running.provenance import Origin
from multirm.tables.schema import Row, Schema

FOOTER_KEY = b"multirm"

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 2**20
COLUMNS_SHOWN = 20

# The memory limit of a container or a Slurm job.
_GROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    pa.types.is_fixed_size_list,
)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


@dataclass(frozen=True)
class Footer(Origin):
    """What a table is, and what it was made from."""

    schema: str
    schema_version: int


_FOOTER = TypeAdapter(Footer)


def write(
    path: Path,
    schema: Schema,
    rows: Sequence[Row] | pa.Table,
    origin: Origin,
) -> None:
    """Check `rows` and write them to `path` atomically.

    Args:
        origin: of the rows, for the footer.

    Raises:
        InputError: a row does not fit the schema; nothing is written.
    """
    write_together([(path, schema, rows)], origin)


def write_together(
    made: Iterable[tuple[Path, Schema, Sequence[Row] | pa.Table]],
    origin: Origin,
    texts: Mapping[Path, str] | None = None,
) -> None:
    """Like `write`, for several tables: all of them appear, or none if anything fails.

    Args:
        made: path, schema and rows of each table.
        texts: contents of further text files that belong to them.

    Raises:
        InputError: as for `write`.
    """
    checked = [(path, _to_write(path, schema, rows, origin)) for path, schema, rows in made]
    texts = texts or {}
    with whole_together([*(path for path, _ in checked), *texts]) as parts:
        for part, (_, table) in zip(parts, checked, strict=False):
            pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        for part, text in zip(parts[len(checked) :], texts.values(), strict=True):
            part.write_text(text, encoding="utf-8")


def read(path: Path, schema: Schema) -> pa.Table:
    """The table at `path`, checked against `schema`, with its columns in the schema's types.

    A table that other programs wrote may have other types that hold the same values, such as wider integers; its
    columns outside the schema are left out.

    Raises:
        InputError: no such file, not Parquet, damaged, truncated, too large for the memory, missing columns,
            a row that does not fit, or no rows where the schema requires some.
    """
    table = _open(path, _read_whole)
    footer = _check_kind(path, schema, table.schema)
    if footer is None:
        table = _with_nulls(schema, table, schema.optional)
    elif footer.schema_version != schema.version:
        table = _renewed(path, schema, table, footer.schema_version)
    table = _checked(path, schema, table, ours=footer is not None)
    _check_some(path, schema, table.num_rows)
    return table


def read_extra(path: Path, column: str) -> list[Any]:
    """The values of a column that `read` leaves out, such as one of an earlier version; nulls if there is none.

    Raises:
        InputError: no such file, not Parquet, or damaged.
    """
    if column not in _open(path, lambda file: pq.read_schema(file)).names:
        return [None] * _open(path, lambda file: pq.read_metadata(file)).num_rows
    values: list[Any] = _open(path, _read_whole)[column].to_pylist()
    return values


def check_readable(path: Path, schema: Schema, unread: Collection[str] = ()) -> None:
    """Refuse a file that cannot be read elsewhere as a table of `schema`, whoever wrote it.

    Its columns may be as for `read`. Page checksums are verified; values are not checked against the schema.

    Args:
        unread: columns that may be missing, and are not checked.

    Raises:
        InputError: no such file, not Parquet, damaged, truncated, another table, other columns, or no rows.
    """
    metadata = _open(path, lambda file: pq.read_metadata(file))
    found = _open(path, lambda file: pq.read_schema(file))
    _check_kind(path, schema, found)
    missing = {name for name in schema.optional if name not in found.names}
    wanted = [field for field in schema.columns if field.name not in {*unread, *missing}]
    _check_columns(path, schema, found, wanted)
    _check_some(path, schema, metadata.num_rows)
    check_undamaged(path, [field.name for field in wanted])


def has_columns(path: Path, schema: Schema) -> bool:
    """Whether a file has the columns of a schema, whoever wrote it.

    Raises:
        InputError: no such file, or not Parquet.
    """
    found = _open(path, lambda file: pq.read_schema(file))
    try:
        wanted = [field for field in schema.columns if field.name not in schema.optional]
        _check_columns(path, schema, found, wanted)
    except InputError:
        return False
    return True


def check_undamaged(path: Path, columns: Sequence[str] | None = None) -> None:
    """Refuse a Parquet file with a page that fails its checksum, or with text that is not UTF-8.

    Pages without a checksum, as other programs write them, only need to be readable. Takes little memory, however
    large the table.

    Args:
        columns: the columns to check; None for all.

    Raises:
        InputError: no such file, or damaged.
    """
    _open(path, lambda file: sum(batch.num_rows for batch in _batches(file, columns)))


def read_all(paths: Iterable[Path], schema: Schema) -> pa.Table:
    """The concatenated tables at `paths`; an empty table without paths.

    Raises:
        InputError: as for `read`, or a key is in two of them.
    """
    paths = list(paths)
    if not paths:
        return schema.columns.empty_table()
    tables = [read(path, schema) for path in paths]
    table = pa.concat_tables(tables, promote_options="permissive")
    _check_keys(Path(" + ".join(map(str, paths))), schema, table)
    return table


def read_footer(path: Path) -> Footer:
    """The footer of a table that this package wrote.

    Raises:
        InputError: no such file, not Parquet, or written by something else.
    """
    footer = find_footer(path)
    if footer is None:
        raise InputError(
            path, expected="a table written by multirm", found="one without its footer"
        )
    return footer


def find_footer(path: Path) -> Footer | None:
    """The footer of a table that this package wrote; None if something else wrote it.

    Raises:
        InputError: no such file, or not Parquet.
    """
    return _footer(path, _open(path, lambda file: pq.read_schema(file)))


def _to_write(
    path: Path, schema: Schema, rows: Sequence[Row] | pa.Table, origin: Origin
) -> pa.Table:
    table = rows if isinstance(rows, pa.Table) else _to_arrow(path, schema, rows)
    table = _checked(path, schema, table, ours=True)
    made_of = (origin.multirm, origin.code, origin.parameters, origin.inputs)
    footer = Footer(*made_of, schema=schema.name, schema_version=schema.version)
    metadata = {FOOTER_KEY: json.dumps(asdict(footer), sort_keys=True).encode()}
    return table.replace_schema_metadata(metadata)


def _footer(path: Path, schema: pa.Schema) -> Footer | None:
    """What this package wrote into a table's footer, or None if something else wrote the table."""
    written = (schema.metadata or {}).get(FOOTER_KEY)
    if written is None:
        return None
    try:
        return _FOOTER.validate_json(written)
    except ValidationError as error:
        raise InputError(
            path, expected="a footer as multirm writes it", found=shown(written)
        ) from error


def _check_kind(path: Path, schema: Schema, found_schema: pa.Schema) -> Footer | None:
    """Refuse a table of ours with another schema; return its footer, or None if something else wrote it."""
    footer = _footer(path, found_schema)
    if footer is not None:
        found = f"{footer.schema} version {footer.schema_version}"
        expected = f"{schema.name} version {schema.version}"
        if footer.schema != schema.name or not schema.reads(footer.schema_version):
            raise InputError(path, expected=f"a table of {expected}", found=found)
    return footer


def _renewed(path: Path, schema: Schema, table: pa.Table, version: int) -> pa.Table:
    """A table of an earlier version with the columns of this one."""
    try:
        return _with_nulls(schema, schema.renewed(table), schema.older[version])
    except (KeyError, pa.ArrowException) as error:
        raise InputError(
            path,
            expected=f"the columns of a table of {schema.name} version {version}",
            found=next(iter(str(error).splitlines()), type(error).__name__),
        ) from error


def _with_nulls(schema: Schema, table: pa.Table, columns: Iterable[str]) -> pa.Table:
    """The table with columns of nulls for those of `columns` that it lacks."""
    for name in set(columns) - set(table.column_names):
        nulls = pa.nulls(table.num_rows, schema.columns.field(name).type)
        table = table.append_column(schema.columns.field(name), nulls)
    return table


def _check_some(path: Path, schema: Schema, n_rows: int) -> None:
    if schema.at_least_one and not n_rows:
        raise InputError(path, expected=f"at least one {schema.at_least_one}", found="none")


def _read_whole(path: Path) -> pa.Table:
    schema = pq.read_schema(path)
    batches, size, most = [], 0, _half_the_memory()
    for batch in _batches(path):
        batches.append(batch)
        size += batch.nbytes
        if size > most:
            # A few bytes can encode a string that is repeated millions of times.
            raise InputError(
                path,
                expected=f"a table of at most {most / 1e9:.1f} GB once it is read, half the memory",
                found=f"more, in a file of {path.stat().st_size / 1e6:.1f} MB",
                remedy="read it in parts",
            )
    return pa.Table.from_batches(batches, schema)


def _batches(path: Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a file in batches; page checksums are verified."""
    file = pq.ParquetFile(
        path, page_checksum_verification=True, pre_buffer=False, buffer_size=BYTES_AT_ONCE
    )
    with file:
        for batch in file.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            # Invalid UTF-8 would otherwise only fail once the text is used.
            batch.validate(full=True)
            yield batch


def _half_the_memory() -> int:
    """Half of the memory that this process may use, in bytes."""
    most = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY:
        most = min(most, allowed)
    group = _GROUP_LIMIT.read_text("ascii").strip() if _GROUP_LIMIT.is_file() else ""
    return (min(most, int(group)) if group.isdecimal() else most) // 2


def _open(path: Path, reader: Callable[[Path], Any]) -> Any:
    if not path.is_file():
        raise InputError(path, expected="a Parquet table", found="no such file")
    try:
        return reader(path)
    except MemoryError as error:
        raise InputError(
            path, expected="a table that fits into memory", found="one that does not"
        ) from error
    # A damaged file can raise anything; its footer need not even be text.
    except (pa.ArrowException, OSError, ValueError, TypeError, LookupError, OverflowError) as error:
        raise InputError(
            path,
            expected="a whole Parquet table",
            found=next(iter(str(error).splitlines()), type(error).__name__),
            remedy="delete it and make it again",
        ) from error


def _to_arrow(path: Path, schema: Schema, rows: Sequence[Row]) -> pa.Table:
    """Convert rows to Arrow; on failure, find the first row and column that does not fit."""
    try:
        return pa.Table.from_pylist(list(rows), schema=_nullable(schema.columns))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        for index, row in enumerate(rows):
            for field in schema.columns:
                try:
                    pa.array([row.get(field.name)], type=field.type)
                except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                    raise InputError(
                        _place(path, schema, index, row),
                        expected=f"{field.name} of type {_type_name(field)}",
                        found=shown(row.get(field.name)),
                    ) from error
        raise


def _checked(path: Path, schema: Schema, table: pa.Table, ours: bool) -> pa.Table:
    """The table in the schema's types, without further columns of other programs."""
    _check_columns(path, schema, table.schema, schema.columns)
    extra = sorted(set(table.schema.names) - set(schema.columns.names))
    if extra and ours:
        raise InputError(
            path, expected=f"the columns of a {schema.name} table", found=f"also {', '.join(extra)}"
        )
    columns = _as_wide(schema.columns, table.schema)
    table = _in_our_types(path, schema, table, _nullable(columns))
    for field in schema.columns:
        _check_values(path, schema, table, field)
    _check_keys(path, schema, table)
    if schema.check_row is not Schema.check_row:
        for index, row in enumerate(table.to_pylist()):
            problem = schema.check_row(row)
            if problem:
                expected, found = problem
                raise InputError(_place(path, schema, index, row), expected=expected, found=found)
    return table.cast(columns)


def _as_wide(columns: pa.Schema, found: pa.Schema) -> pa.Schema:
    """The columns, with float64 instead of float32 where found: numbers from elsewhere keep their precision."""
    return pa.schema(
        field.with_type(_wide(field.type, found.field(field.name).type)) for field in columns
    )


def _wide(ours: pa.DataType, found: pa.DataType) -> pa.DataType:
    if pa.types.is_list(ours):
        element = ours.value_field
        inner = _wide(element.type, getattr(found, "value_type", element.type))
        return pa.list_(element.with_type(inner))
    return found if ours == pa.float32() and found == pa.float64() else ours


def _in_our_types(path: Path, schema: Schema, table: pa.Table, columns: pa.Schema) -> pa.Table:
    """The table's columns named by `columns`, in the schema's types."""
    cast = []
    for field in columns:
        column = table[field.name]
        try:
            cast.append(column.cast(field.type))
        except pa.ArrowException as error:
            index = next(index for index in range(len(column)) if not _casts(column, index, field))
            row = table.slice(index, 1).to_pylist()[0]
            raise InputError(
                _place(path, schema, index, row),
                expected=f"{field.name} of type {_type_name(schema.columns.field(field.name))}",
                found=shown(row[field.name]),
            ) from error
    return pa.table(cast, columns)


def _casts(column: pa.ChunkedArray, index: int, field: pa.Field) -> bool:
    try:
        column.slice(index, 1).cast(field.type)
    except pa.ArrowException:
        return False
    return True


def _nullable(columns: pa.Schema) -> pa.Schema:
    """The columns, all nullable, to hold rows that are not checked yet."""
    return pa.schema(
        pa.field(
            field.name,
            pa.list_(pa.field("element", field.type.value_type))
            if pa.types.is_list(field.type)
            else field.type,
        )
        for field in columns
    )


def _check_columns(
    path: Path, schema: Schema, found: pa.Schema, wanted: Iterable[pa.Field]
) -> None:
    """Refuse missing or duplicate columns and types that cannot be converted, all in one message."""
    # DuckDB's column names are case-insensitive: `Answer` and `answer` are one column.
    names = [name.casefold() for name in found.names]
    missing, wrong = [], []
    for field in wanted:
        n_found = names.count(field.name)
        if field.name not in found.names:
            missing.append(field.name)
        elif n_found > 1:
            wrong.append((f"one column {field.name}", f"{n_found}"))
        elif not _fits(found.field(field.name).type, field.type):
            type_found = str(found.field(field.name).type)
            wrong.append((f"{field.name} of type {_type_name(field)}", type_found))
    expected = [words for words, _ in wrong]
    received = [words for _, words in wrong]
    if missing:
        expected.append(
            f"column{'s' * (len(missing) > 1)} {', '.join(missing)} of a {schema.name} table"
        )
        others = ", ".join(found.names[:COLUMNS_SHOWN])
        received.append(f"columns {others}{', …' * (len(found.names) > COLUMNS_SHOWN)}")
    if expected:
        raise InputError(path, expected=" and ".join(expected), found=" and ".join(received))


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether values of the one type can be read as the other; numbers can be ids, which are strings here."""
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if pa.types.is_list(expected):
        if not any(is_list(found) for is_list in _LISTS):
            return False
        inner, ours = found.value_type, expected.value_type
        return _fits(inner, ours) and pa.types.is_floating(inner) <= pa.types.is_floating(ours)
    integer = pa.types.is_integer(found) and found != pa.uint64()
    if pa.types.is_string(expected):
        return integer or any(is_text(found) for is_text in _TEXTS)
    if pa.types.is_boolean(expected):
        return bool(pa.types.is_boolean(found))
    # pandas stores labels with missing values as floating-point numbers.
    floating = pa.types.is_floating(expected) or expected == pa.int8()
    return integer or (floating and pa.types.is_floating(found))


def _check_values(path: Path, schema: Schema, table: pa.Table, field: pa.Field) -> None:
    column = table[field.name].combine_chunks()
    _refuse_first(path, schema, table, field, _bad(column, field.nullable))
    if pa.types.is_list(field.type):
        elements = pc.list_flatten(column)
        wrong = _bad(elements, field.type.value_field.nullable)
        _refuse_first(path, schema, table, field, pc.list_parent_indices(column).take(wrong))


def _bad(column: pa.Array, nullable: bool) -> pa.Array:
    """The positions of nulls, unless they may be there, and of NaN.

    No Python value is converted to Arrow for it: for the first one, pyarrow imports pandas, which takes longer than
    reading most tables.
    """
    nan = pc.is_nan(column) if pa.types.is_floating(column.type) else None
    if nullable:
        return pa.nulls(0, pa.uint64()) if nan is None else pc.indices_nonzero(nan)
    null = pc.is_null(column)
    return pc.indices_nonzero(null if nan is None else pc.or_kleene(null, nan))


def _refuse_first(
    path: Path, schema: Schema, table: pa.Table, field: pa.Field, bad: pa.Array
) -> None:
    if len(bad):
        index = bad[0].as_py()
        row = table.slice(index, 1).to_pylist()[0]
        raise InputError(
            _place(path, schema, index, row),
            expected=f"{field.name} of type {_type_name(field)}",
            found=shown(row[field.name]),
        )


def _check_keys(path: Path, schema: Schema, table: pa.Table) -> None:
    if _n_distinct(table.select(list(schema.key))) == table.num_rows:
        return
    seen: set[tuple[Any, ...]] = set()
    for index, row in enumerate(table.select(list(schema.key)).to_pylist()):
        key = tuple(row.values())
        if key in seen:
            raise InputError(
                _place(path, schema, index, row), expected="each key once", found="it a second time"
            )
        seen.add(key)


def _n_distinct(table: pa.Table) -> int:
    """How many different rows a table has, with nulls alike; without pyarrow's grouping, which imports pandas."""
    if not table.num_rows:
        return 0
    codes = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        values = np.from_dlpack(column.combine_chunks().dictionary_encode("encode").indices)
        # Numbered anew each time, so that codes stay below the square of the number of rows.
        _, codes = np.unique(codes * (values.max() + 1) + values, return_inverse=True)
    return int(codes.max()) + 1


def _place(path: Path, schema: Schema, index: int, row: Row) -> str:
    key = ", ".join(f"{name} {shown(row.get(name))}" for name in schema.key if name in row)
    return f"{path}, row {index + 1} ({key})"


def _type_name(field: pa.Field) -> str:
    if pa.types.is_list(field.type):
        inner = field.type.value_field
        name = f"list of {inner.type}{' or null' if inner.nullable else ''}"
    else:
        name = str(field.type)
    if pa.types.is_floating(field.type) or (
        pa.types.is_list(field.type) and pa.types.is_floating(field.type.value_type)
    ):
        name += ", not NaN"
    return f"{name} or null" if field.nullable else name
