"""SQL over all tables below a folder, read in place by DuckDB and never modified."""

import csv
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TypeVar

import duckdb
from cyclopts import Parameter

from multirm.database.derived import read_by, views_over
from multirm.database.dictionary import NAME as DICTIONARY
from multirm.database.opening import open_database
from multirm.database.read_only import only_reading
from multirm.errors import InputError, escaped
from multirm.inspect.text_table import text_table
from multirm.running.arguments import entry
from multirm.study.results_folder import folder_of_tables
from multirm.tables import parquet
from multirm.tables.views import find_tables

Used = TypeVar("Used")

ROWS_IN_A_TERMINAL = 40
ROWS_AT_ONCE = 10_000

SECONDS_TO_STOP = 0.1

SHUT_IN = {"enable_external_access": "false"}

# The first column of what EXPLAIN gives.
_PLAN = "explain_key"


@entry
def query(
    sql: str,
    results: Path | None = None,
    *,
    whole: Annotated[bool, Parameter(name="--all")] = False,
) -> None:
    """Run one statement that reads tables, and print its result: as a table on a terminal, else as CSV.

    Each kind of table is a view: questions, solutions, critiques, rewards, accuracy, and so on, over all files of
    that kind; the column `file` has the file of each row. Further views answer natural questions: `scores` has each
    solution's reward by each model and aggregation, and whether it is correct; `choices` what best-of-N and the votes
    choose from each pool; `steps` and `step_rewards` the single steps. `SHOW TABLES` lists the views, and `FROM columns
    WHERE view = 'rewards'` says what each column of one means. A terminal shows the first 40 rows, cut to its width,
    and how many there are; a file or another program gets all of them.

    Args:
        sql: The statement, in DuckDB's dialect: SELECT, FROM, WITH, PIVOT, SUMMARIZE, DESCRIBE, SHOW, EXPLAIN, …
        results: The folder to search for tables, at any depth; by default the results folder of the study in
            config/config.yaml, which is `results` if it names none.
        whole: Print all rows and columns on a terminal, too, and cut nothing.
    """
    try:
        run_query(sql, results, lambda found: _print(found, whole=whole))
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would still flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_query(
    sql: str, results: Path | None, use: Callable[[duckdb.DuckDBPyConnection], Used]
) -> Used:
    """Run one statement that reads tables.

    Args:
        sql, results: as of `query`.
        use: takes the database with the statement's result; called in a thread.

    Returns:
        what `use` returns.

    Raises:
        InputError: no such folder, a damaged table, or no SQL that only reads.
    """
    views = find_tables(folder_of_tables(results))
    try:
        database = open_database(views)
        statement, reading = only_reading(database, sql)
        for path in _read_by(reading, views):
            parquet.check_undamaged(path)
        return _unless_stopped(database, lambda: use(database.execute(statement)))
    except duckdb.Error as error:
        raise InputError(
            "query",
            expected="SQL that DuckDB can run",
            found=str(error),
            remedy=f"the views are {', '.join([*views_over(views), *views, DICTIONARY])}"
            if views
            else "there are no views, as there are no tables",
        ) from error


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


def _unless_stopped(database: duckdb.DuckDBPyConnection, use: Callable[[], Used]) -> Used:
    """Use a database in a thread, because DuckDB ignores Ctrl-C, which reaches the main thread."""
    with ThreadPoolExecutor(1) as worker:
        using = worker.submit(use)
        try:
            return using.result()
        except KeyboardInterrupt:
            while using in wait([using], SECONDS_TO_STOP).not_done:
                database.interrupt()
            raise


def _print(result: duckdb.DuckDBPyConnection, *, whole: bool) -> None:
    """Print a statement's result: all of it, or as much as a terminal shows well."""
    names = [name for name, *_ in result.description]
    if not sys.stdout.isatty():
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        while rows := result.fetchmany(ROWS_AT_ONCE):
            writer.writerows(rows)
    elif names[:1] == [_PLAN]:
        plans = [line for _, plan in result.fetchall() for line in plan.splitlines()]
        sys.stdout.writelines(f"{escaped(line)}\n" for line in plans)
    elif whole:
        lines, _ = text_table(names, result.fetchall(), width=None)
        sys.stdout.writelines(f"{line}\n" for line in lines)
    else:
        shown = result.fetchmany(ROWS_IN_A_TERMINAL)
        n_rows = len(shown)
        while rows := result.fetchmany(ROWS_AT_ONCE):
            n_rows += len(rows)
        _print_first(names, shown, n_rows)


def _print_first(names: Sequence[str], rows: Sequence[Sequence[Any]], n_rows: int) -> None:
    """Print the first rows of a result as far as a terminal is wide, and how many there are."""
    lines, n_columns = text_table(names, rows, shutil.get_terminal_size().columns)
    left_out, notes = [], []
    if len(rows) < n_rows:
        left_out.append(f"{len(rows)} of {n_rows:,} rows")
    if n_columns < len(names):
        left_out.append(f"{n_columns} of {len(names)} columns")
        notes.append(f"no room for: {escaped(', '.join(names[n_columns:]))}")
    counted = f"{n_rows} row" + "s" * (n_rows != 1)
    notes.append(f"{', '.join(left_out)}; --all prints all" if left_out else counted)
    sys.stdout.writelines(f"{line}\n" for line in [*lines, "", *notes])
