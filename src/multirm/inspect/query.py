"""SQL over all tables below a folder, read in place by DuckDB and never modified."""

import csv
import os
import re
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import duckdb

from multirm.database.derived import read_by
from multirm.database.opening import open_database
from multirm.errors import InputError
from multirm.running.arguments import entry
from multirm.tables import parquet
from multirm.tables.views import find_tables

# DuckDB would elide wider columns and further rows from a terminal's table.
EVERYTHING = 10**9
ROWS_AT_ONCE = 1000

SECONDS_TO_STOP = 0.1

SHUT_IN = {"enable_external_access": "false"}

_EXPLAIN = re.compile(
    r"^\s*explain\b\s*(analy[sz]e\b)?\s*(\(\s*(format|analy[sz]e)\b[^()]*\))?", re.IGNORECASE
)


@entry
def query(sql: str, results: Path = Path("results")) -> None:
    """Run one SELECT over the tables and print the whole result: as a table on a terminal, else as CSV.

    Each kind of table is a view: questions, solutions, critiques, rewards, accuracy, and so on, over all files of
    that kind; the column `file` has the file of each row. Further views answer natural questions: `scores` has each
    solution's reward by each model and aggregation, and whether it is correct; `choices` what best-of-N and the votes
    choose from each pool; `steps` and `step_rewards` the single steps. `SHOW TABLES` lists the views, `DESCRIBE
    rewards` the columns of one.

    Args:
        sql: The statement, in DuckDB's dialect.
        results: The folder to search for tables, at any depth.
    """
    if not results.is_dir():
        raise InputError(results, expected="a folder of tables", found="no such folder")
    views = find_tables(results)
    try:
        database = open_database(views)
        statement, reading = _parse(database, sql)
        for path in _read_by(reading, views):
            parquet.check_undamaged(path)
        _print_all_or_stop(database, statement)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would still flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except duckdb.Error as error:
        raise InputError(
            "query",
            expected="SQL that DuckDB can run",
            found=str(error),
            remedy=f"the views are {', '.join(views) or 'none, as there are no tables'}",
        ) from error


def _parse(database: duckdb.DuckDBPyConnection, sql: str) -> tuple[duckdb.Statement, str]:
    """The single statement, and the SQL that it reads with: itself, or the statement it explains.

    `EXPLAIN ANALYZE` runs what it explains, which may be any statement.

    Raises:
        InputError: no statement, several, or one that does more than read.
    """
    statements = database.extract_statements(sql)
    reading = sql
    if [statement.type for statement in statements] == [duckdb.StatementType.EXPLAIN]:
        reading = _explained(sql)
    read = database.extract_statements(reading)
    if len(statements) != 1 or [each.type for each in read] != [duckdb.StatementType.SELECT]:
        found = ", ".join(statement.type.name for statement in statements) or "no statement"
        if reading is not sql:
            found += f" of {', '.join(each.type.name for each in read) or 'nothing'}"
        raise InputError("query", expected="one SELECT statement", found=found)
    return statements[0], reading


def _explained(sql: str) -> str:
    """What follows `EXPLAIN`, `ANALYZE` and options in brackets, without comments."""
    text = sql.encode()
    tokens = [*duckdb.tokenize(sql), (len(text), None)]
    plain = b" ".join(
        text[start:end]
        for (start, kind), (end, _) in pairwise(tokens)
        if kind != duckdb.token_type.comment
    )
    return _EXPLAIN.sub("", plain.decode())


def _read_by(reading: str, views: Mapping[str, Sequence[Path]]) -> list[Path]:
    """The tables that a statement reads; possibly more if that is hard to tell."""
    named = set(views)
    # A statement can name files as well, and functions can run other statements.
    if not any(word in reading.lower() for word in ("parquet", "query")):
        with suppress(duckdb.Error), duckdb.connect(config=SHUT_IN) as empty:
            # Case-insensitive, like DuckDB: `Rewards` is `rewards`.
            names = (name.casefold() for name in empty.get_table_names(reading))
            named = {table for name in names for table in read_by(name)}
    return [path for name, paths in views.items() if name in named for path in paths]


def _print_all_or_stop(database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    """Print a statement's result in a thread, because DuckDB ignores Ctrl-C, which reaches the main thread."""
    with ThreadPoolExecutor(1) as worker:
        printing = worker.submit(_print_all, database, statement)
        try:
            printing.result()
        except KeyboardInterrupt:
            while printing in wait([printing], SECONDS_TO_STOP).not_done:
                database.interrupt()
            raise


def _print_all(database: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    """Print every row and column of a statement's result."""
    if sys.stdout.isatty():
        found = database.sql(statement)
        found.show(max_rows=EVERYTHING, max_width=EVERYTHING, max_col_width=EVERYTHING)
        return
    result = database.execute(statement)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([name for name, *_ in result.description])
    while rows := result.fetchmany(ROWS_AT_ONCE):
        writer.writerows(rows)
