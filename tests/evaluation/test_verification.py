"""Verification metrics, from tables to tables; the formulas have their own tests."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multirm.data.read import read_solutions
from multirm.errors import InputError
from multirm.evaluation.options import InputOptions
from multirm.evaluation.verification import evaluate_verification
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.response_accuracy import SHORTER
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.verification import RELIABILITY, STEP_VERIFICATION, VERIFICATION
from tests.origins import made_of


def evaluated(folder: Path, written: Any, aggregation: list[str]) -> None:
    evaluate_verification(written.options(aggregation), folder)


def of_models(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of reward models; the stand-in has its own tests."""
    return [row for row in rows if row["model"] != SHORTER]


def test_one_row_per_scorer_and_category(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]}), (None, {"dPRM": [None]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    evaluated(tmp_path, written, ["dPRM=min,max_delta"])
    rows = parquet.read(tmp_path / "verification.parquet", VERIFICATION).to_pylist()
    row, delta = of_models(rows)
    assert (row["n_scored"], row["n_missing"], row["n_correct"]) == (2, 1, 1)
    assert row["f1"] == pytest.approx(2 / 3)
    assert row["roc_auc"] == 1
    assert row["brier"] == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert (delta["n_scored"], delta["f1"], delta["ece"]) == (0, None, None)
    bins = parquet.read(tmp_path / "reliability.parquet", RELIABILITY).to_pylist()
    assert sum(part["count"] for part in bins if part["category"] == "law") == 2
    steps = parquet.read(tmp_path / "step_verification.parquet", STEP_VERIFICATION)
    assert steps.num_rows == 0


def test_steps_are_judged_if_they_are_labelled(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.2]}), ("B", {"dPRM": [0.7]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    (path,) = written.solutions
    labels = [[1], [0], None]
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    rows = [row | {"step_labels": label} for row, label in zip(rows, labels, strict=True)]
    parquet.write(path, SOLUTIONS, rows, made_of())
    evaluated(tmp_path, written, ["dPRM=min"])
    rows = parquet.read(tmp_path / "step_verification.parquet", STEP_VERIFICATION).to_pylist()
    (row,) = of_models(rows)
    assert (row["first_error_n_scored"], row["first_error_roc_auc"]) == (2, 1)
    assert row["process_bench_f1"] == 1


@pytest.mark.parametrize(
    ("reader", "folder"), [(Reader.PRMBENCH, "prmbench"), (Reader.VERSAPRM, "prm800k")]
)
def test_data_without_reference_answers(
    tmp_path: Path, shared_data: Path, reader: Reader, folder: str
) -> None:
    """Outcomes follow from the steps there; measured against plain loops over the rows."""
    path = tmp_path / "data" / "math.parquet"
    read_solutions(reader, [str(shared_data / folder)], "real", "math", path)
    solutions = parquet.read(path, SOLUTIONS).to_pylist()
    assert {row["answer"] for row in solutions} == {None}
    generator = random.Random(1)
    rewards = [
        [
            generator.randint(0, 4) / 8 + 0.5 * label * (generator.random() < 0.9)
            for label in row["step_labels"]
        ]
        for row in solutions
    ]
    own = ("dataset", "category", "question_id", "solution_id")
    rows = [
        {name: row[name] for name in own}
        | {"model": "dPRM", "rewards": values, "truncated": None}
        | {"unit": "step", "scale": "probability"}
        for row, values in zip(solutions, rewards, strict=True)
    ]
    table = tmp_path / "rewards" / "math.parquet"
    parquet.write(table, REWARDS, rows, made_of())
    options = InputOptions(
        solutions=[str(path)], rewards=[f"dPRM={table}"], aggregation=["dPRM=min"]
    )
    evaluate_verification(options, tmp_path)

    rows = parquet.read(tmp_path / "verification.parquet", VERIFICATION).to_pylist()
    (found,) = of_models(rows)
    judged = [k for k, row in enumerate(solutions) if row["outcome"] is not None]
    correct = [solutions[k]["outcome"] == 1 for k in judged]
    predicted = [min(rewards[k]) >= 0.5 for k in judged]
    tp = sum(a and b for a, b in zip(correct, predicted, strict=True))
    assert (found["n_scored"], found["n_correct"]) == (len(judged), sum(correct))
    assert found["precision"] == pytest.approx(tp / sum(predicted))
    assert found["recall"] == pytest.approx(tp / sum(correct))

    rows = parquet.read(tmp_path / "step_verification.parquet", STEP_VERIFICATION).to_pylist()
    (steps,) = of_models(rows)
    hits: dict[bool, list[bool]] = {True: [], False: []}
    for row, values in zip(solutions, rewards, strict=True):
        first = [label == 1 for label in row["step_labels"]]
        predicted = [value >= 0.5 for value in values]
        place = first.index(False) if False in first else -1
        hits[place >= 0].append((predicted.index(False) if False in predicted else -1) == place)
    erroneous, right = np.mean(hits[True]), np.mean(hits[False])
    assert steps["process_bench_n_erroneous"] == len(hits[True])
    assert steps["process_bench_accuracy_erroneous"] == pytest.approx(erroneous)
    assert steps["process_bench_accuracy_correct"] == pytest.approx(right)
    f1 = 2 * erroneous * right / (erroneous + right)
    assert steps["process_bench_f1"] == pytest.approx(f1)
    assert steps["all_n_scored"] == sum(map(len, rewards))


def test_solutions_without_answer_and_outcome_are_not_judged(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]}), ("A", {"dPRM": [0.1]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    (path,) = written.solutions
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    changed = [
        row | {"answer": None, "outcome": outcome}
        for row, outcome in zip(rows, [1, None, 0], strict=True)
    ]
    parquet.write(path, SOLUTIONS, changed, made_of())
    evaluated(tmp_path, written, ["dPRM=min"])
    rows = parquet.read(tmp_path / "verification.parquet", VERIFICATION).to_pylist()
    (row,) = of_models(rows)
    assert (row["n_scored"], row["n_correct"], row["f1"]) == (2, 1, 1.0)
    assert "law: left out 1 solutions with neither a reference answer nor an outcome" in caplog.text


def test_odd_lists_are_left_out_of_the_step_measures(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty list is missing rewards; a list of another length is left out."""
    good = [("A", {"dPRM": [0.9, 0.8]})] * 4 + [("B", {"dPRM": [0.9, 0.1]})] * 4
    pool = [*good, ("A", {"dPRM": []}), ("B", {"dPRM": [0.5, 0.5, 0.5]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    (path,) = written.solutions
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    labelled = [
        row | {"steps": ["One.", "Two."], "step_labels": [1, int(row["parsed_answer"] == "A")]}
        for row in rows
    ]
    parquet.write(path, SOLUTIONS, labelled, made_of())
    evaluated(tmp_path, written, ["dPRM=min"])
    rows = parquet.read(tmp_path / "step_verification.parquet", STEP_VERIFICATION).to_pylist()
    (row,) = of_models(rows)
    assert (row["all_n_scored"], row["all_n_missing"]) == (16, 2)
    assert (row["process_bench_n_missing"], row["process_bench_f1"]) == (1, 1.0)
    assert "left out 1 solutions without exactly one reward by dPRM per step" in caplog.text


def test_invalid_labels_are_refused(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"dPRM": [0.9]})])}}, ["dPRM"])
    (path,) = written.solutions
    options = written.options(["dPRM=min"], solutions=[str(tmp_path / "theirs.parquet")])
    for column, value in (("outcome", 2), ("step_labels", [-1])):
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        table = pa.Table.from_pylist([rows[0] | {column: value}], schema=SOLUTIONS.columns)
        pq.write_table(table, tmp_path / "theirs.parquet")
        with pytest.raises(InputError, match="expected outcomes and step labels 0 or 1, found 1 w"):
            evaluate_verification(options, tmp_path)
