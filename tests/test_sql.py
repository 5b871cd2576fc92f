"""Text and paths in SQL, against DuckDB itself."""

from pathlib import Path

import duckdb
import pytest

from multirm.sql import literal, literals, without_wildcards

ODD = ["it's", "''", 'a "b"', "new\nline", "back\\slash", "$1 {x} %s ?", ""]


@pytest.mark.parametrize("text", ODD)
def test_a_string_is_what_it_was(text: str) -> None:
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]


def test_a_list_of_strings_is_what_it_was() -> None:
    assert duckdb.sql(f"SELECT {literals(ODD)}").fetchall() == [(ODD,)]


@pytest.mark.parametrize("name", ["a[1]", "a*", "a?", "[!a]", "a]", "[", "**", "a[b-c]*?"])
def test_a_path_is_no_pattern(tmp_path: Path, name: str) -> None:
    for folder in ("a1", "aX", "ab", "a", "b", name):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "t.txt").write_text(folder)
    path = literal(without_wildcards(tmp_path / name / "t.txt"))
    assert duckdb.sql(f"SELECT content FROM read_text({path})").fetchall() == [(name,)]
