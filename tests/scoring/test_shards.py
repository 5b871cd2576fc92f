"""Shards that are put together are the table that one job makes."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from multirm.errors import InputError
from multirm.running.files import digests
from multirm.running.shards import Shard
from multirm.scoring.shards import join_shards
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS, pool_of
from tests.origins import made_of


def solution(question: int, number: int) -> dict[str, Any]:
    return {
        "dataset": "toy",
        "category": "law",
        "question_id": f"q{question}",
        "solution_id": number,
        "question": "Which?",
        "answer": "A",
        "steps": ["So."],
        "parsed_answer": "A",
        "outcome": 1,
        "step_labels": None,
    }


def reward(row: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: row[name] for name in SOLUTIONS.key},
        "model": "dORM",
        "rewards": [row["solution_id"] / 100],
        "n_tokens_read": 3,
        "n_tokens_generated": 0,
        "flops": None,
        "truncated": False,
        "unit": "step",
        "scale": "probability",
    }


@pytest.fixture
def solutions(tmp_path: Path) -> Path:
    # The solutions of a pool need not be neighbours.
    rows = [solution(question, number) for number in range(3) for question in (2, 0, 1)]
    path = tmp_path / "solutions.parquet"
    parquet.write(path, SOLUTIONS, rows, made_of())
    return path


def write_shards(solutions: Path, count: int) -> list[Path]:
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    paths = []
    for number in range(1, count + 1):
        path = solutions.with_name(f"{number}-of-{count}.parquet")
        parameters = {"model": "dORM", "shard": f"{number}/{count}"}
        part = [reward(row) for row in Shard(number, count).of(rows, pool_of)]
        parquet.write(path, REWARDS, part, made_of(parameters, [solutions]))
        paths.append(path)
    return paths


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_together_they_are_the_whole_table(solutions: Path, count: int) -> None:
    output = solutions.with_name("whole.parquet")
    join_shards(solutions, write_shards(solutions, count)[::-1], output)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    joined = parquet.read(output, REWARDS).to_pylist()
    expected = [reward(row) for row in rows]
    for row in expected:
        row["rewards"] = pytest.approx(row["rewards"])
    assert joined == expected
    footer = parquet.read_footer(output)
    assert footer.parameters == {"model": "dORM", "shards": count}
    # What the parts were made from, and not the parts, which are soon gone.
    assert footer.inputs == digests([solutions])


def test_a_missing_shard_is_missed(solutions: Path) -> None:
    output = solutions.with_name("whole.parquet")
    shards = write_shards(solutions, 3)
    for some in (shards[:2], shards[:1], [*shards[:2], shards[0]], [*shards, shards[0]]):
        with pytest.raises(InputError, match=r"expected each of . shards once, found 1/3"):
            join_shards(solutions, some, output)
    assert not output.exists()


def test_the_shards_of_other_solutions_are_refused(solutions: Path) -> None:
    shards = write_shards(solutions, 2)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    parquet.write(solutions, SOLUTIONS, rows[:-1], made_of())
    with pytest.raises(InputError, match=r"1-of-2\.parquet: expected a shard of .*solutions"):
        join_shards(solutions, shards, solutions.with_name("whole.parquet"))


def test_shards_that_were_made_otherwise_are_refused(solutions: Path) -> None:
    shards = write_shards(solutions, 2)
    rows = parquet.read(shards[1], REWARDS)
    parameters = {"model": "dORM", "shard": "2/2", "seed": 7}
    parquet.write(shards[1], REWARDS, rows, made_of(parameters, [solutions]))
    with pytest.raises(InputError, match=r"2-of-2\.parquet: .* made as .*1-of-2\.parquet was"):
        join_shards(solutions, shards, solutions.with_name("whole.parquet"))


def test_rows_that_a_shard_lacks_are_missed(solutions: Path) -> None:
    shards = write_shards(solutions, 2)
    rows = parquet.read(shards[1], REWARDS).to_pylist()
    parameters = {"model": "dORM", "shard": "2/2"}
    parquet.write(shards[1], REWARDS, rows[1:], made_of(parameters, [solutions]))
    with pytest.raises(
        InputError, match=r"rewards of every solution .* found none of 'toy/law/q1/0'"
    ):
        join_shards(solutions, shards, solutions.with_name("whole.parquet"))


def test_no_shards_and_shards_of_no_such_table_are_one_line(solutions: Path) -> None:
    output = solutions.with_name("whole.parquet")
    with pytest.raises(InputError, match="--shards: expected at least one table, found none"):
        join_shards(solutions, [], output)
    (shard,) = write_shards(solutions, 1)
    for name in ("nonsense", "accuracy"):
        footer = json.loads(pq.read_metadata(shard).metadata[b"multirm"]) | {"schema": name}
        table = pq.read_table(shard).replace_schema_metadata({b"multirm": json.dumps(footer)})
        pq.write_table(table, shard)
        with pytest.raises(InputError, match=f"a table of rewards or scored_critiques, .*{name}"):
            join_shards(solutions, [shard], output)
