"""Whether solutions and rewards, as views in DuckDB, make sense and match one to one.

Both views have the columns of their tables and `file`, the table a row came from.
"""

from collections.abc import Mapping
from typing import Any

import duckdb

from multirm.errors import InputError, shown
from multirm.vocabulary import Aggregation

KEY = "dataset, category, question_id, solution_id"
KEYS_SHOWN = 3

REPEATED = f"""
    SELECT max(file) AS file, {KEY} FROM {{table}} GROUP BY {KEY}{{model}} HAVING count(*) > 1
"""

UNKNOWN_REWARDS = f"SELECT file, {KEY} FROM rewards ANTI JOIN solutions USING ({KEY})"

WITHOUT_REWARDS = f"""
    SELECT file, {KEY} FROM solutions
    ANTI JOIN (FROM rewards WHERE model = $model) USING ({KEY})
"""


def check_solutions(database: duckdb.DuckDBPyConnection) -> None:
    """Refuse solutions that are not one dataset's, once each, with one reference answer per question.

    Raises:
        InputError: names the table and the first keys.
    """
    count = "SELECT count(*) FROM solutions"
    if database.execute(count).fetchall() == [(0,)]:
        raise InputError("--solutions", expected="at least one table of solutions", found="none")
    datasets = database.execute("SELECT DISTINCT dataset FROM solutions ORDER BY 1").fetchall()
    if len(datasets) > 1:
        raise InputError(
            "--solutions",
            expected="the solutions of one dataset",
            found=", ".join(shown(name) for (name,) in datasets),
            remedy="evaluate each dataset on its own",
        )
    _refuse(
        database, REPEATED.format(table="solutions", model=""), "each solution once", "repeated"
    )
    _refuse(
        database,
        f"SELECT file, {KEY} FROM solutions WHERE answer IS NULL",
        "a reference answer for every solution",
        "without one",
    )
    _refuse(
        database,
        f"""
        SELECT file, {KEY} FROM solutions
        QUALIFY answer != first(answer) OVER (
            PARTITION BY category, question_id ORDER BY solution_id
        )
        """,
        "one reference answer for each question",
        "with another one",
    )


def check_rewards(
    database: duckdb.DuckDBPyConnection, aggregations: Mapping[str, Aggregation]
) -> None:
    """Refuse rewards that do not match the solutions one to one for each model with an aggregation.

    Raises:
        InputError: names the table and the first keys.
    """
    models = "SELECT DISTINCT model FROM rewards ORDER BY model"
    for (model,) in database.execute(models).fetchall():
        if model not in aggregations:
            raise InputError(
                "--rewards",
                expected=f"rewards of {', '.join(aggregations) or 'no model'}",
                found=f"some of {shown(model)}",
                remedy=f"say --aggregation {model}=… or leave its tables out",
            )
    repeated = REPEATED.format(table="rewards", model=", model")
    _refuse(database, repeated, "each solution once for a model", "repeated")
    _refuse(database, UNKNOWN_REWARDS, "rewards of the solutions given", "of unknown solutions")
    for model in aggregations:
        _refuse(
            database,
            WITHOUT_REWARDS,
            f"a row of {model}'s rewards for every solution",
            "solutions without one",
            {"model": model},
        )


def _refuse(
    database: duckdb.DuckDBPyConnection,
    query: str,
    expected: str,
    found: str,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Refuse what `query` finds (file and key), naming how many and the first keys."""
    ordered = f"SELECT *, count(*) OVER () FROM ({query}) ORDER BY {KEY}, file LIMIT {KEYS_SHOWN}"
    rows = database.execute(ordered, dict(parameters or {})).fetchall()
    if rows:
        keys = ", ".join(shown("/".join(map(str, key)), 120) for _, *key, _ in rows)
        total = rows[0][-1]
        raise InputError(
            rows[0][0],
            expected=expected,
            found=f"{total} {found} ({keys}{', …' if total > len(rows) else ''})",
        )
