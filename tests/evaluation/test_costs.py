"""The costs of verification: against all subsets of small pools, and fronts against a plain comparison of pairs."""

import random
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.costs import on_front
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL
from multirm.tables.costs import COSTS
from multirm.tables.rewards import COST_COLUMNS, REWARDS
from tests.origins import made_of

MODELS = ["dPRM", "gORM"]
Row = dict[str, Any]


def study(generator: random.Random, models: list[str]) -> Row:
    """Two categories of questions with pools of 1 to 5 solutions."""

    def solution() -> tuple[str, dict[str, list[float]]]:
        return generator.choice("ABC"), {model: [generator.random()] for model in models}

    return {
        category: {
            f"{category}-{place}": ("A", [solution() for _ in range(generator.randint(1, 5))])
            for place in range(n_questions)
        }
        for category, n_questions in (("law", 5), ("math", 3))
    }


def set_costs(written: Any, generator: random.Random, unknown: float = 0.0) -> list[Row]:
    """Give all rewards random costs, some of them unknown; returns the rows of all tables."""
    every = []
    for path in written.rewards:
        rows = [
            row
            | {
                name: None if generator.random() < unknown else generator.randint(0, 10**6)
                for name in COST_COLUMNS
            }
            for row in parquet.read(path, REWARDS).to_pylist()
        ]
        parquet.write(path, REWARDS, rows, made_of())
        every += rows
    return every


def evaluated(folder: Path, written: Any, models: list[str]) -> list[Row]:
    ways = [f"{model}=mean" for model in models]
    evaluate(written.options(ways, n=[1, 2, 4], runs=5), folder)
    rows: list[Row] = parquet.read(folder / "costs.parquet", COSTS).to_pylist()
    return rows


def pools(rows: list[Row], category: str, model: str, name: str) -> list[list[float | None]]:
    found: dict[str, list[float | None]] = {}
    for row in rows:
        if (row["category"], row["model"]) == (category, model):
            found.setdefault(row["question_id"], []).append(row[name])
    return list(found.values())


def test_the_cost_of_n_is_the_mean_over_all_subsets(tmp_path: Path, write_tables: Any) -> None:
    generator = random.Random(3)
    written = write_tables(study(generator, MODELS), MODELS)
    rewards = set_costs(written, generator)
    rows = evaluated(tmp_path, written, MODELS)
    for row in rows:
        for name in COST_COLUMNS:
            if row["model"] is None:
                assert (row["selection"], row[name]) == ("majority_vote", 0)
                continue
            categories = ["law", "math"] if row["category"] == OVERALL else [row["category"]]
            of_categories = []
            for category in categories:
                every = [
                    [sum(chosen) for chosen in combinations(pool, min(row["n"], len(pool)))]
                    for pool in pools(rewards, category, row["model"], name)
                ]
                of_categories.append(fmean(map(fmean, every)))
            assert row[name] == pytest.approx(fmean(of_categories), rel=1e-12)
            assert row[f"{name}_missing"] == 0


def test_accuracies_are_those_of_the_table(tmp_path: Path, write_tables: Any) -> None:
    generator = random.Random(4)
    rows = evaluated(tmp_path, write_tables(study(generator, MODELS), MODELS), MODELS)
    names = ["dataset", "category", "selection", "model", "aggregation", "n"]
    names += ["accuracy", "accuracy_low", "accuracy_high", "note", "n_questions"]
    accuracies = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).select(names).to_pylist()
    kept = [row for row in accuracies if row["selection"] != "pass"]
    assert [{name: row[name] for name in names} for row in rows] == kept
    assert rows[0]["category"] == OVERALL


def test_unknown_costs_are_left_out_and_counted(tmp_path: Path, write_tables: Any) -> None:
    generator = random.Random(5)
    written = write_tables(study(generator, MODELS), MODELS)
    rewards = set_costs(written, generator, unknown=0.4)
    for row in evaluated(tmp_path, written, MODELS):
        if row["model"] is None or row["category"] == OVERALL:
            continue
        for name in COST_COLUMNS:
            of_questions = []
            every = pools(rewards, row["category"], row["model"], name)
            for pool in every:
                known = [cost for cost in pool if cost is not None]
                if known:
                    of_questions.append(min(row["n"], len(pool)) * fmean(known))
            assert row[name] == pytest.approx(fmean(of_questions), rel=1e-12)
            assert row[f"{name}_missing"] == sum(pool.count(None) for pool in every)


