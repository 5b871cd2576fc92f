"""Check that solutions and rewards, as DuckDB views, are valid and match one to one.

Both views have the columns of their tables, and `file`, the file that a row came from.
"""

import logging
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import duckdb

from multirm.errors import InputError, one_of, shown
from multirm.tables.accuracy import OVERALL
from multirm.tables.rewards import RewardType, Scale, Unit

logger = logging.getLogger(__name__)

KEY = "dataset, category, question_id, solution_id"
KEYS_SHOWN = 3

REPEATED = f"""
    SELECT max(file) AS file, {KEY} FROM {{table}} GROUP BY {KEY} HAVING count(*) > 1
"""

WITHOUT_KEY = f"""
    SELECT file, {KEY} FROM {{table}}
    WHERE dataset IS NULL OR category IS NULL OR question_id IS NULL OR solution_id IS NULL
"""

OUT_OF_RANGE = f"""
    SELECT file, {KEY}, list_filter(rewards, lambda reward: reward > 1 OR reward < 0)[1] AS shown
    FROM rewards WHERE model = $model AND (list_max(rewards) > 1 OR list_min(rewards) < 0)
"""

INFINITE = f"""
    SELECT file, {KEY}, list_filter(rewards, lambda reward: isinf(reward))[1] AS shown
    FROM rewards WHERE isinf(list_max(rewards)) OR isinf(list_min(rewards))
"""

TYPES_OF_MODEL = """
    SELECT any_value(file), unit, scale FROM rewards WHERE model = $model
    GROUP BY unit, scale ORDER BY ALL
"""

SEVERAL_OF_A_SOLUTION = f"""
    SELECT file, {KEY}, len(rewards) AS shown FROM rewards WHERE model = $model AND len(rewards) > 1
"""

NO_LABELS = f"""
    SELECT file, {KEY}, coalesce(outcome::VARCHAR, step_labels::VARCHAR) AS shown FROM solutions
    WHERE outcome NOT IN (0, 1) OR list_min(step_labels) < 0 OR list_max(step_labels) > 1
"""

OTHER_OUTCOMES = f"""
    SELECT {KEY}, count(*) OVER () FROM solutions
    WHERE answer IS NOT NULL AND outcome != CASE WHEN {{correct}} THEN 1 ELSE 0 END
    ORDER BY {KEY} LIMIT {KEYS_SHOWN}
"""

ONLY_SOLUTIONS = """
    FROM (SELECT DISTINCT category FROM solutions WHERE complete), (SELECT unnest($models) AS model)
    SELECT model, category
    EXCEPT SELECT model, category FROM rewards
    ORDER BY ALL
"""

ONLY_REWARDS = """
    SELECT DISTINCT model, category FROM rewards
    WHERE category NOT IN (SELECT category FROM solutions WHERE complete)
    ORDER BY ALL
"""

UNKNOWN_REWARDS = f"""
    SELECT file, {KEY} FROM rewards ANTI JOIN (FROM solutions WHERE complete) USING ({KEY})
"""

WITHOUT_REWARDS = f"""
    SELECT file, {KEY} FROM (FROM solutions WHERE complete)
    ANTI JOIN (FROM rewards WHERE model = $model) USING ({KEY})
"""

LOST_SAMPLES = f"""
    SELECT file, {KEY} FROM (FROM samples WHERE reason IS NULL) ANTI JOIN complete USING ({KEY})
"""

OTHER_SOLUTIONS = f"""
    SELECT file, {KEY} FROM complete ANTI JOIN (FROM samples WHERE reason IS NULL) USING ({KEY})
"""

# A digest of all of a model's rewards that does not depend on row order. Models with a single distinct reward are
# left out: equal rewards do not mean that they are the same table.
SAME_REWARDS = f"""
    SELECT list(model ORDER BY model) FROM (
        SELECT model, bit_xor(hash({KEY}, rewards)) AS digest FROM rewards
        GROUP BY model
        HAVING min(list_min(rewards)) < max(list_max(rewards))
    )
    GROUP BY digest HAVING count(*) > 1 ORDER BY 1
"""


