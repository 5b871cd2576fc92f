"""Counts of what there is: totals and categories, and columns that have something in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from multirm.database.opening import open_database
from multirm.report.page.ledger import COUNTS, ledger_payload
from multirm.tables.registry import SCHEMAS
from multirm.tables.views import find_tables
from tests.database.pools import write_pools


@pytest.fixture
def database(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_database(find_tables(write_pools(tmp_path))) as opened:
        yield opened


def table_of(payload: dict[str, Any], view: str) -> list[dict[str, Any]]:
    (table,) = [each for each in payload["tables"] if each["view"] == view]
    names = [column["name"] for column in table["columns"]]
    return [dict(zip(names, row, strict=True)) for row in table["rows"]]


def test_totals_are_the_sums_of_categories(database: duckdb.DuckDBPyConnection) -> None:
    payload = ledger_payload(database)
    rows = table_of(payload, "solutions")
    total = [row for row in rows if row["category"] is None]
    parts = [row for row in rows if row["category"] is not None]
    assert len(total) == 1 and len(parts) == 2
    for name in ("n_questions", "n_solutions", "n_without_an_answer", "n_correct", "n_recoveries"):
        assert total[0][name] == sum(row[name] for row in parts)
    ((n_solutions,),) = database.execute("SELECT count(*) FROM solutions").fetchall()
    assert total[0]["n_solutions"] == n_solutions


def test_missing_rewards_are_counted(database: duckdb.DuckDBPyConnection) -> None:
    rows = table_of(ledger_payload(database), "rewards")
    query = """
        SELECT model, count(*) FILTER (reward IS NULL)
        FROM (SELECT model, unnest(rewards) AS reward FROM rewards) GROUP BY model
    """
    expected = dict(database.execute(query).fetchall())
    found = {row["model"]: row["n_missing_rewards"] for row in rows if row["category"] is None}
    assert found == expected
    assert any(found.values())


def test_only_tables_that_are_there_are_counted(database: duckdb.DuckDBPyConnection) -> None:
    payload = ledger_payload(database, [{"dataset": "d", "text": "?"}])
    views = [each["view"] for each in payload["tables"]]
    assert "solutions" in views and "samples" not in views
    assert payload["warnings"] == [{"dataset": "d", "text": "?"}]
    for table in payload["tables"]:
        values = zip(*table["rows"], strict=True)
        assert all(any(value is not None for value in column) for column in values)


@pytest.mark.parametrize("count", COUNTS, ids=lambda count: count.view)
def test_every_count_can_be_made_of_an_empty_table(count: Any, tmp_path: Path) -> None:
    schema = SCHEMAS[count.view]
    with duckdb.connect() as database:
        database.register(count.view, schema.columns.empty_table())
        names = [name for name, *_ in database.execute(count.query).description or ()]
    assert all(name.startswith(("n_", "mean_")) or name in NAMES for name in names)


NAMES = {
    *("dataset", "category", "model", "kind", "became", "set", "unit", "scale"),
    *("aggregation", "estimator"),
}
