"""The schema of every Parquet table, and their only reader and writer.

A table is checked when it is written and when it is read: columns and types, nulls and NaN, one row
per key, and what its schema says of a row. Its footer (metadata key `multirm`) records the schema,
the package's version, the parameters that made it and the digests of its inputs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from multirm.errors import InputError, shown
from multirm.files import digest, whole
from multirm.labels import option_letters
from multirm.version import VERSION

FOOTER_KEY = b"multirm"

Row = Mapping[str, Any]
RowCheck = Callable[[Row], tuple[str, str] | None]


@dataclass(frozen=True)
class Schema:
    """What a table holds.

    Attributes:
        name: also the name of its view in `multirm query`.
        version: rises when columns change meaning.
        columns: names, types and nullability.
        key: the columns whose values no two rows share.
        check_row: says of one row what was expected and what was found where it is wrong.
    """

    name: str
    version: int
    columns: pa.Schema
    key: tuple[str, ...]
    check_row: RowCheck = lambda row: None


@dataclass(frozen=True)
class Footer:
    """Where a table came from. Inputs map file names, as they were given, to SHA-256 digests."""

    schema: str
    schema_version: int
    multirm: str
    parameters: dict[str, Any]
    inputs: dict[str, str]


def _column(name: str, type_: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


def _list(type_: pa.DataType, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("element", type_, nullable=nullable))


_QUESTION_KEY = [_column(name, pa.string()) for name in ("dataset", "category", "question_id")]
_SOLUTION_KEY = [*_QUESTION_KEY, _column("solution_id", pa.int32())]


def _check_solution(row: Row) -> tuple[str, str] | None:
    steps, labels = row["steps"], row["step_labels"]
    if not steps:
        return "at least one step", "none"
    if any(not step.strip() for step in steps):
        return (
            "steps with text",
            f"an empty one at position {[bool(s.strip()) for s in steps].index(False)}",
        )
    if labels is not None and len(labels) != len(steps):
        return "a label for each step", f"{len(labels)} labels and {len(steps)} steps"
    if labels is not None and not set(labels) <= {0, 1}:
        return "step labels 0 or 1", shown(labels)
    if row["outcome"] not in (None, 0, 1):
        return "outcome 0, 1 or null", shown(row["outcome"])
    return None


def _check_question(row: Row) -> tuple[str, str] | None:
    if not row["question"].strip():
        return "a question with text", "an empty one"
    if row["options"] is not None:
        letters = option_letters(len(row["options"]))
        if not letters:
            return "at least one option, or null", "none"
        if row["answer"] not in letters:
            return f"an answer among the options {letters[0]}-{letters[-1]}", shown(row["answer"])
    return None


def _check_critique(row: Row) -> tuple[str, str] | None:
    if row["verdict"] not in (None, 0, 1):
        return "verdict 0, 1 or null", shown(row["verdict"])
    if row["kept"] and row["reason"] is not None:
        return "no reason on a kept critique", shown(row["reason"])
    return None


QUESTIONS = Schema(
    "questions",
    1,
    pa.schema(
        [
            *_QUESTION_KEY,
            _column("question", pa.string()),
            _column("options", _list(pa.string()), nullable=True),
            _column("answer", pa.string()),
        ]
    ),
    ("dataset", "category", "question_id"),
    _check_question,
)

SOLUTIONS = Schema(
    "solutions",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("question", pa.string()),
            _column("answer", pa.string(), nullable=True),
            _column("steps", _list(pa.string())),
            _column("parsed_answer", pa.string(), nullable=True),
            _column("outcome", pa.int8(), nullable=True),
            _column("step_labels", _list(pa.int8()), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id"),
    _check_solution,
)

CRITIQUES = Schema(
    "critiques",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("critique_id", pa.int32()),
            _column("critique", pa.string()),
            _column("verdict", pa.int8(), nullable=True),
            _column("step_verdicts", _list(pa.int8()), nullable=True),
            # Of prompt and critique, by the tokenizer that wrote it; null where none did.
            _column("n_tokens", pa.int32(), nullable=True),
            _column("truncated", pa.bool_()),
            _column("kept", pa.bool_()),
            _column("reason", pa.string(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "critique_id"),
    _check_critique,
)

REWARDS = Schema(
    "rewards",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("model", pa.string()),
            _column("rewards", _list(pa.float32(), nullable=True)),
            _column("n_tokens", pa.int32(), nullable=True),
            _column("truncated", pa.bool_(), nullable=True),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model"),
)

SCORED_CRITIQUES = Schema(
    "scored_critiques",
    1,
    pa.schema(
        [
            *_SOLUTION_KEY,
            _column("model", pa.string()),
            _column("critique_id", pa.int32()),
            _column("critique", pa.string()),
            _column("reward", pa.float32(), nullable=True),
            _column("n_tokens", pa.int32()),
            _column("truncated", pa.bool_()),
        ]
    ),
    ("dataset", "category", "question_id", "solution_id", "model", "critique_id"),
)

CURVES = Schema(
    "curves",
    1,
    pa.schema(
        [
            _column("model", pa.string()),
            _column("step", pa.int32()),
            _column("epoch", pa.float64()),
            _column("loss", pa.float64()),
            _column("learning_rate", pa.float64()),
        ]
    ),
    ("model", "step"),
)

EXAMPLES = Schema(
    "examples",
    1,
    pa.schema(
        [
            _column("model", pa.string()),
            _column("category", pa.string()),
            _column("n_used", pa.int32()),
            _column("n_positive", pa.int32()),
            _column("n_too_long", pa.int32()),
            _column("n_unlabelled", pa.int32()),
        ]
    ),
    ("model", "category"),
)

ACCURACY = Schema(
    "accuracy",
    1,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("selection", pa.string()),
            _column("model", pa.string(), nullable=True),
            _column("aggregation", pa.string(), nullable=True),
            _column("n", pa.int32()),
            _column("accuracy_mean", pa.float64()),
            _column("accuracy_std", pa.float64()),
            _column("exact", pa.float64(), nullable=True),
            _column("runs", pa.int32()),
            _column("n_questions", pa.int32()),
        ]
    ),
    ("dataset", "category", "selection", "model", "aggregation", "n"),
)

LEDGER = Schema(
    "ledger",
    1,
    pa.schema(
        [
            _column("dataset", pa.string()),
            _column("category", pa.string()),
            _column("model", pa.string()),
            _column("n_questions", pa.int32()),
            _column("n_solutions", pa.int32()),
            _column("n_unanswered", pa.int32()),
            _column("n_unscored", pa.int32()),
            _column("n_null_rewards", pa.int32()),
            _column("n_truncated", pa.int32(), nullable=True),
        ]
    ),
    ("dataset", "category", "model"),
)

SCHEMAS = {
    schema.name: schema
    for schema in (
        QUESTIONS,
        SOLUTIONS,
        CRITIQUES,
        REWARDS,
        SCORED_CRITIQUES,
        CURVES,
        EXAMPLES,
        ACCURACY,
        LEDGER,
    )
}


def write(
    path: Path,
    schema: Schema,
    rows: Sequence[Row] | pa.Table,
    *,
    parameters: Mapping[str, Any],
    inputs: Iterable[Path],
) -> None:
    """Check `rows` and write them to `path`, whole or not at all.

    Args:
        parameters: what made the rows, apart from the inputs; must be JSON, and hold no secret.
        inputs: the files and folders that were read.

    Raises:
        InputError: a row does not fit the schema; nothing is written.
    """
    table = rows if isinstance(rows, pa.Table) else _to_arrow(path, schema, rows)
    table = _checked(path, schema, table)
    footer = {
        "schema": schema.name,
        "schema_version": schema.version,
        "multirm": VERSION,
        "parameters": dict(parameters),
        "inputs": {str(file): digest(file) for file in inputs},
    }
    metadata = {FOOTER_KEY: json.dumps(footer, sort_keys=True, default=str).encode()}
    with whole(path) as part:
        pq.write_table(table.replace_schema_metadata(metadata), part, compression="zstd")


def read(path: Path, schema: Schema) -> pa.Table:
    """The table at `path`, checked against `schema`.

    Raises:
        InputError: no such file, not Parquet, cut short, other columns, or a row that does not fit.
    """
    table = _open(path, lambda file: pq.read_table(file))
    written = (table.schema.metadata or {}).get(FOOTER_KEY)
    if written is not None:
        footer = json.loads(written)
        found = f"{footer['schema']} version {footer['schema_version']}"
        expected = f"{schema.name} version {schema.version}"
        if found != expected:
            raise InputError(path, expected=f"a table of {expected}", found=found)
    return _checked(path, schema, table.replace_schema_metadata(None))


def read_all(paths: Iterable[Path], schema: Schema) -> pa.Table:
    """The tables at `paths`, one after the other; with no paths, an empty table."""
    return pa.concat_tables([schema.columns.empty_table(), *(read(path, schema) for path in paths)])


def read_footer(path: Path) -> Footer:
    """The footer of a table that this package wrote.

    Raises:
        InputError: no such file, not Parquet, or written by something else.
    """
    metadata = _open(path, lambda file: pq.read_schema(file)).metadata or {}
    if FOOTER_KEY not in metadata:
        raise InputError(
            path, expected="a table written by multirm", found="one without its footer"
        )
    return Footer(**json.loads(metadata[FOOTER_KEY]))


def _open(path: Path, reader: Callable[[Path], Any]) -> Any:
    if not path.is_file():
        raise InputError(path, expected="a Parquet table", found="no such file")
    try:
        return reader(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            path,
            expected="a whole Parquet table",
            found=str(error).splitlines()[0],
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
    table = table.select(schema.columns.names).cast(_nullable(schema.columns))
    for field in schema.columns:
        _check_values(path, schema, table, field)
    _check_keys(path, schema, table)
    if schema.check_row is not Schema.check_row:
        for index, row in enumerate(table.to_pylist()):
            problem = schema.check_row(row)
            if problem:
                expected, found = problem
                raise InputError(_place(path, schema, index, row), expected=expected, found=found)
    return table.cast(schema.columns)


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
        if field.name not in found.names:
            raise InputError(
                path,
                expected=f"column {field.name} of a {schema.name} table",
                found=f"columns {', '.join(found.names)}",
            )
        type_found = found.field(field.name).type
        if not _same_type(type_found, field.type):
            raise InputError(
                path, expected=f"{field.name} of type {_type_name(field)}", found=str(type_found)
            )
    extra = sorted(set(found.names) - set(schema.columns.names))
    if extra:
        raise InputError(
            path, expected=f"the columns of a {schema.name} table", found=f"also {', '.join(extra)}"
        )


def _same_type(found: pa.DataType, expected: pa.DataType) -> bool:
    """Equal types, whatever a list calls its elements and whether they may be null (values are checked)."""
    if pa.types.is_list(expected):
        return pa.types.is_list(found) and found.value_type == expected.value_type
    return bool(found == expected)


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
