"""SQL over tables found by their footers."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm import tables
from multirm.errors import InputError
from multirm.query import find_tables, query

KEY = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": 0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two reward tables in folders with odd names, and strays of every sort."""
    folder = tmp_path / "it's [re]sults"
    for model in ("dORM", "gORM"):
        row = KEY | {"model": model, "rewards": [0.25, None], "n_tokens": 3, "truncated": False}
        path = folder / model / "dataset=x" / "law.parquet"
        tables.write(path, tables.REWARDS, [row], parameters={}, inputs=[])
    pq.write_table(pa.table({"a": [1]}), folder / "other.parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 cut short")
    (folder / "dORM" / ".law.parquet.17.part").write_bytes(b"unfinished")
    (folder / "folder.parquet").mkdir()
    return folder


def test_finds_tables_by_their_footers(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert {name: len(paths) for name, paths in find_tables(results).items()} == {"rewards": 2}
    for stray in ("other.parquet", "broken.parquet"):
        assert stray in caplog.text


def test_prints_the_rows_of_all_files(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sql = "SELECT model, rewards[1] AS first, file FROM rewards ORDER BY model"
    query(sql, results)
    absolute = capsys.readouterr().out
    assert absolute.index("dORM") < absolute.index("gORM")
    assert "0.25" in absolute
    monkeypatch.chdir(results.parent)
    query(sql, Path(results.name))
    assert "0.25" in capsys.readouterr().out


@pytest.mark.parametrize("sql", ["SHOW TABLES", "DESCRIBE rewards", "EXPLAIN FROM rewards"])
def test_tells_what_there_is(results: Path, capsys: pytest.CaptureFixture[str], sql: str) -> None:
    query(sql, results)
    assert "rewards" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("FROM solutions", "solutions does not exist.*the views are rewards"),
        ("SELEC 1", "syntax error.*the views are rewards"),
        ("SELECT nothing FROM rewards", "nothing.*the views are rewards"),
        ("SELECT CAST(model AS INT) FROM rewards", "Could not convert"),
        ("", "one SELECT statement, found no statement"),
        ("SELECT 1; SELECT 2", "found SELECT, SELECT"),
    ],
)
def test_bad_sql_is_one_line(results: Path, sql: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        query(sql, results)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY rewards TO '{folder}/new.csv'",
        "COPY rewards TO '{table}' (FORMAT parquet)",
        "CREATE TABLE new AS FROM rewards",
        "ATTACH '{folder}/new.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "FROM read_text('/etc/hostname')",
        "FROM '{folder}/other.parquet'",
    ],
)
def test_nothing_is_written_and_nothing_else_is_read(results: Path, sql: str) -> None:
    def contents() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}

    before = contents()
    quoted = str(results).replace("'", "''")
    with pytest.raises(InputError):
        query(sql.format(folder=quoted, table=f"{quoted}/dORM/dataset=x/law.parquet"), results)
    assert contents() == before


def test_no_tables_or_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query("SELECT 40 + 2 AS n", tmp_path)
    assert "42" in capsys.readouterr().out
    with pytest.raises(InputError, match="the views are none"):
        query("FROM rewards", tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        query("SELECT 1", tmp_path / "missing")
