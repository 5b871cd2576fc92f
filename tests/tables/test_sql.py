"""String and path literals, against DuckDB itself."""

from pathlib import Path

import duckdb
import pytest

from multirm.errors import InputError
from multirm.tables.sql import literal, literals, reading, without_wildcards

ODD = ["it's", "''", 'a "b"', "new\nline", "back\\slash", "$1 {x} %s ?", ""]


@pytest.mark.parametrize("text", ODD)
def test_a_string_is_unchanged(text: str) -> None:
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]


def test_a_list_of_strings_is_unchanged() -> None:
    assert duckdb.sql(f"SELECT {literals(ODD)}").fetchall() == [(ODD,)]


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?", "[!a]", "a]", "[", "**", "a[b-c]*?"])
def test_a_path_is_not_a_glob_pattern(tmp_path: Path, name: str) -> None:
    for folder in ("a1", "aX", "ab", "a", "b", name):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "t.txt").write_text(folder)
    path = literal(without_wildcards(tmp_path / name / "t.txt"))
    assert duckdb.sql(f"SELECT content FROM read_text({path})").fetchall() == [(name,)]


def test_an_unreadable_table_is_one_line_and_a_bug_is_not() -> None:
    database = duckdb.connect(config={"memory_limit": "1MB", "temp_directory": ""})
    with (
        pytest.raises(InputError, match="here: expected tables that fit into memory") as caught,
        reading("here"),
    ):
        database.execute("SELECT list(i) FROM range(10000000) AS r(i)").fetchall()
    assert "\n" not in str(caught.value)
    with (
        pytest.raises(InputError, match="tables that DuckDB can read, found Conversion Error"),
        reading("here"),
    ):
        database.execute("SELECT 'a'::INT").fetchall()
    with pytest.raises(duckdb.BinderException), reading("here"):
        database.execute("SELECT nothing")
    with pytest.raises(InputError), reading("here", duckdb.BinderException):
        database.execute("SELECT nothing")
