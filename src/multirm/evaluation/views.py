"""Solutions and rewards from any layout as two views in one database: `solutions` and `rewards`.

Tables are read in place, whoever wrote them, and so are tables in memory; Multi-RM's layout and rewards of earlier
versions are loaded into memory.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa

from multirm.errors import InputError, shown
from multirm.evaluation.answer_spellings import spell_answers
from multirm.formats import layouts
from multirm.tables import parquet
from multirm.tables.checking import check_columns
from multirm.tables.rewards import COST_COLUMNS, REWARDS
from multirm.tables.samples import SAMPLES
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.sql import literal, literals, reading, without_wildcards
from multirm.text.answer_rules import AnswerRule

logger = logging.getLogger(__name__)

Source: TypeAlias = str | pa.Table
"""Where solutions or rewards are: at a place, or in memory, in the columns of our tables."""

KEYS = """
    dataset::VARCHAR AS dataset, category::VARCHAR AS category, question_id::VARCHAR AS question_id,
    solution_id::BIGINT AS solution_id
"""

# Columns of solutions that evaluation needs, without texts. `place` is the index of the table, `row` that of the row in
# it. In tables from elsewhere, "N/A" may mean no answer, and there may be no steps. Steps are only read to count them
# and their characters, where that is asked for.
SOLUTIONS_VIEW = f"""
    SELECT
        {KEYS}, answer::VARCHAR AS answer, outcome,
        CASE WHEN lower(trim(parsed_answer::VARCHAR)) != 'n/a' THEN parsed_answer::VARCHAR END
            AS parsed_answer,
        step_labels::BIGINT[] AS step_labels, {{n_steps}} AS n_steps, {{step_lengths}} AS step_lengths,
        {{file}} AS file, {{place}} AS place, {{row}} AS row
    FROM {{source}}
"""

N_STEPS = "len(steps)::BIGINT"
STEP_LENGTHS = "list_transform(steps, lambda step: length(step))::BIGINT[]"

REWARDS_VIEW = f"""
    SELECT {KEYS}, {{model}} AS model, {{rewards}} AS rewards, truncated,
        {{unit}} AS unit, {{scale}} AS scale, {{file}} AS file,
        {{n_tokens_read}} AS n_tokens_read, {{n_tokens_generated}} AS n_tokens_generated, {{flops}} AS flops
    FROM {{source}} {{where}}
"""

# NaN is a missing reward, as in JSON, and a null list has no rewards.
PRESENT = """
    CASE WHEN isnan(list_max({rewards}))
        THEN list_transform({rewards}, lambda reward: CASE WHEN NOT isnan(reward) THEN reward END)
        ELSE coalesce({rewards}, []) END
"""

# The policy's samples are of the same questions, whatever a dataset that was derived from its solutions is called.
SAMPLES_VIEW = f"""
    SELECT * REPLACE ((SELECT any_value(dataset) FROM complete) AS dataset) FROM (
        SELECT
            {KEYS}, reason::VARCHAR AS reason, filename AS file, {{place}} AS place,
            file_row_number AS row
        FROM {{source}}
    )
"""

ALL_COMPLETE = "SELECT *, true AS complete FROM complete"

# A sample that is no solution is a solution without an answer, in its pool after the others. The reference answer of a
# question without solutions is unknown here, and does not matter.
WITH_INCOMPLETE = """
    SELECT *, true AS complete FROM complete UNION ALL BY NAME
    SELECT
        dataset, category, question_id, solution_id, answer, 0::TINYINT AS outcome, file,
        place + (SELECT max(place) FROM complete) AS place, row, false AS complete
    FROM samples LEFT JOIN (
        SELECT category, question_id, any_value(answer) AS answer FROM complete GROUP BY ALL
    ) USING (category, question_id)
    WHERE reason IS NOT NULL
"""

# Columns that state the type of rewards.
TYPE_COLUMNS = ("unit", "scale")

_AS_NAMED = {name: name for name in (*TYPE_COLUMNS, *COST_COLUMNS)}

# Columns that evaluation does not need.
UNREAD = frozenset({"question", "steps"})


def open_inputs(
    solutions: Sequence[Source],
    rewards: Mapping[str, Sequence[Source]],
    rule: AnswerRule | None = AnswerRule.MEANING,
    samples: Sequence[str] = (),
) -> tuple[duckdb.DuckDBPyConnection, list[Path]]:
    """Open a database with the views `solutions` and `rewards`; also return the local files that it reads.

    Args:
        solutions: tables in memory, or places: tables, folders of tables, folders in Multi-RM's layout, hub names.
        rewards: the same for each model's rewards; in the view, they have the model's name as given here.
        rule: when answers are equal; equal answers are equal strings in the view. None leaves them as written.
        samples: places of the tables of samples that the solutions are from, which become a view as well. Those that
            are no solutions are in the view `solutions`, too, not `complete`.

    Raises:
        InputError: a place is empty or invalid.
    """
    if not solutions:
        raise InputError("--solutions", expected="at least one PATH", found="none")
    database = duckdb.connect()
    # A category may have samples without a single solution.
    is_sampled = bool(samples)
    found = _find(solutions, SOLUTIONS, "solutions", may_be_empty=is_sampled)
    of_models = {
        model: _find(places, REWARDS, f"rewards of {model}", may_be_empty=is_sampled)
        for model, places in rewards.items()
    }
    name = _dataset_of(of_models.values())
    _view(database, "complete", _solution_queries(database, found, name))
    sampled = _sample_files(samples)
    if sampled:
        _view(database, "samples", [_sample_query(sampled)])
    _view(database, "written", [WITH_INCOMPLETE if sampled else ALL_COMPLETE])
    spell_answers(database, "written", "solutions", rule)
    (name,) = database.execute("SELECT any_value(dataset) FROM solutions").fetchall()[0]
    queries = [
        query
        for model, of_model in of_models.items()
        for query in _reward_queries(database, of_model, model, name)
    ]
    _view(database, "rewards", queries or [_no_rewards(database)])
    files = [file for each in (found, *of_models.values()) for file in each.files]
    return database, files + sampled


@dataclass(frozen=True)
class _Found:
    """What was found: tables, places in Multi-RM's layout or on the hub, and tables in memory with what they are."""

    tables: list[Path]
    others: list[str]
    in_memory: list[tuple[str, pa.Table]]
    files: list[Path]


