"""All tables below a folder as views of one database, read in place by DuckDB and never modified."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.registry import SCHEMAS
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES, Unit
from multirm.tables.schema import Renewal, Schema
from multirm.tables.sql import literal, literals, sql_type, without_wildcards

logger = logging.getLogger(__name__)

# The `shard` of a table that was not made in shards.
WHOLE = "1/1"


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """The tables below `folder` by the name of their schema; other files are skipped.

    Shards are skipped, too: the merged table has their rows.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(parquet_files(folder)):
        try:
            footer = parquet.read_footer(path)
        except InputError as error:
            logger.warning("Left out: %s", error)
            continue
        if footer.parameters.get("shard", WHOLE) != WHOLE:
            continue
        schema = SCHEMAS.get(footer.schema)
        if schema is None or not schema.reads(footer.schema_version):
            name = f"{footer.schema} version {footer.schema_version}"
            logger.warning("Left out: %s holds %s, which this version does not know", path, name)
            continue
        found[schema.name].append(path)
    return {name: found[name] for name in SCHEMAS if name in found}


def parquet_files(folder: Path) -> Iterator[Path]:
    """Parquet files, by name; running jobs may create and remove folders meanwhile, which breaks `Path.rglob`."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".parquet") and not name.startswith("."):
                yield Path(place, name)


def create_views(database: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Path]]) -> None:
    """Create a view for each kind of table, over all its files, with the columns of `view_columns`.

    What an earlier version of a table does not have, or has with another meaning, is null.
    """
    for name, paths in tables.items():
        schema = SCHEMAS[name]
        footers = {path: parquet.read_footer(path) for path in paths}
        by_version: dict[int, list[Path]] = defaultdict(list)
        for path, footer in footers.items():
            by_version[footer.schema_version].append(path)
        parts = [
            _of_version(database, schema, version, of_version)
            for version, of_version in by_version.items()
        ]
        query = " UNION ALL BY NAME ".join(parts)
        for column, key in _FROM_FOOTERS.get(name, {}).items():
            known = {path: footer.parameters.get(key) for path, footer in footers.items()}
            query = f"SELECT *, {_by_file(known)} AS {column} FROM ({query})"
        database.execute(f"CREATE VIEW {name} AS SELECT * EXCLUDE (file), file FROM ({query})")


# Columns of views that are in the footers of the tables, not in their rows: by their names, the parameters.
_FROM_FOOTERS = {CRITIQUES.name: {"kind": "kind", "stage": "stage"}}

# Columns of earlier versions, in SQL; `Renewal` says what others are.
_OF_EARLIER: Mapping[tuple[str, int], Mapping[str, str]] = {
    (CRITIQUES.name, 2): {
        "n_tokens_read": "n_prompt_tokens",
        "n_tokens_generated": "n_tokens - n_prompt_tokens",
    },
    (SCORED_CRITIQUES.name, 2): {"n_tokens_generated": "n_tokens"},
    (REWARDS.name, 2): {
        "n_tokens_read": f"CASE WHEN unit = '{Unit.STEP}' THEN CASE WHEN truncated THEN 0 ELSE n_tokens END END",
        "n_tokens_generated": f"CASE unit WHEN '{Unit.STEP}' THEN 0 WHEN '{Unit.CRITIQUE}' THEN n_tokens END",
    },
}


def view_columns(schema: Schema) -> dict[str, str]:
    """The columns of a table's view, with their types in SQL."""
    own = {field.name: sql_type(field.type) for field in schema.columns}
    return own | dict.fromkeys((*_FROM_FOOTERS.get(schema.name, {}), "file"), "VARCHAR")


def _of_version(
    database: duckdb.DuckDBPyConnection, schema: Schema, version: int, paths: Sequence[Path]
) -> str:
    """SQL for the rows of some tables of one version, with the columns of the present one."""
    source = (
        f"read_parquet({literals(map(without_wildcards, paths))}, "
        "union_by_name = true, hive_partitioning = false, filename = 'file')"
    )
    found = set(database.sql(f"FROM {source}").columns)
    of_earlier: dict[str, str] = {}
    if version != schema.version:
        of_earlier |= _OF_EARLIER.get((schema.name, version), {})
        if isinstance(schema.renewed, Renewal):
            of_earlier |= {
                new: f'"{old}"' for old, new in schema.renewed.names.items() if old in found
            }
            for name, meant in schema.renewed.filled.items():
                of_earlier[name] = f'coalesce("{name}", {literal(meant)})'
    columns = []
    for name, type_ in ((field.name, sql_type(field.type)) for field in schema.columns):
        if name in of_earlier:
            columns.append(f'({of_earlier[name]})::{type_} AS "{name}"')
        else:
            columns.append(f'"{name}"' if name in found else f'NULL::{type_} AS "{name}"')
    return f"SELECT {', '.join(columns)}, file FROM {source}"


def _by_file(values: Mapping[Path, object]) -> str:
    """SQL for a value that depends on the file of a row."""
    cases = [
        f"WHEN {literal(str(path))} THEN {literal(str(value))}"
        for path, value in values.items()
        if value is not None
    ]
    return f"CASE file {' '.join(cases)} END" if cases else "NULL::VARCHAR"


def forbid_other_files(database: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Let a database read some files, and write none."""
    # Globbing for a file and opening it are allowed separately.
    allowed = literals([*files, *map(without_wildcards, files)])
    database.execute(f"SET allowed_paths = {allowed}")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
