"""All tables below a folder as views of one database, read in place by DuckDB and never modified."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import duckdb

from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.registry import SCHEMAS
from multirm.tables.sql import literals, without_wildcards

logger = logging.getLogger(__name__)

# The `shard` of a table that was not made in shards.
WHOLE = "1/1"


def find_tables(folder: Path) -> dict[str, list[Path]]:
    """The tables below `folder` by the name of their schema; other files are skipped.

    Shards are skipped, too: the merged table has their rows.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(_parquet_files(folder)):
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


def _parquet_files(folder: Path) -> Iterator[Path]:
    """Parquet files, by name; running jobs may create and remove folders meanwhile, which breaks `Path.rglob`."""
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".parquet") and not name.startswith("."):
                yield Path(place, name)


def open_views(views: Mapping[str, Sequence[Path]]) -> duckdb.DuckDBPyConnection:
    """A database in memory with a view per kind of table, without access to other files."""
    database = duckdb.connect()
    create_views(database, views)
    forbid_other_files(database, [path for paths in views.values() for path in paths])
    return database


def create_views(database: duckdb.DuckDBPyConnection, tables: Mapping[str, Sequence[Path]]) -> None:
    """Create a view for each kind of table, over all its files."""
    for name, paths in tables.items():
        database.execute(
            f"CREATE VIEW {name} AS "
            f"FROM read_parquet({literals(map(without_wildcards, paths))}, "
            "union_by_name = true, hive_partitioning = false, filename = 'file')"
        )


def forbid_other_files(database: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Let a database read some files, and write none."""
    # Globbing for a file and opening it are allowed separately.
    allowed = literals([*files, *map(without_wildcards, files)])
    database.execute(f"SET allowed_paths = {allowed}")
    database.execute("SET enable_external_access = false")
    database.execute("SET lock_configuration = true")
