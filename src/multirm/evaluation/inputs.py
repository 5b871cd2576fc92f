"""Solutions and rewards, wherever they lie, as views of one database: `solutions` and `rewards`.

Our own tables are read in place; the published layout is read first.
"""

from collections.abc import Iterable, Mapping, Sequence

import duckdb
import pyarrow as pa

from multirm import interchange, tables
from multirm.errors import InputError
from multirm.schemas import Schema

# What evaluation reads of solutions: not their text. `place` keeps the order in which tables are given,
# `row` that of the rows in them.
SOLUTIONS = """
    SELECT
        dataset, category, question_id, solution_id, parsed_answer, answer,
        len(steps) AS n_steps, step_labels,
        {file} AS file, {place} AS place, {row} AS row
    FROM {source}
"""

REWARDS = """
    SELECT
        dataset, category, question_id, solution_id, {model} AS model, rewards, truncated,
        {file} AS file
    FROM {source}
"""


def open_inputs(
    solutions: Sequence[str], rewards: Mapping[str, Sequence[str]]
) -> duckdb.DuckDBPyConnection:
    """A database with the views `solutions` and `rewards`.

    Args:
        solutions: where solutions are: tables, folders of tables, folders in the published layout, hub names.
        rewards: where each model's rewards are; in the view they carry the model's name as given here.

    Raises:
        InputError: nothing there, or not what it should be.
    """
    database = duckdb.connect()
    parts = _parts(database, solutions, tables.SOLUTIONS, dataset=_named(rewards.values()))
    if not parts:
        raise InputError("--solutions", expected="at least one PATH", found="none")
    _view(database, "solutions", [SOLUTIONS.format(**part) for part in parts])
    dataset = database.execute("SELECT any_value(dataset) FROM solutions").fetchall()[0][0]
    queries = [
        REWARDS.format(model=_literal(model), **part)
        for model, places in rewards.items()
        for part in _parts(database, places, tables.REWARDS, model, dataset)
    ]
    _view(database, "rewards", queries or [REWARDS.format(model="''", **_no_rewards(database))])
    return database


def _no_rewards(database: duckdb.DuckDBPyConnection) -> dict[str, str]:
    database.register("no_rewards", tables.REWARDS.columns.empty_table())
    return {"file": "''", "source": "no_rewards"}


def _named(places: Iterable[Sequence[str]]) -> str | None:
    """The dataset that tables of rewards are of, for solutions whose rows do not say theirs."""
    for group in places:
        for place in group:
            for file in interchange.table_files(place):
                tables.check_schema(file, tables.REWARDS)
                (name,) = duckdb.sql(
                    f"SELECT dataset FROM read_parquet({_literal(str(file))}) LIMIT 1"
                ).fetchall()[0]
                return str(name)
    return None


def _parts(
    database: duckdb.DuckDBPyConnection,
    places: Sequence[str],
    schema: Schema,
    model: str = "",
    dataset: str | None = None,
) -> list[dict[str, str]]:
    """What to select from: all tables in place as one part, all else as it has been read."""
    parts = []
    files = [file for place in places for file in interchange.table_files(place)]
    for file in files:
        tables.check_schema(file, schema)
    if files:
        listed = "[" + ", ".join(_literal(str(file)) for file in files) + "]"
        options = "hive_partitioning = false, filename = true, file_row_number = true"
        source = f"read_parquet({listed}, union_by_name = true, {options})"
        place = f"list_position({listed}, filename)"
        parts.append(
            {"file": "filename", "source": source, "place": place, "row": "file_row_number"}
        )
    others = [place for place in places if not interchange.table_files(place)]
    for number, place in enumerate(others, start=len(files) + 1):
        table: pa.Table = (
            interchange.read_rewards(place, model, dataset)
            if schema is tables.REWARDS
            else interchange.read_solutions(place, dataset)
        )
        name = f"{schema.name} {number} {model}"
        rows = pa.array(range(table.num_rows), pa.int64())
        database.register(name, table.append_column("file_row_number", rows))
        source = '"' + name.replace('"', '""') + '"'
        parts.append(
            {
                "file": _literal(place),
                "source": source,
                "place": str(number),
                "row": "file_row_number",
            }
        )
    return parts


def _view(database: duckdb.DuckDBPyConnection, name: str, queries: Sequence[str]) -> None:
    database.execute(f"CREATE VIEW {name} AS {' UNION ALL '.join(queries)}")


def _literal(text: str) -> str:
    """Text as SQL: a view cannot have parameters."""
    return "'" + text.replace("'", "''") + "'"
