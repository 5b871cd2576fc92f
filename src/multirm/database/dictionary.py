"""What each column of each view means: the column dictionary, as a view and for the documentation."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa
import yaml

from multirm.database.derived import VIEWS
from multirm.tables.registry import SCHEMAS
from multirm.tables.schema import Schema
from multirm.tables.views import view_columns

NAME = "columns"
"""The name of the dictionary's own view."""

_ENDS = {"_low": "lower", "_high": "upper"}

# The C implementation is ten times as fast, but not everywhere.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Column:
    """A column of a view.

    Attributes:
        view: the view.
        column: its name.
        type: its type in SQL; empty if it is not known before the view is created.
        nullable: whether it may be null.
        meaning: a sentence, without the full stop.
    """

    view: str
    column: str
    type: str
    nullable: bool
    meaning: str


def about(view: str) -> str:
    """What one row of a view is."""
    if view == NAME:
        return "a column of a view"
    return VIEWS[view].about if view in VIEWS else str(_written()["tables"][view]["about"])


def columns_of(view: str) -> list[Column]:
    """The columns of a view of a table, or of one that answers natural questions.

    Raises:
        KeyError: there is no such view, or nothing is written about one of its columns.
    """
    if view in VIEWS:
        # Whether it can be null is part of what is written about it.
        return [
            Column(view, name, "", "null" in meaning, meaning)
            for name, meaning in VIEWS[view].columns.items()
        ]
    return list(_of_table(SCHEMAS[view]))


def define_dictionary(database: duckdb.DuckDBPyConnection, views: Collection[str]) -> None:
    """Create the view of all columns of some views of a database, in this order."""
    rows = []
    for view in views:
        types = {name: type_ for name, type_, *_ in database.execute(f"DESCRIBE {view}").fetchall()}
        for each in columns_of(view):
            row = (view, each.column, types[each.column], each.nullable, each.meaning)
            rows.append(dict(zip(_COLUMNS.names, row, strict=True)))
    database.register("dictionary", pa.Table.from_pylist(rows, schema=_COLUMNS))
    database.execute(f"CREATE TABLE {NAME} AS FROM dictionary")
    database.unregister("dictionary")


_COLUMNS = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("view", "column", "type")),
        pa.field("nullable", pa.bool_()),
        pa.field("meaning", pa.string()),
    ]
)


def _of_table(schema: Schema) -> Iterator[Column]:
    nullable = {field.name: field.nullable for field in schema.columns}
    for name, type_ in view_columns(schema).items():
        # What footers tell is not known of every file.
        may_be_null = nullable.get(name, name != "file")
        meaning = _meaning(schema, name)
        if may_be_null and "null" not in meaning:
            meaning += "; null if undefined or unknown"
        yield Column(schema.name, name, type_, may_be_null, meaning)


def _meaning(schema: Schema, name: str) -> str:
    written = _written()
    own, common = written["tables"][schema.name]["columns"], written["common"]
    if name in own:
        return str(own[name])
    for end, side in _ENDS.items():
        if name.removesuffix(end) in {*schema.columns.names} - {name}:
            return f"the {side} end of the 95 % interval of `{name.removesuffix(end)}`"
    return str(common[name])


@cache
def _written() -> Mapping[str, Any]:
    """The content of `columns.yaml`."""
    text = resources.files("multirm.tables").joinpath("columns.yaml").read_text("utf-8")
    found: Mapping[str, Any] = yaml.load(text, Loader=_Loader)
    return found
