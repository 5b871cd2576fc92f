"""Log-errors of rewards of solutions that are correct in every step, against plain loops."""

import logging
import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from multirm.evaluation.log_errors import (
    LEAST,
    RightSolutions,
    estimate,
    log_errors,
    mean_error,
    measure_log_errors,
    root_mean_square,
    slope,
)
from multirm.tables import parquet
from multirm.tables.accuracy import Aggregation
from multirm.tables.log_errors import LOG_ERROR_SLOPES, LOG_ERRORS
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

MODELS = ["dORM", "dPRM", "gORM", "gORM@43"]
WAYS = {"dORM": "last", "dPRM": "min", "gORM": "mean", "gORM@43": "mean"}


def measured(folder: Path, written: Any, models: list[str] = MODELS) -> None:
    options = written.options([f"{model}={WAYS[model]}" for model in models])
    measure_log_errors(options, folder)


def read(folder: Path, schema: Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read(folder / f"{schema.name}.parquet", schema).to_pylist()
    return rows


@pytest.fixture
def written(write_tables: Any) -> Any:
    """Two categories of fifteen questions with four solutions each; those of math are longer."""
    generator = random.Random(11)
    study = {
        name: {f"q{k}": ("A", [("A", {m: [0.5] for m in MODELS})] * 4) for k in range(15)}
        for name in ("law", "math")
    }
    found = write_tables(study, MODELS)
    lengths: dict[tuple[str, str, int], int] = {}
    for place, path in enumerate(found.solutions):
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        for row in rows:
            n_steps = generator.randint(2, 4) + 2 * place
            row["steps"] = ["Some step."] * n_steps
            row["step_labels"] = [int(generator.random() < 0.9) for _ in range(n_steps)]
            row["step_labels"] = row["step_labels"] if generator.random() < 0.9 else None
            row["parsed_answer"] = generator.choice(["A", "A", "A", "B"])
            row["outcome"] = int(row["parsed_answer"] == "A")
            lengths[row["category"], row["question_id"], row["solution_id"]] = n_steps
        parquet.write(path, SOLUTIONS, rows, made_of())
    for path in found.rewards:
        rows = parquet.read(path, REWARDS).to_pylist()
        for row in rows:
            n = lengths[row["category"], row["question_id"], row["solution_id"]]
            size = n if row["model"].startswith("d") else 2
            row["rewards"] = [generator.choice([None, 0.0, 0.9, 0.8, 0.7, 0.95, 0.6])] + [
                generator.random() ** 0.1 for _ in range(size - 1)
            ]
        parquet.write(path, REWARDS, rows, made_of())
    return found


def plain_errors(written: Any, category: str) -> dict[tuple[str, str], list[Any]]:
    """Question, number of steps and log-error of each solution that is correct in every step, by scorer."""
    right = {}
    for path in written.solutions:
        for row in parquet.read(path, SOLUTIONS).to_pylist():
            labels = row["step_labels"]
            if row["category"] == category and labels and all(labels) and row["outcome"]:
                right[row["question_id"], row["solution_id"]] = len(labels)
    found: dict[tuple[str, str], list[Any]] = {}
    for path in written.rewards:
        for row in parquet.read(path, REWARDS).to_pylist():
            key = row["question_id"], row["solution_id"]
            if row["category"] != category or key not in right:
                continue
            for way, error in plain_logs(row["model"], row["rewards"]).items():
                item = (row["question_id"], right[key], error)
                found.setdefault((row["model"], way), []).append(item)
    return found


def plain_logs(model: str, rewards: list[float | None]) -> dict[str, float | None]:
    known = [each for each in rewards if each is not None]

    def log(value: float) -> float:
        return math.log(max(value, 1e-6))

    if model == "dORM":
        return {"last": None if rewards[-1] is None else log(rewards[-1])}
    average = log(sum(known) / len(known)) if known else None
    if model != "dPRM":
        return {"mean": average}
    product = None if None in rewards else sum(log(each) for each in known)
    return {"prod": product, "min": log(min(known)), "mean": average}


def rms(errors: list[float]) -> float:
    return math.sqrt(sum(error**2 for error in errors) / len(errors))


def test_errors_by_number_of_steps(tmp_path: Path, written: Any) -> None:
    measured(tmp_path, written)
    rows = [row for row in read(tmp_path, LOG_ERRORS) if row["category"] != "Overall"]
    n_measured = 0
    for row in rows:
        every = plain_errors(written, row["category"])
        runs = ["gORM", "gORM@43"] if row["model"] == "gORM@mean" else [row["model"]]
        own = [
            [
                each
                for each in every[run, row["aggregation"]]
                if row["steps_low"] <= each[1] <= row["steps_high"]
            ]
            for run in runs
        ]
        assert row["n_scored"] + row["n_missing"] == len(own[0])
        assert row["n_questions"] == len({question for question, _, _ in own[0]})
        known = [[error for _, _, error in each if error is not None] for each in own]
        assert row["n_scored"] == min(map(len, known))
        if not own[0]:
            assert row["rms"] is None
            continue
        n_measured += 1
        assert row["mean"] == pytest.approx(
            sum(sum(each) / len(each) for each in known) / len(runs)
        )
        assert row["rms"] == pytest.approx(sum(map(rms, known)) / len(runs))
        assert row["mean_low"] is None or row["mean_low"] <= row["mean"] <= row["mean_high"]
        assert row["rms_low"] is None or 0 <= row["rms_low"] <= row["rms"] <= row["rms_high"]
    assert n_measured > 20
    scorers = dict.fromkeys((row["model"], row["aggregation"]) for row in rows)
    assert list(scorers) == [
        ("dORM", "last"),
        *(("dPRM", way) for way in ("prod", "min", "mean")),
        *((model, "mean") for model in ("gORM@mean", "gORM", "gORM@43")),
    ]


def test_overall_is_over_the_categories_with_such_solutions(tmp_path: Path, written: Any) -> None:
    measured(tmp_path, written)
    rows = {
        (row["category"], row["model"], row["aggregation"], row["steps_low"]): row
        for row in read(tmp_path, LOG_ERRORS)
    }
    n_whole = []
    for (category, *rest), row in rows.items():
        if category == "Overall":
            parts = [rows[name, *rest]["rms"] for name in ("law", "math")]
            known = [each for each in parts if each is not None]
            n_whole.append(len(known) == 2)
            assert row["rms"] == pytest.approx(sum(known) / len(known))
            assert row["note"] == (None if n_whole[-1] else "1 of 2 categories: mean, rms")
    assert {True, False} == set(n_whole)


def test_slopes(tmp_path: Path, written: Any) -> None:
    measured(tmp_path, written)
    rows = {
        (row["category"], row["model"], row["aggregation"]): row
        for row in read(tmp_path, LOG_ERROR_SLOPES)
    }
    for way in ("prod", "min", "mean"):
        parts = []
        for category in ("law", "math"):
            own = [e for e in plain_errors(written, category)["dPRM", way] if e[2] is not None]
            line = np.polyfit([n for _, n, _ in own], [abs(error) for _, _, error in own], 1)
            row = rows[category, "dPRM", way]
            assert row["slope"] == pytest.approx(line[0])
            assert row["slope_low"] < row["slope"] < row["slope_high"]
            assert row["n_scored"] == len(own)
            parts.append(line[0])
        assert rows["Overall", "dPRM", way]["slope"] == pytest.approx(sum(parts) / 2)


def test_measures_and_their_jackknife() -> None:
    generator = np.random.default_rng(4)
    questions, n_steps = np.repeat(np.arange(10), 3), generator.integers(2, 6, 30)
    errors = -generator.random(30)
    errors[[3, 8]] = np.nan
    part = RightSolutions("law", questions, n_steps, {}, {})
    kept = n_steps > 2

    def plain(measure: str, left_out: int | None) -> float:
        taken = kept & ~np.isnan(errors) & (questions != left_out)
        t, e = n_steps[taken], errors[taken]
        if measure == "slope":
            return float(np.polyfit(t, np.abs(e), 1)[0])
        return float(e.mean() if measure == "mean" else np.sqrt((e**2).mean()))

    measures = {"mean": mean_error, "rms": root_mean_square, "slope": slope}
    for name, measure in measures.items():
        found = estimate(part, errors, kept, measure)
        assert found.value.tolist() == pytest.approx([plain(name, None)])
        without = [[plain(name, question)] for question in range(10)]
        assert found.without == pytest.approx(np.array(without))


def test_solutions_of_one_length_have_no_slope() -> None:
    part = RightSolutions("law", np.arange(5), np.full(5, 3), {}, {})
    found = estimate(part, -np.arange(5.0), np.ones(5, dtype=bool), slope)
    assert np.isnan(found.value).all()


def test_zeros_are_clipped_and_counted_and_missing_factors_have_no_product() -> None:
    lists = pa.array([[0.5, 0.0], [0.5, None], [], [0.5, 0.5]], pa.list_(pa.float32()))
    product, clipped = log_errors(lists, Aggregation.PROD)
    assert product[[0, 3]].tolist() == pytest.approx([math.log(0.5 * LEAST), math.log(0.25)])
    assert np.isnan(product).tolist() == [False, True, True, False]
    assert clipped.tolist() == [True, False, False, False]
    lowest, clipped = log_errors(lists, Aggregation.MIN)
    assert lowest[[0, 1, 3]].tolist() == pytest.approx([math.log(LEAST), *[math.log(0.5)] * 2])
    assert clipped.tolist() == [True, False, False, False]


def test_a_product_does_not_underflow() -> None:
    lists = pa.array([[1e-5] * 100], pa.list_(pa.float32()))
    assert log_errors(lists, Aggregation.PROD)[0] == pytest.approx(100 * math.log(1e-5))


def test_without_step_labels_nothing_is_measured(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    with caplog.at_level(logging.WARNING):
        measured(tmp_path, written, ["dPRM"])
    assert read(tmp_path, LOG_ERRORS) == read(tmp_path, LOG_ERROR_SLOPES) == []
    assert "No solution is labelled correct in every step" in caplog.text


def test_scores_have_no_logarithm(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"dPRM": [0.9]})])}}, ["dPRM"], scale="score")
    with caplog.at_level(logging.WARNING):
        measured(tmp_path, written, ["dPRM"])
    assert read(tmp_path, LOG_ERRORS) == []
    assert "dPRM has scores instead of probabilities" in caplog.text


def test_a_single_question_has_no_interval(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"dPRM": [0.5]})])}}, ["dPRM"])
    (path,) = written.solutions
    rows = [{**row, "step_labels": [1]} for row in parquet.read(path, SOLUTIONS).to_pylist()]
    parquet.write(path, SOLUTIONS, rows, made_of())
    measured(tmp_path, written, ["dPRM"])
    for row in read(tmp_path, LOG_ERRORS):
        assert (row["mean"], row["rms"]) == pytest.approx((math.log(0.5), -math.log(0.5)))
        assert row["mean_low"] is row["rms_high"] is None
    assert {row["slope"] for row in read(tmp_path, LOG_ERROR_SLOPES)} == {None}
