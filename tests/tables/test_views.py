"""A view per kind of table: its columns, tables of earlier versions, and what footers tell."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES, CritiqueStage
from multirm.tables.registry import SCHEMAS
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.schema import Renewal, Schema
from multirm.tables.views import create_views, find_tables, view_columns
from tests.origins import made_of

RENEWED = {
    name: schema.renewed for name, schema in SCHEMAS.items() if isinstance(schema.renewed, Renewal)
}

KEY = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": 0}

FROM_CLOSED_SETS = {"verdict": "better", "measure": "best"}


def some_row(schema: Schema) -> dict[str, Any]:
    """A row with another value in each column."""
    values: dict[pa.DataType, Any] = {pa.string(): "text{}", pa.bool_(): True}
    row: dict[str, Any] = {}
    for place, field in enumerate(schema.columns):
        value = values.get(field.type, place)
        row[field.name] = value.format(place) if isinstance(value, str) else value
    row |= {name: value for name, value in FROM_CLOSED_SETS.items() if name in row}
    return row | ({"note": None} if "note" in row else {})


def opened(tables: Mapping[str, Sequence[Path]]) -> duckdb.DuckDBPyConnection:
    """A database with views of some tables."""
    database = duckdb.connect()
    create_views(database, tables)
    return database


def as_earlier(path: Path, version: int, table: pa.Table) -> None:
    """Write a table as another version of the schema in the footer of the file at a path."""
    metadata = pq.read_metadata(path).metadata
    footer = json.loads(metadata[parquet.FOOTER_KEY]) | {"schema_version": version}
    metadata = {parquet.FOOTER_KEY: json.dumps(footer).encode()}
    pq.write_table(table.replace_schema_metadata(metadata), path)


def test_every_view_has_the_columns_of_its_table(tmp_path: Path) -> None:
    for schema in SCHEMAS.values():
        parquet.write(tmp_path / f"{schema.name}.parquet", schema, [], made_of())
    database = opened(find_tables(tmp_path))
    for name, schema in SCHEMAS.items():
        found = {row[0]: row[1] for row in database.sql(f"DESCRIBE {name}").fetchall()}
        assert found == view_columns(schema)


@pytest.mark.parametrize("name", RENEWED)
def test_renamed_columns_are_read_in_tables_of_earlier_versions(tmp_path: Path, name: str) -> None:
    """By the reader and by the view, alone and beside a table of this version."""
    schema, renewal = SCHEMAS[name], RENEWED[name]
    path = tmp_path / "earlier.parquet"
    row = some_row(schema) | dict(renewal.filled)
    parquet.write(path, schema, [row], made_of())
    earlier = {new: old for old, new in renewal.names.items()}
    table = pq.read_table(path)
    table = table.rename_columns([earlier.get(name, name) for name in table.column_names])
    for filled in renewal.filled:
        place = table.schema.get_field_index(filled)
        table = table.set_column(place, filled, pa.nulls(1, pa.string()))
    (version,) = [
        of for of, lacking in schema.older.items() if not lacking and of == schema.version - 1
    ]
    as_earlier(path, version, table)
    assert parquet.read(path, schema).to_pylist() == [row]
    view = f"SELECT * EXCLUDE (file) FROM {name}"
    found = opened(find_tables(tmp_path)).sql(view)
    assert found.to_arrow_table().to_pylist() == [row]
    parquet.write(tmp_path / "new.parquet", schema, [row], made_of())
    found = opened(find_tables(tmp_path)).sql(view)
    assert found.to_arrow_table().to_pylist() == [row, row]


def test_the_ends_of_intervals_are_named_for_what_they_bound() -> None:
    assert not [
        name for name, schema in SCHEMAS.items() if {"low", "high"} & set(schema.columns.names)
    ]


@pytest.mark.parametrize("unit", ["step", "critique", None])
@pytest.mark.parametrize("truncated", [True, False])
def test_tokens_of_earlier_rewards(tmp_path: Path, unit: str | None, *, truncated: bool) -> None:
    path = tmp_path / "r.parquet"
    row = KEY | {"model": "m", "rewards": [0.5], "truncated": truncated, "unit": unit}
    parquet.write(path, REWARDS, [row | {"scale": "probability"}], made_of())
    table = pq.read_table(path).drop_columns(["n_tokens_read", "n_tokens_generated", "flops"])
    as_earlier(path, 2, table.append_column("n_tokens", pa.array([7], pa.int32())))
    check_same(path, REWARDS)


@pytest.mark.parametrize("version", [1, 2])
def test_tokens_of_earlier_critiques(tmp_path: Path, version: int) -> None:
    path = tmp_path / "c.parquet"
    critique = {"critique_id": 0, "critique": "!", "truncated": False, "kept": True}
    parquet.write(path, CRITIQUES, [KEY | critique], made_of())
    table = pq.read_table(path).drop_columns(["n_tokens_read", "n_tokens_generated"])
    table = table.append_column("n_tokens", pa.array([7], pa.int32()))
    if version == 2:
        table = table.append_column("n_prompt_tokens", pa.array([3], pa.int32()))
    else:
        table = table.drop_columns(["deviations"])
    as_earlier(path, version, table)
    check_same(path, CRITIQUES)


def test_tokens_of_earlier_scored_critiques(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    critique = {"critique_id": 0, "critique": "!", "reward": 0.5, "n_tokens_generated": 7}
    row = KEY | {"model": "m", "truncated": False} | critique
    parquet.write(path, SCORED_CRITIQUES, [row], made_of())
    table = pq.read_table(path)
    names = [name.replace("n_tokens_generated", "n_tokens") for name in table.column_names]
    as_earlier(path, 2, table.rename_columns(names))
    check_same(path, SCORED_CRITIQUES)


def check_same(path: Path, schema: Schema) -> None:
    """The view has what the reader reads."""
    database = opened({schema.name: [path]})
    own = [name for name in view_columns(schema) if name in schema.columns.names]
    found = database.sql(f"SELECT {', '.join(own)} FROM {schema.name}").to_arrow_table()
    assert found.to_pylist() == parquet.read(path, schema).to_pylist()


def test_critiques_have_the_kind_and_stage_of_their_footers(tmp_path: Path) -> None:
    critique = {"critique_id": 0, "critique": "!", "truncated": False, "kept": True}
    stages = {
        "a": {"kind": Kind.GORM, "stage": CritiqueStage.FILTERED},
        "it's b": {"kind": Kind.GPRM, "stage": CritiqueStage.SHORTENED},
        "unknown": {},
    }
    for name, parameters in stages.items():
        parquet.write(
            tmp_path / f"{name}.parquet", CRITIQUES, [KEY | critique], made_of(parameters)
        )
    rows = opened(find_tables(tmp_path)).sql(
        "SELECT kind, stage FROM critiques ORDER BY ALL NULLS LAST"
    )
    assert rows.fetchall() == [("gORM", "filtered"), ("gPRM", "shortened"), (None, None)]
