"""Verification metrics, from tables to tables; the formulas have their own tests."""

from pathlib import Path
from typing import Any

import pytest

from multirm import tables
from multirm.evaluation.verify import evaluate_verification


def evaluated(folder: Path, written: Any, aggregation: list[str]) -> None:
    evaluate_verification(
        solutions=[str(path) for path in written.solutions],
        rewards=[f"{path.parent.name}={path}" for path in written.rewards],
        aggregation=aggregation,
        output=folder,
    )


def test_a_row_for_each_scorer_and_category(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]}), (None, {"dPRM": [None]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    evaluated(tmp_path, written, ["dPRM=min,max_delta"])
    rows = tables.read(tmp_path / "verification.parquet", tables.VERIFICATION).to_pylist()
    row, delta = rows
    assert (row["n_scored"], row["n_missing"], row["n_correct"]) == (2, 1, 1)
    assert row["f1"] == pytest.approx(2 / 3)
    assert row["roc_auc"] == 1
    assert row["brier"] == pytest.approx((0.1**2 + 0.6**2) / 2)
    assert (delta["n_scored"], delta["f1"], delta["ece"]) == (0, None, None)
    bins = tables.read(tmp_path / "reliability.parquet", tables.RELIABILITY).to_pylist()
    assert sum(part["count"] for part in bins) == 2
    steps = tables.read(tmp_path / "step_verification.parquet", tables.STEP_VERIFICATION)
    assert steps.num_rows == 0


def test_steps_are_judged_where_they_are_labelled(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.2]}), ("B", {"dPRM": [0.7]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    (path,) = written.solutions
    labels = [[1], [0], None]
    rows = tables.read(path, tables.SOLUTIONS).to_pylist()
    rows = [row | {"step_labels": label} for row, label in zip(rows, labels, strict=True)]
    tables.write(path, tables.SOLUTIONS, rows, parameters={}, inputs=[])
    evaluated(tmp_path, written, ["dPRM=min"])
    (row,) = tables.read(
        tmp_path / "step_verification.parquet", tables.STEP_VERIFICATION
    ).to_pylist()
    assert (row["first_error_n_scored"], row["first_error_roc_auc"]) == (2, 1)
    assert row["process_bench_f1"] == 1
