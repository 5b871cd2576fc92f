"""Components of variance and accuracies by number of critiques, from tables to tables."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.inputs import Subsets
from multirm.evaluation.methods import Scorer
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.pools import Pools
from multirm.evaluation.uncertainty import measure_uncertainty, pool_variance
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Aggregation
from multirm.tables.registry import SCHEMAS
from multirm.tables.uncertainty import CRITIQUE_COUNTS, VARIANCE

MODELS = ["dORM", "gORM"]


def study(critiques: int) -> dict[str, Any]:
    """Forty questions with pools of 8; gORM's rewards are from critiques that are slightly informative."""
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


def options(written: Any) -> SelectionOptions:
    found: SelectionOptions = written.options(["dORM=last", "gORM=mean"], n=[1, 4, 8])
    return found


def test_components_add_up_and_unknown_ones_are_missing(tmp_path: Path, write_tables: Any) -> None:
    measure_uncertainty(options(write_tables(study(4), MODELS)), tmp_path)
    rows = parquet.read(tmp_path / "variance.parquet", VARIANCE).to_pylist()
    assert {row["category"] for row in rows} == {"Overall", "law", "physics"}
    for row in rows:
        assert row["seeds"] is None
        assert (row["critiques"] is None) == (row["model"] != "gORM")
        assert (row["solutions"] is None) == (row["n"] == 8)
        if row["n"] < 8:
            parts = row["questions"] + row["solutions"] + (row["critiques"] or 0.0)
            assert parts == pytest.approx(row["total"])
        assert 0 <= row["total"] < 100 * 100 / 19


def test_with_all_critiques_accuracies_are_those_of_evaluate(
    tmp_path: Path, write_tables: Any
) -> None:
    given = options(write_tables(study(4), MODELS))
    measure_uncertainty(given, tmp_path)
    evaluate(given, tmp_path)
    accuracy = {
        (row["category"], row["selection"], row["model"], row["n"]): row["accuracy"]
        for row in parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    }
    rows = parquet.read(tmp_path / "critique_counts.parquet", CRITIQUE_COUNTS).to_pylist()
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
        assert row["accuracy_low"] <= row["accuracy"] + 1e-9
        assert row["accuracy"] <= row["accuracy_high"] + 1e-9


def test_one_critique_per_solution_gives_no_counts(tmp_path: Path, write_tables: Any) -> None:
    measure_uncertainty(options(write_tables(study(1), MODELS)), tmp_path)
    table = parquet.read(tmp_path / "critique_counts.parquet", CRITIQUE_COUNTS)
    assert table.num_rows == 0


def test_a_few_odd_lists_are_left_out(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = study(4)
    _, pool = drawn["law"]["law-3"]
    pool[0][1]["gORM"].clear()
    pool[1][1]["gORM"].pop()
    measure_uncertainty(options(write_tables(drawn, MODELS)), tmp_path)
    rows = parquet.read(tmp_path / "critique_counts.parquet", CRITIQUE_COUNTS).to_pylist()
    assert {row["n_critiques"] for row in rows} == {1, 2, 4}
    assert "law: 1 solutions that do not have 4 critiques by gORM count as having none" in (
        caplog.text
    )
    variance = parquet.read(tmp_path / "variance.parquet", VARIANCE).to_pylist()
    assert all(row["critiques"] is not None for row in variance if row["model"] == "gORM")


def test_pools_smaller_than_n_are_counted(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    drawn = study(4)
    answer, pool = drawn["law"]["law-3"]
    drawn["law"]["law-3"] = (answer, pool[:3])
    measure_uncertainty(options(write_tables(drawn, MODELS)), tmp_path)
    assert "N = 8: 1 pools are smaller and are used whole" in caplog.text
    for name in ("variance", "critique_counts"):
        rows = parquet.read(tmp_path / f"{name}.parquet", SCHEMAS[name]).to_pylist()
        assert {(row["category"], row["n"]) for row in rows if row["n_short"] == 1} == {
            (category, n) for category in ("Overall", "law") for n in (4, 8)
        }
        assert {row["n_short"] for row in rows} == {0, 1}


def test_simulation_is_not_part_of_the_solutions_variance() -> None:
    """With few draws and with many, the weighted vote's variance due to solutions is about the same."""
    generator = np.random.default_rng(0)
    questions, size = 150, 64
    easy = generator.beta(2, 3, questions)[:, None]
    draws = generator.random((questions, size))
    answers = np.where(draws < easy, 0, generator.integers(1, 5, (questions, size)))
    correct = answers == 0
    rewards = np.clip(generator.normal(np.where(correct, 0.55, 0.45), 0.25), 0, 1)
    scorer = Scorer("m", Aggregation.LAST)
    ids = [str(k) for k in range(questions)]
    pools = Pools("law", ids, answers, correct, np.ones_like(correct), {scorer: rewards})
    few, many = (
        pool_variance(pools, [scorer], {}, Subsets([8, 16], runs, 42)).mean(axis=0)
        for runs in (10, 500)
    )
    np.testing.assert_allclose(few, many, rtol=0.25)
