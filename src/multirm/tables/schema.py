"""What any table declares: its columns, their types, its key, and what must be true of a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa

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
        at_least_one: what a table without rows lacks, where reading one is refused.
        older: the earlier versions that are read as well, each with the columns that it lacks: they are null.
        optional: the columns that others' tables may lack: they are null, too.
    """

    name: str
    version: int
    columns: pa.Schema
    key: tuple[str, ...]
    check_row: RowCheck = lambda row: None
    at_least_one: str = ""
    older: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    optional: tuple[str, ...] = ()

    def reads(self, version: int) -> bool:
        """Whether tables of a version are read."""
        return version == self.version or version in self.older


def column(name: str, type_: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


def list_of(type_: pa.DataType, nullable: bool = False) -> pa.DataType:
    return pa.list_(pa.field("element", type_, nullable=nullable))


def is_refused(value: Callable[[], StrEnum]) -> bool:
    """Whether a closed set does not have a value: asked so that no other member of it matters."""
    try:
        value()
    except ValueError:
        return True
    return False
