"""Strings and paths as SQL literals for DuckDB, whose views cannot have parameters; and its errors in one line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from multirm.errors import InputError

# Errors in the data. Others are bugs, or errors in somebody's SQL.
_OF_DATA = (
    duckdb.OutOfMemoryException,
    duckdb.InvalidInputException,
    duckdb.IOException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
)

_WILDCARDS = str.maketrans({char: f"[{char}]" for char in "*?["})


_TYPES = {
    pa.string(): "VARCHAR",
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
}


def literal(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[object]) -> str:
    """A list of string literals."""
    return "[" + ", ".join(literal(str(text)) for text in texts) + "]"


def without_wildcards(path: Path) -> str:
    """A path in which `*`, `?` and `[` are escaped, so that DuckDB does not take it for a glob pattern."""
    return str(path).translate(_WILDCARDS)


def sql_type(type_: pa.DataType) -> str:
    """The type of a column in DuckDB."""
    if pa.types.is_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    return _TYPES[type_]


@contextmanager
def reading(where: object, *also: type[duckdb.Error]) -> Iterator[None]:
    """Report tables that DuckDB cannot read, or not in the available memory, in one line.

    Args:
        where: the tables.
        also: further errors that are due to the tables here.

    Raises:
        InputError: instead of DuckDB's own error.
    """
    try:
        yield
    except duckdb.Error as error:
        # DuckDB raises a plain `Error` for a footer that it cannot interpret.
        if not isinstance(error, (*_OF_DATA, *also)) and type(error) is not duckdb.Error:
            raise
        short = isinstance(error, duckdb.OutOfMemoryException)
        raise InputError(
            where,
            expected="tables that fit into memory" if short else "tables that DuckDB can read",
            found=str(error),
        ) from error


def graded_answer(parsed: str) -> str:
    """SQL for a solution's answer where its outcome label says whether it is correct (`AnswerRule.GRADED`).

    Answers with different labels are different ones, and a solution without a parsed answer is an answer of its own: so
    all solutions with the same answer are correct, or none is.

    Args:
        parsed: SQL for the parsed answer, in a spelling that equal answers share.
    """
    return f"coalesce({parsed} || chr(31) || outcome, chr(31) || solution_id)"