def test_costs_that_nothing_is_known_of_are_null_and_on_no_front(
    tmp_path: Path, write_tables: Any
) -> None:
    generator = random.Random(6)
    written = write_tables(study(generator, MODELS), MODELS)
    rewards = set_costs(written, generator)
    (path,) = [path for path in written.rewards if path.parts[-2:] == ("gORM", "math.parquet")]
    own = parquet.read(path, REWARDS).to_pylist()
    parquet.write(path, REWARDS, [row | {"flops": None} for row in own], made_of())
    for row in evaluated(tmp_path, written, MODELS):
        unknown = row["model"] == "gORM" and row["category"] in ("math", OVERALL)
        assert (row["flops"] is None) == (row["flops_pareto"] is None) == unknown
        assert row["n_tokens_read"] is not None
        assert row["flops_missing"] == (len(own) if unknown else 0)
    assert len(own) < len(rewards)


def test_a_mean_over_training_runs_costs_their_mean_and_is_compared_instead(
    tmp_path: Path, write_tables: Any
) -> None:
    models = ["gORM", "dPRM", "dPRM@43"]
    generator = random.Random(7)
    written = write_tables(study(generator, models), models)
    set_costs(written, generator)
    rows = evaluated(tmp_path, written, models)
    at = {(row["category"], row["selection"], row["model"], row["n"]): row for row in rows}
    for (category, selection, model, n), row in at.items():
        assert (row["flops_pareto"] is None) == (model in ("dPRM", "dPRM@43"))
        if model == "dPRM@mean":
            runs = [at[category, selection, run, n]["flops"] for run in ("dPRM", "dPRM@43")]
            assert row["flops"] == pytest.approx(fmean(runs))


def test_fronts_are_of_the_points_of_a_category(tmp_path: Path, write_tables: Any) -> None:
    generator = random.Random(8)
    written = write_tables(study(generator, MODELS), MODELS)
    set_costs(written, generator)
    rows = evaluated(tmp_path, written, MODELS)
    for name in COST_COLUMNS:
        for row in rows:
            others = [other for other in rows if other["category"] == row["category"]]
            points = [(other[name], round(other["accuracy"], 9)) for other in others]
            assert row[f"{name}_pareto"] == is_best((row[name], round(row["accuracy"], 9)), points)
    assert any(row["flops_pareto"] and row["model"] for row in rows)


def is_best(point: tuple[float, float], points: list[tuple[float, float]]) -> bool:
    """Whether no point is at least as cheap and accurate, and another point."""
    return not any(
        cost <= point[0] and accuracy >= point[1] and (cost, accuracy) != point
        for cost, accuracy in points
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_what_nothing_dominates_is_on_the_front(drawn: list[tuple[float, float]]) -> None:
    points = np.array(drawn, dtype=float).reshape(-1, 2)
    expected = [is_best(point, drawn) for point in drawn]
    assert on_front(points[:, 0], points[:, 1]).tolist() == expected
    if drawn:
        assert any(expected)


def test_rounding_decides_nothing() -> None:
    accuracies = np.array([50.0, 50.0 + 1e-12, 50.1])
    assert on_front(np.array([1.0, 2.0, 3.0]), accuracies).tolist() == [True, False, True]


def test_samples_that_are_no_solutions_cost_nothing(tmp_path: Path, write_tables: Any) -> None:
    generator = random.Random(9)
    given = study(generator, MODELS)
    for questions in given.values():
        for place, (_, pool) in enumerate(questions.values()):
            # The first question of a category has no solution at all.
            pool[:] = [(None if place == 0 else answer, lists) for answer, lists in pool]
            pool.append((None, pool[0][1]))
    written = write_tables(given, MODELS)
    rewards = set_costs(written, generator)
    samples = written.as_sampled()
    kept = {
        (row["model"], row["category"], row["question_id"], row["solution_id"])
        for path in written.rewards
        for row in parquet.read(path, REWARDS).to_pylist()
    }
    for row in rewards:
        key = (row["model"], row["category"], row["question_id"], row["solution_id"])
        row |= {} if key in kept else dict.fromkeys(COST_COLUMNS, 0)
    ways = [f"{model}=mean" for model in MODELS]
    evaluate(written.options(ways, n=[1, 2, 4], runs=5, samples=samples), tmp_path)
    for row in parquet.read(tmp_path / "costs.parquet", COSTS).to_pylist():
        if row["model"] is None or row["category"] == OVERALL:
            continue
        for name in COST_COLUMNS:
            every = [
                [sum(chosen) for chosen in combinations(pool, min(row["n"], len(pool)))]
                for pool in pools(rewards, row["category"], row["model"], name)
            ]
            assert row[name] == pytest.approx(fmean(map(fmean, every)), rel=1e-12)
            assert row[f"{name}_missing"] == 0
