"""The tables of F1 and minimum positions, from tables of solutions and rewards."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.f1 import F1_BY_CRITIQUES, MINIMUM_POSITIONS, STEP_THRESHOLDS, THRESHOLDS
from multirm.tables.response_accuracy import SHORTER
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.verification import RELIABILITY, VERIFICATION
from tests.origins import made_of

MODELS = ["dPRM", "dPRM@7", "gORM"]


def pool(seed: int) -> list[tuple[str, dict[str, list[float | None]]]]:
    """Solutions of two or three steps, with two runs of a dPRM and four critiques by a gORM."""
    generator = np.random.default_rng(seed)
    made = []
    for k in range(6):
        right, steps = bool(generator.integers(2)), int(generator.integers(2, 4))
        lists: dict[str, list[float | None]] = {
            "dPRM": generator.random(steps).round(2).tolist(),
            "dPRM@7": generator.random(steps).round(2).tolist(),
            "gORM": generator.random(4).round(2).tolist(),
        }
        if k == 5:
            lists["gORM"][1] = None
        made.append(("A" if right else "B", lists))
    return made


@pytest.fixture
def tables(tmp_path: Path, write_tables: Any) -> Any:
    study = {
        name: {f"q{k}": ("A", pool(10 * place + k)) for k in range(5)}
        for place, name in enumerate(("law", "physics"))
    }
    written = write_tables(study, MODELS)
    options = written.options(["dPRM=min", "dPRM@7=min", "gORM=mean"])
    evaluate_verification(options, tmp_path / "e")

    def read(schema: Schema) -> list[dict[str, Any]]:
        return parquet.read(tmp_path / "e" / f"{schema.name}.parquet", schema).to_pylist()

    return read


def test_f1_of_categories_runs_and_their_means(tables: Any) -> None:
    f1 = {
        (row["category"], row["model"]): row["f1"]
        for row in tables(THRESHOLDS)
        if row["threshold"] == 0.5
    }
    known = {
        (row["category"], row["model"]): row["f1"]
        for row in tables(VERIFICATION)
        if row["model"] != SHORTER
    }
    assert known.items() <= f1.items()
    for category in ("law", "physics"):
        runs = [known[category, run] for run in ("dPRM", "dPRM@7")]
        assert f1[category, "dPRM@mean"] == pytest.approx(np.mean(runs))
    for model in ("gORM", "dPRM@mean"):
        parts = [f1[category, model] for category in ("law", "physics")]
        assert f1[OVERALL, model] == pytest.approx(np.mean(parts))
    rows = [row for row in tables(THRESHOLDS) if row["f1"] is not None]
    assert all(row["f1_low"] <= row["f1"] <= row["f1_high"] for row in rows)
    assert len(tables(THRESHOLDS)) == 3 * 4 * 19


def test_f1_with_all_critiques_is_f1(tables: Any) -> None:
    rows = tables(F1_BY_CRITIQUES)
    assert {row["model"] for row in rows} == {"gORM"}
    assert sorted({row["n_critiques"] for row in rows}) == [1, 2, 4]
    known = {row["category"]: row for row in tables(VERIFICATION) if row["model"] == "gORM"}
    for row in rows:
        if row["n_critiques"] == 4 and row["category"] != OVERALL:
            assert row["f1"] == pytest.approx(known[row["category"]]["f1"])
            assert row["n_missing"] == 0
    # With one critique, its reward may be the missing one.
    assert any(row["n_missing"] for row in rows if row["n_critiques"] == 1)


def test_lowest_steps_are_counted_for_step_rewards_only(tables: Any, tmp_path: Path) -> None:
    rows = tables(MINIMUM_POSITIONS)
    assert {row["model"] for row in rows} == {"dPRM", "dPRM@7", "dPRM@mean"}
    solutions = parquet.read(tmp_path / "data" / "law.parquet", SOLUTIONS).to_pylist()
    rewards = parquet.read(tmp_path / "rewards" / "dPRM" / "law.parquet", REWARDS).to_pylist()
    for correct in (True, False):
        own = [
            reward["rewards"]
            for solution, reward in zip(solutions, rewards, strict=True)
            if (solution["parsed_answer"] == "A") is correct
        ]
        shares = [(each[-1] == min(each)) / each.count(min(each)) for each in own]
        (row,) = (
            row
            for row in rows
            if (row["category"], row["model"], row["correct"]) == ("law", "dPRM", correct)
        )
        assert row["n_solutions"] == len(own)
        assert row["share"] == pytest.approx(np.mean(shares))
        assert row["by_chance"] == pytest.approx(np.mean([1 / len(each) for each in own]))


def test_calibration_is_also_of_all_categories_together(tables: Any) -> None:
    counts: dict[tuple[str, str, float], int] = {
        (row["category"], row["model"], row["reward_low"]): row["count"]
        for row in tables(RELIABILITY)
    }
    for (category, model, low), count in counts.items():
        if category == OVERALL:
            assert count == sum(counts[part, model, low] for part in ("law", "physics"))
    assert (
        sum(n for (name, model, _), n in counts.items() if (name, model) == (OVERALL, "gORM")) == 60
    )


def test_no_labels_no_step_thresholds(tables: Any) -> None:
    assert tables(STEP_THRESHOLDS) == []


def test_thresholds_of_labelled_steps(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.92]}), ("B", {"dPRM": [0.32]})]
    written = write_tables({"law": {"q": ("A", pool), "r": ("A", pool)}}, ["dPRM"])
    (path,) = written.solutions
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    rows = [row | {"step_labels": [int(row["parsed_answer"] == "A")]} for row in rows]
    parquet.write(path, SOLUTIONS, rows, made_of())
    evaluate_verification(written.options(["dPRM=min"]), tmp_path / "e")
    found = parquet.read(tmp_path / "e" / "step_thresholds.parquet", STEP_THRESHOLDS).to_pylist()
    own = {row["threshold"]: row["f1"] for row in found if row["category"] == "law"}
    assert own == {k / 20: float(6 < k <= 18) for k in range(1, 20)}


def test_scores_have_no_thresholds(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [3.0, 2.0]}), ("B", {"dPRM": [-1.0, 4.0]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"], scale="score")
    evaluate_verification(written.options(["dPRM=min"]), tmp_path)
    assert parquet.read(tmp_path / "thresholds.parquet", THRESHOLDS).num_rows == 0
    rows = parquet.read(tmp_path / "minimum_positions.parquet", MINIMUM_POSITIONS).to_pylist()
    shares = {(row["category"], row["correct"]): row["share"] for row in rows}
    assert shares["law", True] == 1
    assert shares["law", False] == 0
