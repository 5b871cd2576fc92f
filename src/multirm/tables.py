"""The only reader and writer of tables, whose schemas (`schemas.py`) are to be had from here too.

A table is checked when it is written and when it is read: columns and types, nulls and NaN, one row
per key, and what its schema says of a row. Its footer (metadata key `multirm`) records the schema,
and what the table was made of: the code, the parameters and the digests of its inputs.
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.files import whole
from multirm.provenance import Origin
from multirm.schemas import (
    ACCURACY,
    COMPARISONS,
    CRITIQUE_COUNTS,
    CRITIQUES,
    CURVES,
    EXAMPLES,
    LEDGER,
    PAIRS,
    PAIRWISE,
    QUESTIONS,
    RELIABILITY,
    REWARDS,
    SCHEMAS,
    SCORED_CRITIQUES,
    SOLUTIONS,
    STEP_VERIFICATION,
    VARIANCE,
    VERIFICATION,
    Row,
    Schema,
)

__all__ = [
    "ACCURACY",
    "COMPARISONS",
    "CRITIQUES",
    "CRITIQUE_COUNTS",
    "CURVES",
    "EXAMPLES",
    "LEDGER",
    "PAIRS",
    "PAIRWISE",
    "QUESTIONS",
    "RELIABILITY",
    "REWARDS",
    "SCHEMAS",
    "SCORED_CRITIQUES",
    "SOLUTIONS",
    "STEP_VERIFICATION",
    "VARIANCE",
    "VERIFICATION",
    "Footer",
    "Row",
    "Schema",
    "read",
    "read_all",
    "read_footer",
    "write",
]

FOOTER_KEY = b"multirm"


@dataclass(frozen=True)
class Footer(Origin):
    """What a table is, and what it was made of."""

    schema: str
    schema_version: int


_FOOTER = TypeAdapter(Footer)


def write(
    path: Path,
    schema: Schema,
    rows: Sequence[Row] | pa.Table,
    origin: Origin,
) -> None:
    """Check `rows` and write them to `path`, whole or not at all.

    Args:
        origin: of the rows, for the footer.

    Raises:
        InputError: a row does not fit the schema; nothing is written.
    """
    table = rows if isinstance(rows, pa.Table) else _to_arrow(path, schema, rows)
    table = _checked(path, schema, table)
    made_of = (origin.multirm, origin.code, origin.parameters, origin.inputs)
    footer = Footer(*made_of, schema=schema.name, schema_version=schema.version)
    metadata = {FOOTER_KEY: json.dumps(asdict(footer), sort_keys=True).encode()}
    with whole(path) as part:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            part,
            compression="zstd",
            write_page_checksum=True,
        )


def read(path: Path, schema: Schema) -> pa.Table:
    """The table at `path`, checked against `schema`.

    Raises:
        InputError: no such file, not Parquet, cut short, other columns, a row that does not fit, or none
            where the schema needs some.
    """
    table = _open(path, _read_whole)
    _check_kind(path, schema, table.schema)
    table = _checked(path, schema, table.replace_schema_metadata(None))
    _check_some(path, schema, table.num_rows)
    return table


def check_readable(path: Path, schema: Schema, unread: Collection[str] = ()) -> None:
    """Refuse a file whose rows could not be read as those of `schema`, whoever wrote it; values are not looked at.

    Its columns may have other types that hold no more than ours, such as wider integers, and there may
    be others beside them.

    Args:
        unread: columns that may be missing.

    Raises:
        InputError: no such file, not Parquet, cut short, another table, other columns, or no rows.
    """
    metadata = _open(path, lambda file: pq.read_metadata(file))
    found = metadata.schema.to_arrow_schema()
    _check_kind(path, schema, found)
    for field in schema.columns:
        if field.name not in unread:
            _check_column(path, schema, found, field, _fits)
    _check_some(path, schema, metadata.num_rows)


def read_all(paths: Iterable[Path], schema: Schema) -> pa.Table:
    """The tables at `paths`, one after the other; with no paths, an empty table.

    Raises:
        InputError: as `read`, or a key that stands in two of them.
    """
    paths = list(paths)
    table = pa.concat_tables(
        [schema.columns.empty_table(), *(read(path, schema) for path in paths)],
        promote_options="permissive",
    )
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
    """The footer of a table that this package wrote; None where something else wrote it.

    Raises:
        InputError: no such file, or not Parquet.
    """
    return _footer(path, _open(path, lambda file: pq.read_schema(file)))


def _footer(path: Path, schema: pa.Schema) -> Footer | None:
    """What this package wrote into a table's footer, or None where something else wrote the table."""
    written = (schema.metadata or {}).get(FOOTER_KEY)
    if written is None:
        return None
    try:
        return _FOOTER.validate_json(written)
    except ValidationError as error:
        raise InputError(
            path, expected="a footer as multirm writes it", found=shown(written)
        ) from error


def _check_kind(path: Path, schema: Schema, found_schema: pa.Schema) -> None:
    footer = _footer(path, found_schema)
    if footer is not None:
        found = f"{footer.schema} version {footer.schema_version}"
        expected = f"{schema.name} version {schema.version}"
        if found != expected:
            raise InputError(path, expected=f"a table of {expected}", found=found)


def _check_some(path: Path, schema: Schema, n_rows: int) -> None:
    if schema.at_least_one and not n_rows:
        raise InputError(path, expected=f"at least one {schema.at_least_one}", found="none")


def _read_whole(path: Path) -> pa.Table:
    table = pq.read_table(path, page_checksum_verification=True)
    # Texts that are not UTF-8 would only show once somebody looks at them.
    table.validate(full=True)
    return table


