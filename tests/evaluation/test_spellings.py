"""Answers in a database in one spelling each, or as they are written."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest

from multirm.evaluation.spellings import spell_answers
from multirm.vocabulary import AnswerRule

ROWS: list[dict[str, Any]] = [
    {"id": 0, "answer": "C", "parsed_answer": "(c)"},
    {"id": 1, "answer": "C", "parsed_answer": "Paris"},
    {"id": 2, "answer": "C", "parsed_answer": None},
    {"id": 3, "answer": "0.5", "parsed_answer": "50%"},
    {"id": 4, "answer": "50", "parsed_answer": "50%"},
    {"id": 5, "answer": None, "parsed_answer": "(c)"},
]


@pytest.fixture
def database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    schema = pa.schema(
        [("id", pa.int64()), ("answer", pa.string()), ("parsed_answer", pa.string())]
    )
    connection.register("written", pa.Table.from_pylist(ROWS, schema=schema))
    return connection


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            AnswerRule.MEANING,
            [
                ("C", "C", False),
                ("C", "paris", True),
                ("C", None, False),
                ("0.5", "0.5", False),
                ("50", "50", False),
                (None, "(c)", None),
            ],
        ),
        (AnswerRule.STRICT, [(row["answer"], row["parsed_answer"], None) for row in ROWS]),
        (None, [(row["answer"], row["parsed_answer"], None) for row in ROWS]),
    ],
)
def test_answers_by_each_rule(
    database: duckdb.DuckDBPyConnection, rule: AnswerRule | None, expected: list[Any]
) -> None:
    spell_answers(database, "written", "solutions", rule)
    found = database.sql("SELECT answer, parsed_answer, other_form FROM solutions ORDER BY id")
    assert found.fetchall() == expected