def _find(
    sources: Sequence[Source], schema: Schema, named: str, *, may_be_empty: bool = False
) -> _Found:
    checked = replace(schema, at_least_one="") if may_be_empty else schema
    found = _Found([], [], [], [])
    for source in sources:
        if not isinstance(source, str):
            number = f" {len(found.in_memory) + 1}" if len(sources) > 1 else ""
            found.in_memory.append((named + number, _checked(named + number, source, checked)))
            continue
        files = layouts.table_files(source, schema)
        found.tables.extend(files)
        found.others.extend([] if files else [source])
        found.files.extend(files or layouts.files_read(source, schema))
    for file in found.tables:
        parquet.check_readable(file, checked, UNREAD)
        # DuckDB may refuse a footer that other readers accept, and columns with the names of those that it adds.
        with reading(file, duckdb.BinderException):
            duckdb.sql(f"FROM {_source([file])} LIMIT 1").fetchall()
    return found


def _checked(where: str, table: pa.Table, schema: Schema) -> pa.Table:
    """A table in memory, refused as a file with the same columns would be; without columns that are not read.

    Raises:
        InputError: columns are missing or of other types, or there are no rows.
    """
    wanted = [
        field
        for field in schema.columns
        if field.name in table.column_names or field.name not in {*UNREAD, *schema.optional}
    ]
    check_columns(Path(where), schema, table.schema, wanted)
    if schema.at_least_one and not table.num_rows:
        raise InputError(where, expected=f"at least one {schema.at_least_one}", found="none")
    return table.select([field.name for field in wanted if field.name != "question"])


def _sample_files(places: Sequence[str]) -> list[Path]:
    """The tables of samples at some places.

    Raises:
        InputError: a place has none, or one cannot be read.
    """
    files = []
    for place in places:
        tables = layouts.table_files(place, SAMPLES)
        if not tables:
            raise InputError(place, expected="tables of samples", found="none")
        files += tables
    for file in files:
        parquet.check_readable(file, SAMPLES, {"text"})
    return files


def _sample_query(files: Sequence[Path]) -> str:
    place = f"list_position({literals(files)}, filename)"
    return SAMPLES_VIEW.format(place=place, source=_source(files))


def _dataset_of(found: Iterable[_Found]) -> str | None:
    """The dataset in tables of rewards, for solutions whose rows do not name it."""
    for each in found:
        if each.tables:
            query = f"SELECT dataset::VARCHAR FROM {_source(each.tables[:1])} LIMIT 1"
            rows = duckdb.sql(query).fetchall()
            return rows[0][0] if rows else None
        if each.in_memory:
            name: str | None = each.in_memory[0][1]["dataset"][0].as_py()
            return name
    return None


def _solution_queries(
    database: duckdb.DuckDBPyConnection, found: _Found, dataset: str | None
) -> list[str]:
    queries = []
    if found.tables:
        place = f"list_position({literals(found.tables)}, filename)"
        at = {"file": "filename", "place": place, "row": "file_row_number"}
        queries.append(_solutions_view(database, _source(found.tables), at))
    loaded = [
        # Answers are compared here; outcomes matter only without a reference answer.
        *(layouts.solution_parts(other, dataset, judged=False) for other in found.others),
        *([each] for each in found.in_memory),
    ]
    for number, parts in enumerate(loaded, start=len(found.tables) + 1):
        source = _register(database, f"solutions {number}", parts)
        at = {"file": "file", "place": str(number), "row": "row"}
        queries.append(_solutions_view(database, source, at))
    return queries


def _solutions_view(database: duckdb.DuckDBPyConnection, source: str, at: Mapping[str, str]) -> str:
    """The rows of a source of solutions in the view's columns, in SQL."""
    has_steps = "steps" in database.sql(f"FROM {source}").columns
    n_steps, step_lengths = (
        (N_STEPS, STEP_LENGTHS) if has_steps else ("NULL::BIGINT", "NULL::BIGINT[]")
    )
    return SOLUTIONS_VIEW.format(source=source, n_steps=n_steps, step_lengths=step_lengths, **at)


