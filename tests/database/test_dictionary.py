"""The column dictionary has every column of every view, and nothing else."""

from pathlib import Path

import pytest
import yaml

from multirm.database.derived import VIEWS
from multirm.database.dictionary import NAME, about, columns_of
from multirm.database.opening import open_database
from multirm.tables.registry import SCHEMAS
from multirm.tables.schema import Schema
from multirm.tables.views import find_tables, view_columns
from tests.database.pools import write_pools

WRITTEN = yaml.safe_load(
    (Path(__file__).parents[2] / "src/multirm/tables/columns.yaml").read_text("utf-8")
)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_every_column_of_a_table_has_a_sentence(schema: Schema) -> None:
    found = columns_of(schema.name)
    assert {each.column: each.type for each in found} == view_columns(schema)
    assert about(schema.name)
    for each in found:
        assert each.meaning, each.column
        assert not each.meaning.endswith("."), each.column
        # A sentence says that a column can be null if and only if it can.
        is_list = each.type.endswith("[]")
        assert each.nullable or is_list or "null" not in each.meaning, each.column
        if each.column in schema.columns.names:
            assert each.nullable == schema.columns.field(each.column).nullable, each.column


def test_nothing_is_written_about_other_columns() -> None:
    assert list(WRITTEN["tables"]) == list(SCHEMAS)
    for name, table in WRITTEN["tables"].items():
        assert set(table["columns"]) <= set(view_columns(SCHEMAS[name])), name
    used = {column for schema in SCHEMAS.values() for column in view_columns(schema)}
    assert set(WRITTEN["common"]) <= used


def test_a_sentence_that_is_the_same_in_all_tables_is_written_once() -> None:
    for name, table in WRITTEN["tables"].items():
        for column, meaning in table["columns"].items():
            assert WRITTEN["common"].get(column) != meaning, (name, column)


def test_the_dictionary_is_a_view_of_what_is_there(tmp_path: Path) -> None:
    tables = find_tables(write_pools(tmp_path))
    database = open_database(tables)
    rows = database.sql(f'SELECT view, "column", type, meaning FROM {NAME}').fetchall()
    assert list(dict.fromkeys(view for view, *_ in rows)) == [*tables, *VIEWS]
    for view in (*tables, *VIEWS):
        described = database.sql(f"DESCRIBE {view}").fetchall()
        own = {column: type_ for name, column, type_, _ in rows if name == view}
        assert own == {column: type_ for column, type_, *_ in described}


def test_views_have_no_nulls_where_none_are_said_to_be(tmp_path: Path) -> None:
    database = open_database(find_tables(write_pools(tmp_path)))
    for view in VIEWS:
        for each in columns_of(view):
            ((n_nulls,),) = database.sql(
                f'SELECT count(*) FROM {view} WHERE "{each.column}" IS NULL'
            ).fetchall()
            assert each.nullable or not n_nulls, (view, each.column)
