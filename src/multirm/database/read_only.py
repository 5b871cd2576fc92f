"""Which SQL statements only read: no other ones are run, because tables are opened in place."""

import re
from contextlib import suppress
from itertools import pairwise

import duckdb

from multirm.errors import InputError

_EXPLAIN = re.compile(
    r"^\s*explain\b\s*(analy[sz]e\b)?\s*(\(\s*(format|analy[sz]e)\b[^()]*\))?", re.IGNORECASE
)


def only_reading(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[duckdb.Statement, str]:
    """The single statement, and the SQL that it reads with: itself, or the statement it explains.

    `EXPLAIN ANALYZE` runs what it explains, which may be any statement.

    Raises:
        InputError: no statement, several, or one that does more than read.
    """
    statements = database.extract_statements(sql)
    plain = _without_comments(sql)
    reading = _EXPLAIN.sub("", plain)
    read = database.extract_statements(reading)
    if len(statements) != 1 or len(read) != 1 or not _only_reads(database, read[0], reading):
        found = ", ".join(statement.type.name for statement in statements) or "no statement"
        if [statement.type for statement in read] == [duckdb.StatementType.SELECT]:
            found += ' with COPY; a name is written in quotes, "copy"'
        if reading != plain:
            found += f" of {', '.join(each.type.name for each in read) or 'nothing'}"
        raise InputError(
            "query", expected="one statement that only reads, such as SELECT", found=found
        )
    return statements[0], reading


def _only_reads(database: duckdb.DuckDBPyConnection, read: duckdb.Statement, reading: str) -> bool:
    """Whether a statement is a query.

    `WITH t AS (COPY …)` is one for DuckDB, although it writes a file, which may be one of our tables.
    """
    tokens = duckdb.tokenize(reading)
    text = reading.encode()
    writes = any(
        kind == duckdb.token_type.keyword and text[start : start + 4].lower() == b"copy"
        for start, kind in tokens
    )
    if read.type == duckdb.StatementType.SELECT:
        return not writes
    if read.type != duckdb.StatementType.MULTI:
        return False
    # PIVOT is several statements for DuckDB: it looks for the names of columns first. So are statements that write
    # what PIVOT gives, but only a query can be a subquery.
    with suppress(duckdb.Error):
        return not writes and bool(database.extract_statements(f"FROM ({reading.rstrip('; ')}\n)"))
    return False


def _without_comments(sql: str) -> str:
    text = sql.encode()
    tokens = [*duckdb.tokenize(sql), (len(text), None)]
    plain = b" ".join(
        text[start:end]
        for (start, kind), (end, _) in pairwise(tokens)
        if kind != duckdb.token_type.comment
    )
    return plain.decode()
