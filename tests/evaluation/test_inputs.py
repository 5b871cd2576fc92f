"""Solutions and rewards in any mixture of tables and the published layout, as one database."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from multirm import tables
from multirm.errors import InputError
from multirm.evaluation.inputs import open_inputs

POOL = [("A", {"dORM": [0.5]}), ("B", {"dORM": [0.25]})]


def test_solutions_in_json_are_of_the_dataset_that_the_rewards_are_of(
    tmp_path: Path, write_tables: Any
) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    row = {"q_id": "q1", "question": "?", "answer": "A", "cot_ids": [0, 1]}
    row |= {"cots": [["So."], ["Thus.", "Hence."]], "parsed_answers": ["A", "B"]}
    (folder / "law.json").write_text(json.dumps([row]))
    database, _ = open_inputs([str(folder)], {"dORM": [str(written.rewards[0].parent)]})
    joined = database.sql(
        "SELECT solution_id, n_steps, rewards FROM solutions "
        "JOIN rewards USING (dataset, category, question_id, solution_id) ORDER BY 1"
    )
    assert joined.fetchall() == [(0, 1, [0.5]), (1, 2, [0.25])]


def test_a_model_is_called_as_it_is_given(write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions = [str(path) for path in written.solutions]
    database, _ = open_inputs(solutions, {"it's mine": [str(written.rewards[0])]})
    assert database.sql("SELECT DISTINCT model FROM rewards").fetchall() == [("it's mine",)]


def test_digits_are_kept_whatever_table_comes_first(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}, "math": {"q1": ("A", POOL)}}, ["dORM"])
    path = written.rewards[1]
    rows = [row | {"rewards": [0.1]} for row in tables.read(path, tables.REWARDS).to_pylist()]
    precise = tables.read(path, tables.REWARDS).drop(["rewards"])
    column = pa.array([row["rewards"] for row in rows], pa.list_(pa.float64()))
    table = precise.append_column("rewards", column).select(tables.REWARDS.columns.names)
    tables.write(path, tables.REWARDS, table, parameters={}, inputs=[])
    database, _ = open_inputs(
        [str(path) for path in written.solutions],
        {"dORM": [str(path) for path in written.rewards]},
    )
    found = database.sql("SELECT DISTINCT rewards FROM rewards WHERE category = 'math'").fetchall()
    assert found == [([0.1],)]


def test_what_is_not_there_or_not_what_it_should_be(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q1": ("A", POOL)}}, ["dORM"])
    solutions = [str(path) for path in written.solutions]
    with pytest.raises(InputError, match="at least one PATH"):
        open_inputs([], {})
    with pytest.raises(InputError, match="no such file"):
        open_inputs([str(tmp_path / "no.parquet")], {})
    with pytest.raises(InputError, match="expected a table of rewards"):
        open_inputs(solutions, {"dORM": solutions})
    with pytest.raises(InputError, match="nothing of that name"):
        open_inputs([str(tmp_path / "no folder")], {})
