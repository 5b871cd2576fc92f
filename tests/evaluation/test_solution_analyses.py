"""Analyses of solutions, from tables to tables, against plain loops over the rows."""

import random
from pathlib import Path
from typing import Any

import pytest

from multirm.evaluation.solution_analyses import analyse_solutions
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solution_analyses import (
    AGREEMENT,
    LENGTH_CORRELATIONS,
    LENGTHS,
    RECOVERIES,
    SOLUTION_GROUPS,
)
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

MODELS = ["dPRM", "gORM", "gORM@43"]


def analysed(folder: Path, written: Any, models: list[str] = MODELS) -> None:
    ways = [f"{model}={'min' if model == 'dPRM' else 'mean'}" for model in models]
    analyse_solutions(written.options(ways), folder)


def read(folder: Path, schema: Schema) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = parquet.read(folder / f"{schema.name}.parquet", schema).to_pylist()
    return rows


@pytest.fixture
def written(write_tables: Any) -> Any:
    """Three categories of twelve questions, each with four solutions of several lengths, most with step labels."""
    generator = random.Random(7)

    def pool() -> list[tuple[str | None, dict[str, list[float | None]]]]:
        return [
            (
                generator.choice(["A", "A", "B", None]),
                {
                    "dPRM": [generator.random() ** 0.2 for _ in range(3)],
                    "gORM": [generator.choice([None, 0.2, 0.9, 0.7])],
                    "gORM@43": [generator.random()],
                },
            )
            for _ in range(4)
        ]

    names = ("law", "physics", "math")
    study = {name: {f"q{k}": ("A", pool()) for k in range(12)} for name in names}
    found = write_tables(study, MODELS)
    for place, path in enumerate(found.solutions):
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        for row in rows:
            n_steps = generator.randint(2, 5) + place
            row["steps"] = ["Some step."] * n_steps
            labels = [int(generator.random() < 0.8) for _ in range(n_steps)]
            row["step_labels"] = labels if generator.random() < 0.9 else None
        parquet.write(path, SOLUTIONS, rows, made_of())
    return found


def joined(written: Any, category: str) -> list[dict[str, Any]]:
    """Solutions of a category with each model's reward."""
    rows: list[dict[str, Any]] = []
    for path in written.solutions:
        rows += parquet.read(path, SOLUTIONS).to_pylist()
    rows = [row for row in rows if row["category"] == category]
    by_key = {(row["question_id"], row["solution_id"]): row for row in rows}
    for path in written.rewards:
        for each in parquet.read(path, REWARDS).to_pylist():
            if each["category"] == category:
                known = [reward for reward in each["rewards"] if reward is not None]
                way = min if each["model"] == "dPRM" else (lambda x: sum(x) / len(x))
                row = by_key[each["question_id"], each["solution_id"]]
                row[each["model"]] = way(known) if known else None
    return rows


def plain_f1(rows: list[dict[str, Any]], model: str) -> float:
    scored = [row for row in rows if row[model] is not None]
    tp = sum(row[model] >= 0.5 and row["outcome"] == 1 for row in scored)
    said = sum(row[model] >= 0.5 for row in scored)
    return 2 * tp / (said + sum(row["outcome"] == 1 for row in scored))


def test_f1_by_length(tmp_path: Path, written: Any) -> None:
    analysed(tmp_path, written)
    rows = read(tmp_path, LENGTHS)
    for row in rows:
        if row["category"] == "Overall":
            continue
        own = [
            each
            for each in joined(written, row["category"])
            if row["steps_low"] <= len(each["steps"]) <= row["steps_high"]
        ]
        models = ["gORM", "gORM@43"] if row["model"] == "gORM@mean" else [row["model"]]
        assert row["n_scored"] + row["n_missing"] == len(own)
        assert row["n_scored"] == sum(all(e[m] is not None for m in models) for e in own)
        assert row["n_correct"] == sum(each["outcome"] for each in own)
        if not own:
            assert row["f1"] is None
            continue
        assert row["f1"] == pytest.approx(sum(plain_f1(own, m) for m in models) / len(models))
        assert row["f1_low"] <= row["f1"] <= row["f1_high"]
    assert sum(row["n_questions"] > 0 for row in rows) > 30
    for row in rows:
        if row["category"] == "Overall":
            same = ("model", "steps_low")
            parts = [
                each["f1"]
                for each in rows
                if each["category"] != "Overall"
                and all(each[name] == row[name] for name in same)
                and each["f1"] is not None
            ]
            assert row["f1"] == pytest.approx(sum(parts) / len(parts))


