"""What each table declares: its columns, their types, its key, and its check of a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Row = Mapping[str, Any]


RowCheck = Callable[[Row], tuple[str, str] | None]


@dataclass(frozen=True)
class Schema:
    """What a table holds.

    Attributes:
        name: also the name of its view in `multirm query`.
        version: incremented when columns change meaning.
        columns: names, types and nullability.
        key: the columns whose values are unique to a row.
        check_row: if a row is wrong, returns what was expected and what was found.
        at_least_one: what a table without rows lacks, if reading one is refused.
        older: earlier versions that are read as well, each with the columns that it lacks, which become null.
        renewed: gives a table of an earlier version the columns of this one, but for those that it lacks.
        optional: columns that tables of other programs may lack, which become null, too.
    """

    name: str
    version: int
    columns: pa.Schema
    key: tuple[str, ...]
    check_row: RowCheck = lambda row: None
    at_least_one: str = ""
    older: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    renewed: Callable[[pa.Table], pa.Table] = lambda table: table
    optional: tuple[str, ...] = ()

    def reads(self, version: int) -> bool:
        """Whether tables of this version can be read."""
        return version == self.version or version in self.older


@dataclass(frozen=True)
class Renewal:
    """Gives a table of an earlier version new names for columns that mean the same.

    Attributes:
        names: the earlier names, with the new ones.
        filled: by the new name of a column, what its nulls meant.
    """

    names: Mapping[str, str]
    filled: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, table: pa.Table) -> pa.Table:
        table = table.rename_columns([self.names.get(name, name) for name in table.column_names])
        for name, meant in self.filled.items():
            place = table.schema.get_field_index(name)
            values = pc.fill_null(table[name], meant)
            table = table.set_column(place, table.schema.field(place), values)
        return table


def ends_of(name: str) -> Renewal:
    """For tables that called the ends of the interval of `name` low and high."""
    return Renewal({"low": f"{name}_low", "high": f"{name}_high"})


def column(name: str, type_: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


def list_of(type_: pa.DataType, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("element", type_, nullable=nullable))


def is_refused(value: Callable[[], StrEnum]) -> bool:
    """Whether a value is outside its closed set; a job that asks this does not depend on the set's other members."""
    try:
        value()
    except ValueError:
        return True
    return False