def _reward_queries(
    database: duckdb.DuckDBPyConnection, found: _Found, model: str, dataset: str | None
) -> list[str]:
    queries = []
    if found.tables:
        source = _rewards_source(database, found.tables, model)
        queries.append(_rewards_view(database, source, "filename", model, found.tables))
    for number, (where, table) in enumerate(found.in_memory):
        source = _register(database, f"rewards in memory {number} {model}", [(where, table)])
        queries.append(_rewards_view(database, source, "file", model, [where]))
    for number, other in enumerate(found.others):
        parts = layouts.reward_parts(other, model, dataset)
        source = _register(database, f"rewards {number} {model}", parts)
        at = {"file": "file", "source": source, "where": "", **_AS_NAMED}
        queries.append(REWARDS_VIEW.format(model=literal(model), rewards="rewards", **at))
    return queries


def _rewards_view(
    database: duckdb.DuckDBPyConnection,
    source: str,
    file: str,
    model: str,
    places: Sequence[Path | str],
) -> str:
    """The rows of a source of rewards in the view's columns, in SQL.

    Args:
        file: the column that names a row's file.
        places: the files, for errors.
    """
    (type_,) = database.sql(f"SELECT rewards FROM {source}").types
    present = PRESENT.format(rewards=f"rewards::{'FLOAT' if type_ == 'FLOAT[]' else 'DOUBLE'}[]")
    at = {"file": file, "source": source, "where": _of_model(database, source, places, model)}
    columns = database.sql(f"FROM {source}").columns
    at |= {name: name if name in columns else "NULL" for name in COST_COLUMNS}
    at |= {
        name: f"{name}::VARCHAR" if name in columns else "NULL::VARCHAR" for name in TYPE_COLUMNS
    }
    return REWARDS_VIEW.format(model=literal(model), rewards=present, **at)


def _rewards_source(database: duckdb.DuckDBPyConnection, files: Sequence[Path], model: str) -> str:
    """SQL for tables of rewards as one source of rows, each with its file.

    Those of earlier versions are read with the columns of this one, so that what they mean is said once.
    """
    footers = {file: parquet.find_footer(file) for file in files}
    older = [
        file
        for file, footer in footers.items()
        if footer and footer.schema_version < REWARDS.version
    ]
    newer = [file for file in files if file not in older]
    sources = [_source(newer)] if newer else []
    if older:
        parts = ((str(file), parquet.read(file, REWARDS)) for file in older)
        registered = _register(database, f"earlier rewards {model}", parts)
        sources.append(f"(SELECT * RENAME (file AS filename) FROM {registered})")
    if len(sources) == 1:
        return sources[0]
    return f"({' UNION ALL BY NAME '.join(f'FROM {source}' for source in sources)})"


def _of_model(
    database: duckdb.DuckDBPyConnection, source: str, files: Sequence[Path | str], model: str
) -> str:
    """A WHERE clause for the model's rows, if tables have several models' rewards."""
    query = f"SELECT DISTINCT model::VARCHAR FROM {source} WHERE model IS NOT NULL ORDER BY 1"
    names = [name for (name,) in database.execute(query).fetchall()]
    if model in names and len(names) > 1:
        return f"WHERE model = {literal(model)}"
    if len(names) > 1:
        raise InputError(
            f"{files[0]}{' …' if len(files) > 1 else ''}",
            expected=f"rewards of one model, or of {model} among others",
            found=", ".join(map(shown, names)),
            remedy=f"use --rewards {names[0]}=…",
        )
    if names not in ([], [model]):
        taken = "%s: using the rewards of %s as those of %s"
        logger.warning(taken, files[0], shown(names[0]), shown(model))
    return ""


def _no_rewards(database: duckdb.DuckDBPyConnection) -> str:
    database.register("no_rewards", REWARDS.columns.empty_table())
    at = {"file": "''", "source": "no_rewards", "where": "", **_AS_NAMED}
    return REWARDS_VIEW.format(model="''", rewards="rewards", **at)


def _source(files: Sequence[Path]) -> str:
    """SQL for tables as one source of rows, each with its file and its index in it."""
    options = (
        "union_by_name = true, hive_partitioning = false, filename = true, file_row_number = true"
    )
    return f"read_parquet({literals(map(without_wildcards, files))}, {options})"


def _register(
    database: duckdb.DuckDBPyConnection, name: str, parts: Iterable[tuple[str, pa.Table]]
) -> str:
    """Register tables in memory as one source of rows, each with the file that it was read from and its index."""
    placed = [
        part.append_column("file", pa.repeat(pa.scalar(where), part.num_rows))
        for where, part in parts
    ]
    table = pa.concat_tables(placed, promote_options="permissive")
    database.register(name, table.append_column("row", pa.array(range(table.num_rows), pa.int64())))
    return '"' + name.replace('"', '""') + '"'


def _view(database: duckdb.DuckDBPyConnection, name: str, queries: Sequence[str]) -> None:
    database.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(queries)}")