def _open(path: Path, reader: Callable[[Path], Any]) -> Any:
    if not path.is_file():
        raise InputError(path, expected="a Parquet table", found="no such file")
    try:
        return reader(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            path,
            expected="a whole Parquet table",
            found=next(iter(str(error).splitlines()), type(error).__name__),
            remedy="delete it and make it again",
        ) from error


def _to_arrow(path: Path, schema: Schema, rows: Sequence[Row]) -> pa.Table:
    """Rows to Arrow; where that fails, look for the first row and column that does not fit."""
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


def _checked(path: Path, schema: Schema, table: pa.Table) -> pa.Table:
    _check_columns(path, schema, table.schema)
    columns = _as_wide(schema.columns, table.schema)
    table = table.select(columns.names).cast(_nullable(columns))
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
    """The columns with float64 for float32 where that is found: numbers from elsewhere keep their digits."""
    wide = []
    for field in columns:
        type_ = found.field(field.name).type
        if pa.types.is_list(field.type):
            element = field.type.value_field
            type_ = pa.list_(element.with_type(type_.value_type))
        wide.append(field.with_type(type_))
    return pa.schema(wide)


def _nullable(columns: pa.Schema) -> pa.Schema:
    """The columns with nulls admitted everywhere, to hold rows until they have been checked."""
    return pa.schema(
        pa.field(
            field.name,
            pa.list_(pa.field("element", field.type.value_type))
            if pa.types.is_list(field.type)
            else field.type,
        )
        for field in columns
    )


def _check_columns(path: Path, schema: Schema, found: pa.Schema) -> None:
    for field in schema.columns:
        _check_column(path, schema, found, field, _same_type)
    extra = sorted(set(found.names) - set(schema.columns.names))
    if extra:
        raise InputError(
            path, expected=f"the columns of a {schema.name} table", found=f"also {', '.join(extra)}"
        )


def _check_column(
    path: Path,
    schema: Schema,
    found: pa.Schema,
    field: pa.Field,
    admitted: Callable[[pa.DataType, pa.DataType], bool],
) -> None:
    if field.name not in found.names:
        raise InputError(
            path,
            expected=f"column {field.name} of a {schema.name} table",
            found=f"columns {', '.join(found.names)}",
        )
    type_found = found.field(field.name).type
    if not admitted(type_found, field.type):
        raise InputError(
            path, expected=f"{field.name} of type {_type_name(field)}", found=str(type_found)
        )


def _fits(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether values of the one type can be read as the other; numbers may be ids, which are texts here."""
    if pa.types.is_null(found):
        return True
    if pa.types.is_list(expected):
        if not (pa.types.is_list(found) or pa.types.is_large_list(found)):
            return False
        inner, ours = found.value_type, expected.value_type
        return _fits(inner, ours) and pa.types.is_floating(inner) <= pa.types.is_floating(ours)
    if pa.types.is_dictionary(found):
        found = found.value_type
    integer = pa.types.is_integer(found) and found != pa.uint64()
    if pa.types.is_string(expected):
        return integer or pa.types.is_string(found) or pa.types.is_large_string(found)
    if pa.types.is_boolean(expected):
        return bool(pa.types.is_boolean(found))
    # Labels with some missing are floating-point numbers to pandas.
    floating = pa.types.is_floating(expected) or expected == pa.int8()
    return integer or (floating and pa.types.is_floating(found))


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Equal types, whatever a list calls its elements and whether they may be null (values are checked).

    What is float32 here may be float64.
    """
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and _same_type(found.value_type, expected.value_type)
    return bool(found == expected or (found == pa.float64() and expected == pa.float32()))


def _check_values(path: Path, schema: Schema, table: pa.Table, field: pa.Field) -> None:
    column = table[field.name].combine_chunks()
    bad = None if field.nullable else pc.is_null(column)
    if pa.types.is_floating(field.type):
        nan = pc.fill_null(pc.is_nan(column), False)
        bad = nan if bad is None else pc.or_(bad, nan)
    _refuse_first(path, schema, table, field, bad)
    if pa.types.is_list(field.type):
        elements = pc.list_flatten(column)
        wrong = pc.is_null(elements)
        if field.type.value_field.nullable:
            wrong = pc.and_(wrong, False)
        if pa.types.is_floating(elements.type):
            wrong = pc.or_(wrong, pc.fill_null(pc.is_nan(elements), False))
        parents = pc.filter(pc.list_parent_indices(column), wrong)
        if len(parents):
            index = parents[0].as_py()
            row = table.slice(index, 1).to_pylist()[0]
            raise InputError(
                _place(path, schema, index, row),
                expected=f"{field.name} of type {_type_name(field)}",
                found=shown(row[field.name]),
            )


def _refuse_first(
    path: Path, schema: Schema, table: pa.Table, field: pa.Field, bad: pa.Array | None
) -> None:
    index = -1 if bad is None else pc.index(bad, True).as_py()
    if index >= 0:
        row = table.slice(index, 1).to_pylist()[0]
        raise InputError(
            _place(path, schema, index, row),
            expected=f"{field.name} of type {_type_name(field)}",
            found=shown(row[field.name]),
        )


def _check_keys(path: Path, schema: Schema, table: pa.Table) -> None:
    counts = (
        table.select(list(schema.key)).group_by(list(schema.key)).aggregate([([], "count_all")])
    )
    if counts.num_rows == table.num_rows:
        return
    seen: set[tuple[Any, ...]] = set()
    for index, row in enumerate(table.select(list(schema.key)).to_pylist()):
        key = tuple(row.values())
        if key in seen:
            raise InputError(
                _place(path, schema, index, row), expected="each key once", found="it a second time"
            )
        seen.add(key)


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
