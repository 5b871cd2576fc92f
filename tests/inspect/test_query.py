"""SQL over tables that are found by their footers."""

import contextlib
import csv
import io
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.inspect.query import query
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.views import find_tables
from tests.origins import made_of

KEY = {"dataset": "d", "category": "law", "question_id": "q", "solution_id": 0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two reward tables in folders with odd names, and other files of all sorts."""
    folder = tmp_path / "it's [re]sults"
    for model in ("dORM", "gORM"):
        row = KEY | {
            "model": model,
            "rewards": [0.25, None],
            "n_tokens_read": 3,
            "truncated": False,
        }
        path = folder / model / "dataset=x" / "law.parquet"
        parquet.write(path, REWARDS, [row], made_of())
    pq.write_table(pa.table({"a": [1]}), folder / "other.parquet")
    (folder / "broken.parquet").write_bytes(b"PAR1 cut short")
    (folder / "dORM" / ".law.parquet.17.part").write_bytes(b"unfinished")
    (folder / "folder.parquet").mkdir()
    return folder


def test_finds_tables_by_their_footers(results: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert {name: len(paths) for name, paths in find_tables(results).items()} == {"rewards": 2}
    for stray in ("other.parquet", "broken.parquet"):
        assert stray in caplog.text


@pytest.mark.parametrize(("shard", "n_found"), [("1/1", 3), ("1/2", 2)])
def test_rows_of_shards_are_not_seen_twice(results: Path, shard: str, n_found: int) -> None:
    row = KEY | {"model": "dPRM", "rewards": [0.5], "n_tokens_read": 3, "truncated": False}
    path = results / "shards" / "1-of-2.parquet"
    parquet.write(path, REWARDS, [row], made_of({"shard": shard}))
    assert len(find_tables(results)["rewards"]) == n_found


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


def test_every_row_and_column_is_printed_if_wanted(
    results: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CSV for other programs, with --all as a table for a terminal, however long and wide."""
    sql = "SELECT i, NULL AS nothing, [i, NULL] AS list, " + ", ".join(
        f"repeat('{letter}', 150) AS {letter}" for letter in "abcdef"
    )
    sql += " FROM range(2000) AS r(i)"
    query(sql, results)
    header, *rows = csv.reader(io.StringIO(capsys.readouterr().out))
    assert header == ["i", "nothing", "list", *"abcdef"]
    assert rows == [
        [str(i), "", f"[{i}, None]", *(letter * 150 for letter in "abcdef")] for i in range(2000)
    ]
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    query(sql, results, whole=True)
    lines = capsys.readouterr().out.splitlines()
    assert sum("f" * 150 in line for line in lines) == 2000


def in_a_terminal(arguments: list[str], columns: int = 80) -> str:
    """What a command prints in a terminal of this width."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-m", "multirm", *arguments],
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "COLUMNS": str(columns), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    os.close(theirs)
    said = b""
    # At its end, the terminal is gone.
    with contextlib.suppress(OSError):
        while part := os.read(ours, 65536):
            said += part
    os.close(ours)
    assert run.wait() == 0, said
    return said.decode().replace("\r\n", "\n")


def test_a_terminal_shows_the_first_rows_and_their_number(results: Path) -> None:
    sql = "SELECT i, repeat('word ', 50) || chr(27) || '[2J' AS text FROM range(12345) AS r(i)"
    said = in_a_terminal(["query", sql, "--results", str(results)])
    lines = said.splitlines()
    assert lines[-1] == "40 of 12,345 rows; --all prints all"
    assert [line.split()[0] for line in lines[2:42]] == [str(i) for i in range(40)]
    assert all(len(line) == 80 and line.endswith("…") for line in lines[2:42])
    everything = in_a_terminal(["query", sql, "--results", str(results), "--all"])
    assert len(everything.splitlines()) == 2 + 12345
    assert "\x1b" not in said + everything
    assert r"word \x1b[2J" in everything


def test_a_terminal_names_the_columns_that_it_has_no_room_for(results: Path) -> None:
    sql = "SELECT " + ", ".join(f"repeat('{letter}', 30) AS {letter}" for letter in "abcdefgh")
    *_, named, last = in_a_terminal(["query", sql, "--results", str(results)]).splitlines()
    assert (named, last) == ("no room for: f, g, h", "5 of 8 columns; --all prints all")
    *_, last = in_a_terminal(["query", "SELECT 1", "--results", str(results)]).splitlines()
    assert last == "1 row"


def test_a_terminal_shows_a_plan_in_lines(results: Path) -> None:
    said = in_a_terminal(["query", "EXPLAIN FROM rewards", "--results", str(results)])
    assert "Read Parquet" in said or "READ_PARQUET" in said
    assert r"\n" not in said


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("PIVOT rewards ON model USING count(*) GROUP BY category", [["law", "1", "1"]]),
        ("FROM (PIVOT rewards ON model USING count(*)) SELECT count(*)", [["2"]]),
        ("PIVOT rewards ON model USING count(*) GROUP BY category; -- done", [["law", "1", "1"]]),
        (
            "WITH r AS (FROM rewards) PIVOT r ON model USING count(*) GROUP BY dataset",
            [list("d11")],
        ),
        ("PIVOT rewards ON model IN ('dORM') USING count(*) GROUP BY dataset", [list("d1")]),
        ("UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b", [list("a1"), list("b2")]),
        ("WITH r AS (FROM rewards) SELECT count(*) FROM r", [["2"]]),
        ("FROM rewards SELECT count(*)", [["2"]]),
        ("VALUES (1, 'COPY'), (2, 'b')", [["1", "COPY"], ["2", "b"]]),
        ("SHOW TABLES", [["columns"], ["rewards"]]),
    ],
)
def test_whatever_only_reads_is_run(
    results: Path, capsys: pytest.CaptureFixture[str], sql: str, rows: list[list[str]]
) -> None:
    query(sql, results)
    _, *found = csv.reader(io.StringIO(capsys.readouterr().out))
    assert found == rows


def test_a_reader_may_close_the_pipe_early(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "multirm", "query", "SELECT * FROM range(200000)"]
    with subprocess.Popen(
        [*command, "--results", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"range\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("folder", "sibling"), [("run[1]", "run1"), ("star*", "starX"), ("what?", "whatX")]
)
def test_a_path_is_not_a_glob_pattern(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str, sibling: str
) -> None:
    for name, reward in ((folder, 0.25), (sibling, 0.75)):
        row = KEY | {"model": "m", "rewards": [reward], "n_tokens_read": 3, "truncated": False}
        path = tmp_path / name / "law.parquet"
        parquet.write(path, REWARDS, [row], made_of())
    query("SELECT rewards[1] AS first, file FROM rewards", tmp_path / folder)
    assert capsys.readouterr().out == f"first,file\n0.25,{tmp_path}/{folder}/law.parquet\n"


@pytest.mark.parametrize(
    "sql",
    [
        "SHOW TABLES",
        "DESCRIBE rewards",
        "SUMMARIZE rewards",
        "DESCRIBE PIVOT rewards ON model USING count(*)",
        "EXPLAIN FROM rewards",
        "EXPLAIN PIVOT rewards ON model USING count(*)",
    ],
)
def test_lists_views_and_columns(
    results: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    query(sql, results)
    assert re.search("rewards|dORM", capsys.readouterr().out, re.IGNORECASE)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("FROM solutions", "solutions does not exist.*the views are rewards"),
        ("SELEC 1", "syntax error.*the views are rewards, columns"),
        ("SELECT 1 AS copy", 'found SELECT with COPY; a name is written in quotes, "copy"'),
        ("SELECT nothing FROM rewards", "nothing.*the views are rewards"),
        ("SELECT CAST(model AS INT) FROM rewards", "Could not convert"),
        ("", "one statement that only reads, such as SELECT, found no statement"),
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
        "EXPLAIN ANALYZE COPY (SELECT 1 AS gone) TO '{table}' (FORMAT parquet, USE_TMP_FILE false)",
        "explain /* only */ (ANALYZE, FORMAT json) COPY rewards TO '{table}'",
        "EXPLAIN COPY rewards TO '{table}'",
        "-- nothing\nEXPLAIN ANALYSE CREATE TABLE new AS FROM rewards",
        "EXPLAIN ANALYZE EXPLAIN ANALYZE COPY rewards TO '{table}'",
        "EXPLAIN ANALYZE PRAGMA database_list",
        "EXPORT DATABASE '{folder}/new'",
        "CALL enable_logging(storage = 'file', storage_path = '{folder}/new')",
        "FROM enable_logging('QueryLog', storage = 'file', storage_path = '{folder}/new')",
        'FROM query($$COPY rewards TO "x"$$)',
        "WITH new AS (COPY rewards TO '{folder}/new.csv') FROM new",
        "WITH new AS (COPY (SELECT 1) TO '{table}' (FORMAT parquet, USE_TMP_FILE false)) FROM new",
        "WITH été AS (COPY (SELECT 'é中') TO '{table}' (FORMAT parquet)) FROM été",
        "WITH new AS /**/ (/**/ cOpY (SELECT 1) TO '{table}' (FORMAT parquet)) FROM new",
        "WITH new AS (COPY (SELECT 1) TO '{table}' (FORMAT parquet, USE_TMP_FILE false)) "
        "PIVOT new ON Count USING sum(Count)",
        "EXPLAIN ANALYZE WITH new AS (COPY (SELECT 1) TO '{table}' (FORMAT parquet)) FROM new",
        "FROM query($$WITH new AS (COPY (SELECT 1) TO '{table}' (FORMAT parquet)) FROM new$$)",
        "COPY (PIVOT rewards ON model USING count(*)) TO '{table}' (FORMAT parquet)",
        "EXPLAIN ANALYZE COPY (PIVOT rewards ON model USING count(*)) TO '{table}'",
        "CREATE TABLE new AS PIVOT rewards ON model USING count(*)",
        "PIVOT rewards ON model USING count(*); COPY rewards TO '{table}' (FORMAT parquet)",
        "LOAD '{folder}/new.so'",
        "USE memory",
        "SELECT 1; COPY rewards TO '{folder}/new.csv'",
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


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT max(list_max(rewards)) FROM rewards",
        "SELECT max(list_max(rewards)) FROM Rewards",
        'SELECT max(list_max(rewards)) FROM "REWARDS"',
        "WITH r AS (FROM rewards) SELECT count(*) FROM r AS a, (FROM r) AS b",
        "SUMMARIZE rewards",
        "EXPLAIN ANALYZE FROM rewards",
        "FROM query_table('rewards')",
        "FROM query('FROM rewards')",
        "FROM '{table}'",
        "FROM read_parquet('{table}')",
    ],
)
def test_damaged_tables_are_not_read(
    results: Path, capsys: pytest.CaptureFixture[str], sql: str
) -> None:
    path = results / "dORM" / "dataset=x" / "law.parquet"
    statement = sql.format(table=str(path).replace("'", "''").replace("[", "[[]"))
    query(statement, results)
    content = bytearray(path.read_bytes())
    column = pq.read_metadata(path).row_group(0).column(5)
    content[column.data_page_offset + column.total_compressed_size - 1] ^= 16
    path.write_bytes(content)
    capsys.readouterr()
    with pytest.raises(InputError, match=r"law\.parquet: expected a whole Parquet table"):
        query(statement, results)
    assert not capsys.readouterr().out
    # A query that reads no damaged table runs.
    query("SELECT 1", results)


def test_a_footer_of_another_table_is_an_error_of_one_line(results: Path) -> None:
    row = {"dataset": "d", "category": "law", "question_id": "q", "question": "?"}
    path = results / "theirs.parquet"
    parquet.write(path, QUESTIONS, [row | {"options": None, "answer": None}], made_of())
    footer = pq.read_metadata(path).metadata[b"multirm"].replace(b'"questions"', b'"rewards"')
    table = pq.read_table(path).replace_schema_metadata({b"multirm": footer})
    pq.write_table(table, path)
    with pytest.raises(InputError) as caught:
        query("SELECT n_tokens_read.x FROM rewards", results)
    assert "\n" not in str(caught.value)


def test_ctrl_c_stops_duckdb(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    endless = "SELECT count(*) FROM range(1000000000000) AS r(i) WHERE i % 7 = 1"
    script = f"from multirm.inspect.query import query; from pathlib import Path; query({endless!r}, Path())"
    with subprocess.Popen(
        [sys.executable, "-c", f"print('ready', flush=True); {script}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=results,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            # Early signals may arrive while it imports: any of them stops it.
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.send_signal(signal.SIGINT)
                process.wait(timeout=1)
        assert process.stderr is not None
        assert b"KeyboardInterrupt" in process.stderr.read()


def test_no_tables_or_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    query("SELECT 40 + 2 AS n", tmp_path)
    assert "42" in capsys.readouterr().out
    with pytest.raises(InputError, match="there are no views"):
        query("FROM rewards", tmp_path)
    with pytest.raises(InputError, match=r"no such folder$"):
        query("SELECT 1", tmp_path / "missing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no such folder; say where they are: --results=FOLDER"):
        query("SELECT 1")


def test_a_mistake_names_the_views_that_there_are(results: Path) -> None:
    with pytest.raises(InputError, match=r"the views are rewards, columns$"):
        query("SELECT nonsense FROM rewards", results)
    parquet.write(results / "solutions.parquet", SOLUTIONS, [], made_of())
    with pytest.raises(InputError, match="the views are scores, choices, steps, step_rewards, "):
        query("SELECT nonsense FROM rewards", results)