def check_solutions(database: duckdb.DuckDBPyConnection) -> None:
    """Require solutions of a single dataset, each once, with at most one reference answer per question.

    Raises:
        InputError: names the table and the first keys.
    """
    _refuse(database, WITHOUT_KEY.format(table="solutions"), "a key in every row", "without one")
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
        f"""
        SELECT file, {KEY} FROM solutions
        QUALIFY answer != first(answer) OVER (
            PARTITION BY category, question_id ORDER BY solution_id
        )
        """,
        "one reference answer for each question",
        "with another one",
    )


def check_samples(database: duckdb.DuckDBPyConnection) -> None:
    """Require that there are solutions, and that they are those samples that are complete, one to one.

    Raises:
        InputError: names the table and the first keys.
    """
    if not database.execute("FROM complete LIMIT 1").fetchall():
        raise InputError(
            "--solutions",
            expected="at least one solution",
            found="none; no sample has an answer",
            remedy="look into the tables of samples",
        )
    _refuse(database, REPEATED.format(table="samples"), "each sample once", "repeated")
    _refuse(database, LOST_SAMPLES, "only samples of the solutions given", "without their solution")
    _refuse(database, OTHER_SOLUTIONS, "only solutions that are among the samples", "of others")


def check_answers(database: duckdb.DuckDBPyConnection) -> None:
    """Refuse solutions without a reference answer, since selections of them cannot be judged.

    Raises:
        InputError: names the table and the first keys.
    """
    _refuse(
        database,
        f"SELECT file, {KEY} FROM solutions WHERE answer IS NULL AND complete",
        "a reference answer for every solution",
        "without one",
    )


def check_graded(database: duckdb.DuckDBPyConnection) -> None:
    """Refuse solutions without an outcome label, which says whether they are correct.

    Raises:
        InputError: names the table and the first keys.
    """
    _refuse(
        database,
        f"SELECT file, {KEY} FROM solutions WHERE outcome IS NULL AND complete",
        "an outcome label for every solution, by which --answers graded judges them",
        "without one",
    )
    check_labels(database)


def check_labels(database: duckdb.DuckDBPyConnection) -> None:
    """Refuse outcomes and step labels that are neither 0 nor 1.

    Raises:
        InputError: names the table and the first keys.
    """
    _refuse(database, NO_LABELS, "outcomes and step labels 0 or 1", "with others")


def warn_of_outcomes(database: duckdb.DuckDBPyConnection, correct: str) -> None:
    """Warn about outcome labels that disagree with the answers; accuracies use the answers.

    Args:
        correct: the condition for a correct solution, in SQL.
    """
    rows = database.execute(OTHER_OUTCOMES.format(correct=correct)).fetchall()
    if rows:
        logger.warning(
            "%d solutions have an outcome label that disagrees with their answers (%s); the answers count "
            "(with --answers graded, the labels would)",
            rows[0][-1],
            ", ".join("/".join(map(str, key)) for *key, _ in rows),
        )


