"""The checks that the rows of a table pass when it is written and when it is read.

Tables that other programs wrote, such as pandas and polars, may have the same values in wider types, and further
columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.errors import InputError, shown
from multirm.tables.schema import Row, Schema

COLUMNS_SHOWN = 20

_LISTS = (
    pa.types.is_list,
    pa.types.is_large_list,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    pa.types.is_fixed_size_list,
)
_TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


@dataclass(frozen=True)
class Batch:
    """Rows of a table, which are checked together.

    Attributes:
        path, schema: of the table.
        n_before: how many rows stand before them.
    """

    path: Path
    schema: Schema
    n_before: int = 0

    def place(self, index: int, row: Row) -> str:
        """Where a row is: the file, the row's number from 1, and its key.

        Args:
            index: position of the row in the batch.
        """
        named = (name for name in self.schema.key if name in row)
        key = ", ".join(f"{name} {shown(row.get(name))}" for name in named)
        return f"{self.path}, row {self.n_before + index + 1} ({key})"


def to_arrow(batch: Batch, rows: Sequence[Row]) -> pa.Table:
    """Convert rows to Arrow; on failure, find the first row and column that does not fit."""
    try:
        return pa.Table.from_pylist(list(rows), schema=_nullable(batch.schema.columns))
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        for index, row in enumerate(rows):
            for field in batch.schema.columns:
                try:
                    pa.array([row.get(field.name)], type=field.type)
                except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                    raise InputError(
                        batch.place(index, row),
                        expected=f"{field.name} of type {_type_name(field)}",
                        found=shown(row.get(field.name)),
                    ) from error
        raise


def checked(batch: Batch, table: pa.Table, ours: bool) -> pa.Table:
    """The table in the schema's types, without further columns of other programs."""
    check_columns(batch.path, batch.schema, table.schema, batch.schema.columns)
    extra = sorted(set(table.schema.names) - set(batch.schema.columns.names))
    if extra and ours:
        raise InputError(
            batch.path,
            expected=f"the columns of a {batch.schema.name} table",
            found=f"also {', '.join(extra)}",
        )
    columns = _as_wide(batch.schema.columns, table.schema)
    table = _in_our_types(batch, table, _nullable(columns))
    for field in batch.schema.columns:
        _check_values(batch, table, field)
    check_keys(batch, table)
    if batch.schema.check_row is not Schema.check_row:
        for index, row in enumerate(table.to_pylist()):
            problem = batch.schema.check_row(row)
            if problem:
                expected, found = problem
                raise InputError(batch.place(index, row), expected=expected, found=found)
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


def _in_our_types(batch: Batch, table: pa.Table, columns: pa.Schema) -> pa.Table:
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
                batch.place(index, row),
                expected=f"{field.name} of type {_type_name(batch.schema.columns.field(field.name))}",
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


def check_columns(path: Path, schema: Schema, found: pa.Schema, wanted: Iterable[pa.Field]) -> None:
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


def _check_values(batch: Batch, table: pa.Table, field: pa.Field) -> None:
    column = table[field.name].combine_chunks()
    _refuse_first(batch, table, field, _bad(column, field.nullable))
    if pa.types.is_list(field.type):
        elements = pc.list_flatten(column)
        wrong = _bad(elements, field.type.value_field.nullable)
        _refuse_first(batch, table, field, pc.list_parent_indices(column).take(wrong))


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


def _refuse_first(batch: Batch, table: pa.Table, field: pa.Field, bad: pa.Array) -> None:
    if len(bad):
        index = bad[0].as_py()
        row = table.slice(index, 1).to_pylist()[0]
        raise InputError(
            batch.place(index, row),
            expected=f"{field.name} of type {_type_name(field)}",
            found=shown(row[field.name]),
        )


def check_keys(batch: Batch, table: pa.Table) -> None:
    if _n_distinct(table.select(list(batch.schema.key))) == table.num_rows:
        return
    seen: set[tuple[Any, ...]] = set()
    for index, row in enumerate(table.select(list(batch.schema.key)).to_pylist()):
        key = tuple(row.values())
        if key in seen:
            raise InputError(
                batch.place(index, row),
                expected="each key once",
                found="it a second time",
                remedy="leave one of the two out",
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