def test_recoveries(tmp_path: Path, written: Any) -> None:
    analysed(tmp_path, written)
    groups = {(row["category"], row["group"]): row for row in read(tmp_path, SOLUTION_GROUPS)}
    scores = {
        (row["category"], row["model"], row["group"]): row for row in read(tmp_path, RECOVERIES)
    }
    for category in ("law", "physics", "math"):
        rows = [row for row in joined(written, category) if row["step_labels"]]
        right = [row for row in rows if row["outcome"] == 1]
        recovered = [row for row in right if 0 in row["step_labels"]]
        wrong = [row for row in rows if row["outcome"] == 0]
        found = groups[category, "recovery"]
        assert (found["n_solutions"], found["share"]) == (
            len(recovered),
            pytest.approx(len(recovered) / len(right)),
        )
        mean = sum(len(row["steps"]) for row in recovered) / len(recovered)
        assert found["mean_steps"] == pytest.approx(mean)
        assert found["mean_steps_low"] < mean < found["mean_steps_high"]
        assert groups[category, "all"]["n_solutions"] == 48

        def accepts(own: list[dict[str, Any]], model: str) -> float:
            scored = [row[model] for row in own if row[model] is not None]
            return sum(value >= 0.5 for value in scored) / len(scored)

        recall, fooled = accepts(recovered, "gORM"), accepts(wrong, "gORM")
        row = scores[category, "gORM", "recovery"]
        assert row["accepted"] == pytest.approx(recall)
        assert row["balanced_f1"] == pytest.approx(2 * recall / (1 + recall + fooled))
        both = (accepts(recovered, "gORM"), accepts(recovered, "gORM@43"))
        row = scores[category, "gORM@mean", "recovery"]
        assert row["accepted"] == pytest.approx(sum(both) / 2)
        assert scores[category, "gORM", "wrong_answer"]["balanced_f1"] is None


def test_correlations_and_agreement_have_one_row_per_model(tmp_path: Path, written: Any) -> None:
    analysed(tmp_path, written)
    correlations = read(tmp_path, LENGTH_CORRELATIONS)
    assert [row["model"] for row in correlations] == ["dPRM", "gORM@mean"]
    assert {row["n"] for row in correlations} == {4}
    agreement = read(tmp_path, AGREEMENT)
    assert agreement[0]["methods"] == ["dPRM", "gORM@mean", "MV"]
    overall = [row for row in agreement if row["category"] == "Overall"]
    assert sum(row["n_questions"] for row in overall) == 36


def test_without_step_labels_there_are_no_recoveries(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    analysed(tmp_path, written, ["dPRM"])
    assert read(tmp_path, RECOVERIES) == []
    row = {row["group"]: row for row in read(tmp_path, SOLUTION_GROUPS)}["recovery"]
    assert (row["n_solutions"], row["share"], row["mean_steps"]) == (0, None, None)
    (row,) = read(tmp_path, LENGTH_CORRELATIONS)
    assert (row["n_categories"], row["correlation"]) == (1, None)


def test_scores_predict_nothing(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.6]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"], scale="score")
    analysed(tmp_path, written, ["dPRM"])
    assert [(row["f1"], row["n_scored"]) for row in read(tmp_path, LENGTHS)] == [(None, 0)] * 2
    assert len(read(tmp_path, AGREEMENT)) == 2


def test_samples_that_are_no_solutions_count_for_agreement_alone(
    tmp_path: Path, write_tables: Any
) -> None:
    """They are wrong members of pools, but have neither a length nor steps."""
    generator = random.Random(8)

    def pool(place: int) -> list[Any]:
        return [
            (answer, {"dPRM": [generator.random()] if answer else []})
            for answer in ([None] * 3 if place == 3 else generator.choices(["A", "B", None], k=5))
        ]

    names = ("law", "physics", "math")
    given = {name: {f"q{k}": ("A", pool(k)) for k in range(12)} for name in names}
    given["chemistry"] = {"q": ("A", [(None, {"dPRM": []})])}
    written = write_tables(given, ["dPRM"])
    analysed(tmp_path, written, ["dPRM"])
    whole = read(tmp_path, AGREEMENT)
    samples = written.as_sampled()
    options = written.options(["dPRM=min"], samples=samples)
    analyse_solutions(options, tmp_path)
    assert read(tmp_path, AGREEMENT) == whole
    sizes = {
        row["category"]: row["n_solutions"]
        for row in read(tmp_path, SOLUTION_GROUPS)
        if row["group"] == "all"
    }
    complete = {path.stem: parquet.read(path, SOLUTIONS).num_rows for path in written.solutions[:3]}
    assert sizes == {"Overall": sum(complete.values()), **complete}
    lengths = read(tmp_path, LENGTHS)
    assert {row["category"] for row in lengths} == {"Overall", *names}
    (correlation,) = read(tmp_path, LENGTH_CORRELATIONS)
    assert correlation["n_categories"] == 3
