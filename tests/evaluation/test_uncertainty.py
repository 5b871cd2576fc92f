"""The variance budget and the accuracy by number of critiques, from tables to tables."""

import random
from pathlib import Path
from typing import Any

import pytest

from multirm import tables
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.uncertainty import measure_uncertainty

MODELS = ["dORM", "gORM"]


def study(critiques: int) -> dict[str, Any]:
    """Forty questions with pools of 8; gORM's rewards are critiques that know a little."""
    generator = random.Random(5)

    def solution() -> tuple[str, dict[str, list[float | None]]]:
        right = generator.random() < 0.4

        def reward() -> float:
            return min(1.0, max(0.0, generator.gauss(0.6 if right else 0.4, 0.3)))

        return "A" if right else generator.choice("BCD"), {
            "dORM": [reward()],
            "gORM": [reward() for _ in range(critiques)],
        }

    return {
        category: {f"{category}-{i}": ("A", [solution() for _ in range(8)]) for i in range(20)}
        for category in ("law", "physics")
    }


def options(folder: Path, written: Any) -> dict[str, Any]:
    return {
        "solutions": [str(path) for path in written.solutions],
        "rewards": [f"{path.parent.name}={path}" for path in written.rewards],
        "aggregation": ["dORM=last", "gORM=mean"],
        "n": [1, 4, 8],
        "output": folder,
    }


def test_the_budget_adds_up_and_knows_what_it_does_not_know(
    tmp_path: Path, write_tables: Any
) -> None:
    measure_uncertainty(**options(tmp_path, write_tables(study(4), MODELS)))
    rows = tables.read(tmp_path / "variance.parquet", tables.VARIANCE).to_pylist()
    assert {row["category"] for row in rows} == {"Overall", "law", "physics"}
    for row in rows:
        assert row["seeds"] is None
        assert (row["critiques"] is None) == (row["model"] != "gORM")
        assert (row["solutions"] is None) == (row["n"] == 8)
        if row["n"] < 8:
            parts = row["questions"] + row["solutions"] + (row["critiques"] or 0.0)
            assert parts == pytest.approx(row["total"])
        assert 0 <= row["total"] < 100 * 100 / 19


def test_all_critiques_are_what_evaluate_takes(tmp_path: Path, write_tables: Any) -> None:
    given = options(tmp_path, write_tables(study(4), MODELS))
    measure_uncertainty(**given)
    evaluate(**given)
    accuracy = {
        (row["category"], row["selection"], row["model"], row["n"]): row["accuracy"]
        for row in tables.read(tmp_path / "accuracy.parquet", tables.ACCURACY).to_pylist()
    }
    rows = tables.read(tmp_path / "critique_counts.parquet", tables.CRITIQUE_COUNTS).to_pylist()
    assert {(row["model"], row["n_critiques"]) for row in rows} == {
        ("gORM", 1),
        ("gORM", 2),
        ("gORM", 4),
    }
    for row in rows:
        whole = accuracy[row["category"], row["selection"], row["model"], row["n"]]
        if row["n_critiques"] == 4:
            assert row["accuracy"] == pytest.approx(whole)
        if row["n"] == 1:
            assert row["accuracy"] == pytest.approx(whole)
        assert row["low"] <= row["accuracy"] + 1e-9
        assert row["accuracy"] <= row["high"] + 1e-9


def test_one_critique_each_leaves_nothing_to_count(tmp_path: Path, write_tables: Any) -> None:
    measure_uncertainty(**options(tmp_path, write_tables(study(1), MODELS)))
    table = tables.read(tmp_path / "critique_counts.parquet", tables.CRITIQUE_COUNTS)
    assert table.num_rows == 0
