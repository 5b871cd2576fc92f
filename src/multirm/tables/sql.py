"""Text and paths as DuckDB's SQL writes them, since a view cannot have parameters; and its errors in one line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from multirm.errors import InputError

# What is no fault of a statement. Others are bugs, or somebody's SQL.
_OF_DATA = (
    duckdb.OutOfMemoryException,
    duckdb.InvalidInputException,
    duckdb.IOException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
)

_WILDCARDS = str.maketrans({char: f"[{char}]" for char in "*?["})


def literal(text: str) -> str:
    """A string."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[object]) -> str:
    """A list of strings."""
    return "[" + ", ".join(literal(str(text)) for text in texts) + "]"


def without_wildcards(path: Path) -> str:
    """A path as what reads files takes it, so that it is this file's and no pattern for others' names."""
    return str(path).translate(_WILDCARDS)


@contextmanager
def reading(where: object, *also: type[duckdb.Error]) -> Iterator[None]:
    """Tell of tables that DuckDB cannot read, or not in the memory there is, in one line.

    Args:
        where: the tables.
        also: errors that are the tables' fault as well here.

    Raises:
        InputError: in place of DuckDB's own.
    """
    try:
        yield
    except duckdb.Error as error:
        # Of a footer that makes no sense it knows no better than `Error`.
        if not isinstance(error, (*_OF_DATA, *also)) and type(error) is not duckdb.Error:
            raise
        short = isinstance(error, duckdb.OutOfMemoryException)
        raise InputError(
            where,
            expected="tables that fit into memory" if short else "tables that DuckDB can read",
            found=str(error),
        ) from error
