"""Whether solutions and rewards, as views in DuckDB, make sense and match one to one.

Both views have the columns of their tables and `file`, the table a row came from.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from multirm.errors import InputError, shown
from multirm.vocabulary import OVERALL

KEY = "dataset, category, question_id, solution_id"
KEYS_SHOWN = 3

REPEATED = f"""
    SELECT max(file) AS file, {KEY} FROM {{table}} GROUP BY {KEY} HAVING count(*) > 1
"""

# NaN counts as greater than every number.
OUT_OF_RANGE = f"""
    SELECT file, {KEY} FROM rewards WHERE list_max(rewards) > 1 OR list_min(rewards) < 0
"""

ONLY_SOLUTIONS = """
    FROM (SELECT DISTINCT category FROM solutions), (SELECT unnest($models) AS model)
    SELECT model, category
    EXCEPT SELECT model, category FROM rewards
    ORDER BY ALL
"""

ONLY_REWARDS = """
    SELECT DISTINCT model, category FROM rewards
    WHERE category NOT IN (SELECT category FROM solutions)
    ORDER BY ALL
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
    datasets = database.execute("SELECT DISTINCT dataset FROM solutions ORDER BY 1").fetchall()
    if len(datasets) > 1:
        raise InputError(
            "--solutions",
            expected="the solutions of one dataset",
            found=", ".join(shown(name) for (name,) in datasets),
            remedy="evaluate each dataset on its own",
        )
    _refuse(
        database,
        f"SELECT file, {KEY} FROM solutions WHERE category = '{OVERALL}'",
        f"no category named {OVERALL}, which is the mean of all",
        "of one",
    )
    _refuse(database, REPEATED.format(table="solutions"), "each solution once", "repeated")
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


def check_categories(database: duckdb.DuckDBPyConnection, models: Sequence[str]) -> None:
    """Refuse a category that only the solutions have, or only a model's rewards.

    Raises:
        InputError: names the first model and its categories.
    """
    for statement, parameters, place in (
        (ONLY_SOLUTIONS, {"models": list(models)}, "the solutions"),
        (ONLY_REWARDS, {}, "the rewards"),
    ):
        rows = database.execute(statement, parameters).fetchall()
        if rows:
            model = rows[0][0]
            names = [shown(name) for other, name in rows if other == model]
            raise InputError(
                "--rewards",
                expected=f"the same categories in the solutions and in the rewards of {model}",
                found=f"{', '.join(names[:KEYS_SHOWN])}{', …' * (len(names) > KEYS_SHOWN)}"
                f" only in {place}",
                remedy="give the other's as well, or leave it out",
            )


def check_rewards(database: duckdb.DuckDBPyConnection, models: Sequence[str]) -> None:
    """Refuse rewards outside [0, 1], and those that do not match the solutions one to one for each model.

    Raises:
        InputError: names the table and the first keys.
    """
    check_categories(database, models)
    _refuse(database, OUT_OF_RANGE, "rewards in [0, 1]", "with others")
    _refuse(database, UNKNOWN_REWARDS, "rewards of the solutions given", "of unknown solutions")
    # One model at a time: their keys need not all be in memory at once.
    for model in models:
        _refuse(
            database,
            REPEATED.format(table="(FROM rewards WHERE model = $model)"),
            "each solution once for a model",
            "repeated",
            {"model": model},
        )
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
