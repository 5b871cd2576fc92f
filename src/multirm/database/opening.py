"""Open everything that was made as one database: a view per kind of table, and views for natural questions."""

import atexit
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb

from multirm.database.derived import define_views
from multirm.database.dictionary import define_dictionary
from multirm.database.functions import define_functions
from multirm.database.question_pools import answer_rule, has_grades
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.sql import literals, reading, without_wildcards
from multirm.tables.views import create_views, forbid_other_files
from multirm.text.answer_rules import AnswerRule


def open_database(tables: Mapping[str, Sequence[Path]]) -> duckdb.DuckDBPyConnection:
    """A database in memory that reads some tables in place, and no other files.

    It has a view per kind of table, those of `derived.VIEWS` whose tables are there, and `columns`, which says what
    each column of these means.

    Args:
        tables: files by the name of their schema, as `tables.views.find_tables` finds them.
    """
    database = duckdb.connect()
    _open.add(database)
    create_views(database, tables)
    define_functions(database)
    derived = define_views(database, tables, _answer_rules(database, tables))
    define_dictionary(database, [*tables, *derived])
    forbid_other_files(database, [path for paths in tables.values() for path in paths])
    return database


def _answer_rules(
    database: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Path]]
) -> dict[str, AnswerRule]:
    """When answers to the questions of each dataset are equal, where that is not if they mean the same."""
    graded = [
        path
        for path in tables.get(SOLUTIONS.name, ())
        if has_grades(parquet.read_footer(path).parameters)
    ]
    datasets: dict[str, None] = {}
    for path in (*tables.get(ACCURACY.name, ()), *graded):
        with reading(path):
            places = literals([without_wildcards(path)])
            query = (
                f"SELECT DISTINCT dataset FROM read_parquet({places}, hive_partitioning = false)"
            )
            datasets |= dict.fromkeys(name for (name,) in duckdb.sql(query).fetchall())
    rules = {name: answer_rule(database, name) for name in datasets}
    return {name: rule for name, rule in rules.items() if rule is not AnswerRule.MEANING}


# A database with functions in Python that is still open when Python exits makes DuckDB complain there.
_open: weakref.WeakSet[duckdb.DuckDBPyConnection] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for database in list(_open):
        database.close()