def check_categories(database: duckdb.DuckDBPyConnection, models: Sequence[str]) -> None:
    """Refuse categories that only the solutions or only a model's rewards have.

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
                remedy="add the missing ones, or leave the category out",
            )


def check_rewards(database: duckdb.DuckDBPyConnection, models: Sequence[str]) -> None:
    """Require that each model's rewards match the solutions one to one.

    Raises:
        InputError: names the table and the first keys.
    """
    _refuse(database, WITHOUT_KEY.format(table="rewards"), "a key in every row", "without one")
    check_categories(database, models)
    _refuse(database, INFINITE, "finite rewards, or null", "with others")
    _refuse(database, UNKNOWN_REWARDS, "rewards of the solutions given", "of unknown solutions")
    # One model at a time, to save memory.
    for model in models:
        _refuse(
            database,
            REPEATED.format(table="(FROM rewards WHERE model = $model)"),
            "each solution once per model",
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


def reward_type(
    database: duckdb.DuckDBPyConnection,
    model: str,
    unit: Unit | None,
    scale: Scale | None,
    assumed: Scale | None = None,
    needs_unit: bool = True,
) -> RewardType:
    """The type of a model's rewards, as stated by its tables or else by the caller.

    Nothing is inferred from lengths, names or ranges: rewards of 4 critiques look like those of 4 steps.

    Args:
        unit, scale: as stated by the caller.
        assumed: the scale if neither states one.
        needs_unit: whether the unit must be known.

    Raises:
        InputError: the type is unknown, tables disagree with each other or with the caller, a probability is
            not from 0 to 1, or a solution has several rewards although the unit is solution.
    """
    stated = [
        (file, found_unit or unit, found_scale or scale or assumed, (found_unit, found_scale))
        for file, found_unit, found_scale in database.execute(
            TYPES_OF_MODEL, {"model": model}
        ).fetchall()
    ]
    types = {(found_unit, found_scale) for _, found_unit, found_scale, _ in stated}
    file = stated[0][0]
    if len(types) > 1:
        found = " and ".join(sorted(f"{shown(a)}, {shown(b)}" for a, b in types))
        raise InputError(file, expected=f"one unit and one scale of {model}'s rewards", found=found)
    ((found_unit, found_scale),) = types
    if needs_unit or found_unit is not None:
        _check_stated(file, model, "unit", found_unit, unit, list(Unit))
    _check_stated(file, model, "scale", found_scale, scale, list(Scale))
    known = RewardType(Unit(found_unit) if found_unit else None, Scale(str(found_scale)))
    of_model = {"model": model}
    if known.scale is Scale.PROBABILITY:
        _refuse(database, OUT_OF_RANGE, "probabilities from 0 to 1", "with others", of_model)
    if known.unit is Unit.SOLUTION:
        what = "one reward for each solution"
        _refuse(database, SEVERAL_OF_A_SOLUTION, what, "with several", of_model)
    return known


def _check_stated(
    file: str, model: str, name: str, value: str | None, option: str | None, allowed: Sequence[str]
) -> None:
    """Refuse the unit or scale of a model's rewards if it is unknown, or is not what the caller states.

    Raises:
        InputError: the table states none or another one, or it is not allowed.
    """
    if value is None:
        raise InputError(
            file,
            expected=f"a column {name} for {model}'s rewards",
            found="none",
            remedy=f"add --{name} {model}=… ({one_of(allowed)})",
        )
    if value not in allowed:
        raise InputError(file, expected=f"{one_of(allowed)} as {name}", found=shown(value))
    if option not in (None, value):
        raise InputError(
            file,
            expected=f"{model}'s rewards of {name} {option}, as in --{name}",
            found=f"some of {name} {value}",
        )


def check_apart(database: duckdb.DuckDBPyConnection, run_of: Mapping[str, str]) -> None:
    """Refuse equal rewards for several runs of one model, which would have no variance; warn for other models.

    Args:
        run_of: for each name, the reward model that it is a training run of.

    Raises:
        InputError: names the two runs.
    """
    for (names,) in database.execute(SAME_REWARDS).fetchall():
        for first, second in pairwise(sorted(names, key=lambda name: run_of[name])):
            if run_of[first] == run_of[second]:
                raise InputError(
                    "--rewards",
                    expected=f"different rewards for each training run of {run_of[first]}",
                    found=f"the same rewards for every solution by {first} and {second}",
                    remedy="give each run its own rewards, or leave one of them out",
                )
            logger.warning(
                "%s and %s have the same rewards for every solution; they are compared nevertheless",
                first,
                second,
            )


def _refuse(
    database: duckdb.DuckDBPyConnection,
    query: str,
    expected: str,
    found: str,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Refuse the rows that `query` returns (file, key and optionally `shown`, a value), naming the first ones."""
    ordered = (
        f"SELECT file, count(*) OVER (), {KEY}, * EXCLUDE (file, {KEY}) FROM ({query})"
        f" ORDER BY {KEY}, file LIMIT {KEYS_SHOWN}"
    )
    rows = database.execute(ordered, dict(parameters or {})).fetchall()
    if rows:
        keys = ", ".join(_shown(row[2:6], *row[6:]) for row in rows)
        total = rows[0][1]
        raise InputError(
            rows[0][0],
            expected=expected,
            found=f"{total} {found} ({keys}{', …' if total > len(rows) else ''})",
        )


def _shown(key: Sequence[object], value: object = None) -> str:
    text = shown("/".join(map(str, key)), 120)
    return text if value is None else f"{text}: {shown(value)}"
