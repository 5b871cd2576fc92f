"""Answers in a database with one spelling each, or as written."""

import json
import random
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.data.read import read_rewards, read_solutions
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.answer_spellings import spell_answers
from multirm.evaluation.options import SelectionOptions
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY
from multirm.tables.ledger import LEDGER
from multirm.tables.solutions import SOLUTIONS
from multirm.text.answer_rules import AnswerRule

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


# For each reference answer, some that mean it and some that do not; the last is of another form.
MESSY = {
    "C": (["C", "(c)", " C ", "**C**"], ["D", "(d)", "Paris"]),
    "(B)": (["B", "b."], ["A", "yes"]),
    "1,000": (["1000", "$1,000.00", "1e3"], ["1,001", "100", "many"]),
    "0.5": (["1/2", "50%", "\\frac12"], ["50", "1/3", "half"]),
    "18 dollars": (["18", "$18"], ["18 cents", "19", "none"]),
}


def test_answers_are_compared_alike_in_all_sources(tmp_path: Path) -> None:
    """In Multi-RM's layout, our tables and those of other programs; against a plain count."""
    generator = random.Random(7)
    pools, rewards, right, other = [], [], [], 0
    for number, (answer, (same, wrong)) in enumerate(MESSY.items()):
        parsed = [generator.choice([*same, *wrong, None]) for _ in range(6)]
        right.append(sum(each in same for each in parsed) / 6)
        other += sum(each == wrong[-1] for each in parsed)
        ids = {"q_id": str(number), "cot_ids": list(range(6))}
        cots = [["So."]] * 6
        pools.append(
            {**ids, "question": "?", "answer": answer, "cots": cots, "parsed_answers": parsed}
        )
        rewards.append({**ids, "rewards": [[generator.random()] for _ in range(6)]})
    folder = tmp_path / "d"
    folder.mkdir()
    (folder / "law.json").write_text(json.dumps(pools))
    (folder / "law_reward.json").write_text(json.dumps(rewards))
    ours = tmp_path / "law.parquet"
    read_solutions(Reader.PUBLISHED, [str(folder)], "d", "law", ours)
    scores = tmp_path / "rewards.parquet"
    read_rewards([str(folder)], "d", "law", "m", ours, scores)
    theirs = tmp_path / "theirs.parquet"
    kept = parquet.read(ours, SOLUTIONS).replace_schema_metadata(None).drop(["outcome"])
    kept = kept.append_column("outcome", pa.nulls(kept.num_rows, pa.float64()))
    pq.write_table(kept.select(SOLUTIONS.columns.names), theirs)
    found = []
    for route, solutions, given in (
        ("multi_rm", folder, folder),
        ("ours", ours, scores),
        ("theirs", theirs, scores),
    ):
        folder = tmp_path / route
        options = SelectionOptions(
            solutions=[str(solutions)],
            rewards=[f"m={given}"],
            aggregation=["m=mean"],
            scale=["probability"],
            n=[1, 4],
        )
        evaluate(options, folder)
        found.append(parquet.read(folder / "accuracy.parquet", ACCURACY).to_pylist())
        (ledger,) = parquet.read(folder / "ledger.parquet", LEDGER).to_pylist()
        assert ledger["n_other_form"] == other
    assert found[0] == found[1] == found[2]
    ones = [row["accuracy"] for row in found[0] if row["n"] == 1]
    assert ones == pytest.approx([100 * sum(right) / len(right)] * len(ones))
