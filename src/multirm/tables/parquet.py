"""The only reader and writer of tables.

A table is checked when it is written and when it is read: page checksums, columns and types, nulls and NaN, one row
per key, and its schema's check of each row. Its footer (metadata key `multirm`) records the schema and the table's
origin: the code, the parameters and the digests of the inputs.

Tables that other programs wrote, such as pandas and polars, may have the same values in wider types, and further
columns.
"""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.running.files import whole, whole_together
from multirm.running.memory import usable_memory
from multirm.running.provenance import Origin
from multirm.tables.checking import Batch, check_columns, check_keys, checked, to_arrow
from multirm.tables.schema import Row, Schema

FOOTER_KEY = b"multirm"

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 2**20


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
    to_write = [(path, _to_write(path, schema, rows, origin)) for path, schema, rows in made]
    texts = texts or {}
    with whole_together([*(path for path, _ in to_write), *texts]) as parts:
        for part, (_, table) in zip(parts, to_write, strict=False):
            pq.write_table(table, part, compression="zstd", write_page_checksum=True)
        for part, text in zip(parts[len(to_write) :], texts.values(), strict=True):
            part.write_text(text, encoding="utf-8")


def as_table(schema: Schema, rows: Sequence[Row]) -> pa.Table:
    """Rows as the table that `write` would write, checked, without a footer.

    Raises:
        InputError: a row does not fit the schema.
    """
    batch = Batch(Path(schema.name), schema)
    return checked(batch, to_arrow(batch, rows), ours=True)


def read(path: Path, schema: Schema) -> pa.Table:
    """The table at `path`, checked against `schema`, with its columns in the schema's types.

    A table that other programs wrote may have other types that hold the same values, such as wider integers; its
    columns outside the schema are left out.

    Raises:
        InputError: no such file, not Parquet, damaged, truncated, too large for the memory, missing columns,
            a row that does not fit, or no rows where the schema requires some.
    """
    table = _open(path, _read_whole)
    table = _as_ours(Batch(path, schema), table, _check_kind(path, schema, table.schema))
    _check_some(path, schema, table.num_rows)
    return table


def read_groups(path: Path, schema: Schema, group: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table, some at a time: like `read`, for tables that do not fit into the memory.

    Args:
        group: the first columns of the schema's key; rows that have the same values there come together.

    Raises:
        InputError: as for `read`, once the row is reached, or rows of one group stand apart.
    """
    footer = _check_kind(path, schema, _open(path, lambda file: pq.read_schema(file)))
    n_before, seen = 0, set[tuple[Any, ...]]()
    key, waiting = None, list[dict[str, Any]]()
    batches = _batches(path)
    while (found := _open(path, lambda _: next(batches, None))) is not None:
        batch = Batch(path, schema, n_before)
        table = _as_ours(batch, pa.Table.from_batches([found]), footer)
        for index, row in enumerate(table.to_pylist()):
            own = tuple(row[name] for name in group)
            if own != key:
                if waiting:
                    yield waiting
                key, waiting = own, []
                if own in seen:
                    raise InputError(
                        batch.place(index, row),
                        expected=f"rows with the same {group[-1]} one after the other",
                        found="others between them",
                        remedy="sort the table by its key",
                    )
                seen.add(own)
            waiting.append(row)
        n_before += table.num_rows
    if waiting:
        yield waiting
    _check_some(path, schema, n_before)


@contextmanager
def writing(
    path: Path, schema: Schema, origin: Origin
) -> Iterator[Callable[[Sequence[Row] | pa.Table], None]]:
    """Write a table in batches: like `write`, for tables that do not fit into the memory.

    Yields:
        a function that checks rows and adds them. That keys are unique is checked within what it is given.

    Raises:
        InputError: a row does not fit the schema; nothing is written.
    """
    n_before = 0
    with whole(path) as part:
        columns = schema.columns.with_metadata(_metadata(schema, origin))
        with pq.ParquetWriter(part, columns, compression="zstd", write_page_checksum=True) as file:

            def add(rows: Sequence[Row] | pa.Table) -> None:
                nonlocal n_before
                batch = Batch(path, schema, n_before)
                table = rows if isinstance(rows, pa.Table) else to_arrow(batch, rows)
                file.write_table(checked(batch, table, ours=True).cast(schema.columns))
                n_before += table.num_rows

            yield add


def count_rows(path: Path) -> int:
    """The number of a table's rows, from its footer.

    Raises:
        InputError: no such file, or not Parquet.
    """
    n_rows: int = _open(path, lambda file: pq.read_metadata(file)).num_rows
    return n_rows


def read_extra(path: Path, column: str) -> list[Any]:
    """The values of a column that `read` leaves out, such as one of an earlier version; nulls if there is none.

    Raises:
        InputError: no such file, not Parquet, or damaged.
    """
    if column not in _open(path, lambda file: pq.read_schema(file)).names:
        return [None] * count_rows(path)
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
    check_columns(path, schema, found, wanted)
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
        check_columns(path, schema, found, wanted)
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
    check_keys(Batch(Path(" + ".join(map(str, paths))), schema), table)
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
    batch = Batch(path, schema)
    table = rows if isinstance(rows, pa.Table) else to_arrow(batch, rows)
    table = checked(batch, table, ours=True)
    return table.replace_schema_metadata(_metadata(schema, origin))


def _metadata(schema: Schema, origin: Origin) -> dict[bytes, bytes]:
    made_of = (origin.multirm, origin.code, origin.parameters, origin.inputs)
    footer = Footer(*made_of, schema=schema.name, schema_version=schema.version)
    return {FOOTER_KEY: json.dumps(asdict(footer), sort_keys=True).encode()}


def _as_ours(batch: Batch, table: pa.Table, footer: Footer | None) -> pa.Table:
    """Rows as they were found in a file, in this version's columns and types, checked."""
    if footer is None:
        table = _with_nulls(batch.schema, table, batch.schema.optional)
    elif footer.schema_version != batch.schema.version:
        table = _renewed(batch.path, batch.schema, table, footer.schema_version)
    return checked(batch, table, ours=footer is not None)


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
    batches, size, most = [], 0, usable_memory() // 2
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
