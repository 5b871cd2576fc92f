"""Means over training runs of one model, against loops, the t distribution and simulated runs."""

import json
import random
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.errors import InputError
from multirm.evaluation import intervals
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.describe import describe_reward_models
from multirm.evaluation.expected import columns
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.training_seeds import (
    Means,
    averaged,
    one_per_model,
    parts_of,
    seed_degrees,
    spread_over_seeds,
    variance_from_seeds,
    variance_of_means,
    with_means,
)
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.tables import parquet
from multirm.tables.accuracy import MAJORITY_VOTE, OVERALL, Aggregation, Estimator, Selection
from multirm.tables.registry import SCHEMAS
from multirm.tables.reward_model_rows import from_names, means_of

TRAININGS = ["dORM", "dORM@43", "dORM@7"]
MODELS = [*TRAININGS, "gORM"]


def study(critiques: int = 2) -> dict[str, Any]:
    """Two categories of questions with pools of 6; training runs are more or less accurate."""
    generator = random.Random(3)
    knows = {"dORM": 0.25, "dORM@43": 0.1, "dORM@7": 0.3, "gORM": 0.2}

    def solution() -> tuple[str, dict[str, list[float | None]]]:
        right = generator.random() < 0.4

        def reward(model: str) -> float:
            mean = 0.5 + (knows[model] if right else -knows[model])
            return min(1.0, max(0.0, generator.gauss(mean, 0.3)))

        lists = {
            model: [reward(model) for _ in range(critiques if model == "gORM" else 1)]
            for model in MODELS
        }
        return "A" if right else generator.choice("BC"), lists

    return {
        category: {
            f"{category}-{i}": ("A", [solution() for _ in range(6)]) for i in range(questions)
        }
        for category, questions in (("law", 12), ("physics", 9))
    }


def run(command: Any, folder: Path, written: Any, models: list[str], **changes: Any) -> None:
    options: dict[str, Any] = {
        "rewards": [
            f"{path.parent.name}={path}" for path in written.rewards if path.parent.name in models
        ],
        "aggregation": [f"{model}={'mean' if model[0] == 'g' else 'last'}" for model in models],
        "n": [1, 2, 4],
    }
    command(written.options(**(options | changes)), folder)


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return parquet.read(folder / f"{name}.parquet", SCHEMAS[name]).to_pylist()


def keyed(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = ("category", "selection", "model", "aggregation", "n")
    return {tuple(row[name] for name in names): row for row in rows}


def named(scorers: list[Scorer]) -> Means:
    """The means over training runs, by the runs' names."""
    return means_of(from_names(dict.fromkeys(scorer.model for scorer in scorers)))


def test_means_are_before_their_training_runs_or_instead_of_them() -> None:
    last, mean = Aggregation.LAST, Aggregation.MEAN
    scorers = [
        Scorer("x@main", last),
        Scorer("b", last),
        Scorer("a@1", last),
        Scorer("a@1", mean),
        Scorer("b@43", last),
        Scorer("a@2", last),
        Scorer("a@2", mean),
        Scorer("c@7", last),
    ]
    means = [Scorer("b@mean", last), Scorer("a@mean", last), Scorer("a@mean", mean)]
    x, b, a_last, a_mean, *_, c = scorers
    assert with_means(scorers, named(scorers)) == [
        x,
        means[0],
        b,
        means[1],
        a_last,
        means[2],
        a_mean,
        *scorers[4:],
    ]
    assert one_per_model(scorers, named(scorers)) == [x, *means, c]
    parts = parts_of([1, 4], scorers, named(scorers))
    place = {key: k for k, key in enumerate(columns([1, 4], scorers))}
    vote = Method(Selection.MAJORITY_VOTE)
    assert parts[4, vote] == [place[4, vote]]
    weighted = Selection.WEIGHTED_VOTE
    assert parts[4, Method(weighted, means[2])] == [
        place[4, Method(weighted, Scorer(name, mean))] for name in ("a@1", "a@2")
    ]


def test_the_variance_from_training_is_pooled_over_models() -> None:
    """Two seeds of one model and three of another, which has two aggregations and counts once."""
    last, mean = Aggregation.LAST, Aggregation.MEAN
    scorers = [Scorer(name, last) for name in ("a", "a@1", "b", "b@1", "b@2", "c")]
    scorers += [Scorer(name, mean) for name in ("b", "b@1", "b@2")]
    parts = parts_of([4], scorers, named(scorers))
    accuracies = np.random.default_rng(0).random(len(columns([4], scorers)))
    found = dict(zip(parts, variance_of_means(accuracies, parts), strict=True))
    assert seed_degrees(parts) == 1 + 2
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        of_a, of_b, of_b_mean = (
            Method(selection, Scorer(name, how))
            for name, how in (("a@mean", last), ("b@mean", last), ("b@mean", mean))
        )
        own = [accuracies[parts[4, method]].var(ddof=1) for method in (of_a, of_b, of_b_mean)]
        pooled = (1 * own[0] + 2 * (own[1] + own[2]) / 2) / 3
        assert found.pop((4, of_a)) == pytest.approx(pooled / 2)
        assert found.pop((4, of_b)) == pytest.approx(pooled / 3)
        assert found.pop((4, of_b_mean)) == pytest.approx(pooled / 3)
    assert set(found.values()) == {0}


def test_one_seed_each_has_no_variance_from_training() -> None:
    parts = parts_of([2, 4], [Scorer("a", Aggregation.LAST), Scorer("b", Aggregation.LAST)], {})
    assert seed_degrees(parts) == 0
    assert not variance_of_means(np.random.default_rng(0).random(len(parts)), parts).any()


@pytest.mark.parametrize(("n_models", "n_seeds"), [(1, 3), (4, 2)])
def test_an_interval_covers_other_seeds_and_questions(n_models: int, n_seeds: int) -> None:
    """Simulated training runs with effects of question, seed and both: the recipe's expected accuracy is covered."""
    generator = np.random.default_rng(0)
    names = [f"m{k}" + f"@{seed}" * (seed > 0) for k in range(n_models) for seed in range(n_seeds)]
    scorers = [Scorer(name, Aggregation.LAST) for name in names]
    parts = parts_of([4], scorers, named(scorers))
    keys = list(parts)
    mean = keys.index((4, Method(Selection.BEST_OF_N, Scorer("m0@mean", Aggregation.LAST))))
    places = [
        k for k, (_, m) in enumerate(columns([4], scorers)) if m.selection is Selection.BEST_OF_N
    ]
    covered, without, widths = 0, 0, []
    for _ in range(400):
        questions, seeds = generator.normal(0, 0.2, (60, 1)), generator.normal(0, 0.03, len(names))
        values = np.full((60, len(columns([4], scorers))), 0.5)
        values[:, places] += questions + seeds + generator.normal(0, 0.1, (60, len(names)))
        own = intervals.mean_of({"law": averaged(values, parts)})
        alone = intervals.of_shares(own)
        error = np.sqrt(variance_of_means(values.mean(axis=0), parts))
        low, high = intervals.widened(own.value, alone, error, seed_degrees(parts), (0, 1))
        covered += low[mean] <= 0.5 <= high[mean]
        widths.append(high[mean] - low[mean])
        without += alone[0][mean] <= 0.5 <= alone[1][mean]
    assert covered / 400 > 0.93
    assert without / 400 < 0.93
    if n_seeds == 2:
        # From one model's two seeds alone, it would be ±12.7 standard errors of 0.03 / √2 each.
        assert np.mean(widths) < 0.25


def test_accuracies_of_means(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(study(), MODELS)
    run(evaluate, tmp_path / "all", written, MODELS)
    found = keyed(rows_of(tmp_path / "all", "accuracy"))
    n_means = 0
    for (category, selection, model, aggregation, n), row in found.items():
        if model != "dORM@mean":
            assert row["std"] is None
            continue
        n_means += 1
        each = [found[category, selection, name, aggregation, n] for name in TRAININGS]
        accuracies = [training["accuracy"] for training in each]
        assert row["accuracy"] == pytest.approx(np.mean(accuracies))
        assert row["std"] == pytest.approx(np.std(accuracies, ddof=1))
        assert 0 <= row["accuracy_low"] <= row["accuracy"] + 1e-9
        assert row["accuracy"] <= row["accuracy_high"] + 1e-9 <= 100 + 1e-8
        if n > 1:
            widths = [training["accuracy_high"] - training["accuracy_low"] for training in each]
            assert row["accuracy_high"] - row["accuracy_low"] > min(widths) / 2
    assert n_means == 3 * 2 * 3
    run(evaluate, tmp_path / "one", written, ["dORM", "gORM"])
    alone = keyed(rows_of(tmp_path / "one", "accuracy"))
    for key, row in alone.items():
        # The sums over questions are those of other matrices: the last bit may differ.
        assert found[key] == {
            name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            for name, value in row.items()
        }
    assert {row["model"] for row in rows_of(tmp_path / "all", "ledger")} == set(MODELS)


def test_models_are_compared_rather_than_their_training_runs(
    tmp_path: Path, write_tables: Any
) -> None:
    written = write_tables(study(), MODELS)
    run(evaluate, tmp_path / "all", written, MODELS)
    run(evaluate, tmp_path / "one", written, ["dORM", "gORM"])
    found, alone = (rows_of(tmp_path / folder, "comparisons") for folder in ("all", "one"))
    assert len(found) == len(alone)
    assert {row["model"] for row in found} == {"dORM@mean", "gORM"}
    rows = rows_of(tmp_path / "all", "accuracy")
    accuracy = keyed(
        row | {"model": row["model"] or MAJORITY_VOTE}
        for row in rows
        if row["selection"] != Selection.PASS
    )
    for row, one in zip(found, alone, strict=True):
        own, other = (
            accuracy[
                row["category"],
                row[f"{who}selection"],
                row[f"{who}model"],
                row[f"{who}aggregation"],
                row["n"],
            ]["accuracy"]
            for who in ("", "other_")
        )
        assert row["difference"] == pytest.approx(own - other)
        if row["model"] == "gORM":
            assert {**row, "p_holm": None} == {**one, "p_holm": None}


def test_training_runs_that_agree_have_the_interval_of_one(
    tmp_path: Path, write_tables: Any
) -> None:
    """Rewards that differ only in their scale select the same."""
    drawn = study()
    for questions in drawn.values():
        for _, pool in questions.values():
            for _, lists in pool:
                for seed, scale in ((43, 0.5), (7, 0.25)):
                    lists[f"dORM@{seed}"] = [scale * reward for reward in lists["dORM"]]
    run(evaluate, tmp_path, write_tables(drawn, MODELS), MODELS)
    found = keyed(rows_of(tmp_path, "accuracy"))
    for (category, selection, model, aggregation, n), row in found.items():
        if model == "dORM@mean":
            one = found[category, selection, "dORM", aggregation, n]
            for name in ("accuracy", "accuracy_low", "accuracy_high"):
                assert row[name] == pytest.approx(one[name])
            assert row["std"] == pytest.approx(0, abs=1e-9)


def test_the_estimator_paper_pools_the_runs(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(study(), MODELS)
    run(partial(evaluate, estimator=Estimator.PAPER), tmp_path, written, MODELS, runs=5)
    found = keyed(rows_of(tmp_path, "accuracy"))
    for (category, selection, model, aggregation, n), row in found.items():
        if model == "dORM@mean":
            each = [found[category, selection, name, aggregation, n] for name in TRAININGS]
            means, stds = ([training[name] for training in each] for name in ("accuracy", "std"))
            assert row["accuracy"] == pytest.approx(np.mean(means))
            within = np.mean(np.square(stds))
            assert row["std"] == pytest.approx(np.sqrt(within + np.var(means)))
    lines = (tmp_path / "best_of_n.csv").read_text().splitlines()
    methods = ["MV", "dORM@mean", *TRAININGS, "gORM", "Pass@N"]
    assert [line.split(",")[1] for line in lines[1:8]] == methods


def best_of_n(pool: list[Any], model: str, n: int) -> float:
    """How often the best of n solutions is correct, over all subsets, with ties broken at random."""
    shares = []
    for part in combinations([(lists[model][0], parsed) for parsed, lists in pool], n):
        best = max(reward for reward, _ in part)
        shares.append(np.mean([parsed == "A" for reward, parsed in part if reward == best]))
    return float(np.mean(shares))


def test_the_variance_that_training_adds(tmp_path: Path, write_tables: Any) -> None:
    drawn = study(4)
    run(measure_uncertainty, tmp_path, write_tables(drawn, MODELS), MODELS)
    found = keyed(rows_of(tmp_path, "variance"))
    for (category, selection, model, _, n), row in found.items():
        if model not in ("dORM@mean", *TRAININGS):
            assert row["seeds"] is None
            continue
        if selection != "best_of_n":
            continue
        values = {
            name: np.array(
                [
                    [100 * best_of_n(pool, training, n) for training in TRAININGS]
                    for _, pool in questions.values()
                ]
            )
            for name, questions in drawn.items()
            if category in (name, OVERALL)
        }
        accuracies = np.mean([part.mean(axis=0) for part in values.values()], axis=0)
        share = 3 if model == "dORM@mean" else 1
        assert row["seeds"] == pytest.approx(accuracies.var(ddof=1) / share)
        if model == "dORM@mean":
            of_questions = [part.mean(axis=1) for part in values.values()]
            total = sum(part.var(ddof=1) / len(part) for part in of_questions) / len(values) ** 2
            assert row["total"] == pytest.approx(total)
            assert (row["solutions"] is None) == (n > 3)
        assert row["critiques"] is None


def test_critiques_of_several_training_runs(tmp_path: Path, write_tables: Any) -> None:
    """The mean over two training runs whose critiques select the same equals either of them."""
    drawn = study(4)
    for questions in drawn.values():
        for _, pool in questions.values():
            for _, lists in pool:
                lists["gORM@1"] = [0.5 * reward for reward in lists["gORM"]]
    written = write_tables(drawn, ["gORM", "gORM@1"])
    run(measure_uncertainty, tmp_path, written, ["gORM", "gORM@1"])
    found = keyed(rows_of(tmp_path, "variance"))
    for (category, selection, model, aggregation, n), row in found.items():
        if model == "gORM@mean":
            one = found[category, selection, "gORM", aggregation, n]
            assert row["seeds"] == pytest.approx(0, abs=1e-9)
            for part in ("total", "questions", "solutions", "critiques"):
                assert row[part] == pytest.approx(one[part])


def test_spreads_are_over_several_training_runs() -> None:
    scorers = [Scorer(name, Aggregation.LAST) for name in ("a", "a@1", "b")]
    parts = parts_of([2], scorers, named(scorers))
    accuracies = np.array([0.1, 0.4, 0.6, 0.5, 0.4, 0.6, 0.5, 0.9])
    keys = [(method.selection, method.columns["model"]) for _, method in parts]
    spreads = dict(zip(keys, spread_over_seeds(accuracies, parts), strict=True))
    variances = dict(zip(keys, variance_from_seeds(accuracies, parts), strict=True))
    best = Selection.BEST_OF_N
    assert spreads[best, "a@mean"] == pytest.approx(np.std([0.4, 0.6], ddof=1))
    assert variances[best, "a@mean"] == pytest.approx(0.01)
    assert variances[best, "a"] == variances[best, "a@1"] == pytest.approx(0.02)
    assert np.isnan(variances[best, "b"]) and np.isnan(spreads[best, "a"])


def test_the_table_decides_which_are_runs_of_one_model(tmp_path: Path, write_tables: Any) -> None:
    """Runs with other names are averaged like those named MODEL@SEED, to the bit."""
    names = {"dORM": "mine", "dORM@43": "another", "dORM@7": "third", "gORM": "mine@7"}
    drawn = study()
    found: dict[str, list[dict[str, Any]]] = {}
    for described in (False, True):
        called = names if described else {name: name for name in names}
        models = list(called.values())
        of_study = {
            category: {
                question: (
                    answer,
                    [(parsed, {called[m]: lists[m] for m in names}) for parsed, lists in solutions],
                )
                for question, (answer, solutions) in questions.items()
            }
            for category, questions in drawn.items()
        }
        folder = tmp_path / str(described)
        written = write_tables(of_study, models)
        options: dict[str, Any] = {}
        if described:
            options["reward_models"] = folder / "reward_models.parquet"
            rows = [
                {"model": "mine", "run_of": "ours"},
                {"model": "another", "run_of": "ours", "seed": 43},
                {"model": "third", "run_of": "ours", "seed": 7},
                {"model": "mine@7", "run_of": "mine@7"},
            ]
            describe_reward_models("small", options["reward_models"], list(map(json.dumps, rows)))
        how = [f"{called[m]}={'mean' if m[0] == 'g' else 'last'}" for m in names]
        run(evaluate, folder, written, models, aggregation=how, **options)
        for table in ("accuracy", "comparisons"):
            found[f"{table} {described}"] = [
                {k: back.get(v, v) if isinstance(v, str) else v for k, v in row.items()}
                for back in [{v: k for k, v in called.items()} | {"ours@mean": "dORM@mean"}]
                for row in rows_of(folder, table)
            ]
    assert "dORM@mean" in {row["model"] for row in found["accuracy True"]}
    assert found["accuracy True"] == found["accuracy False"]
    assert found["comparisons True"] == found["comparisons False"]


@pytest.mark.parametrize(
    ("aggregation", "message"),
    [
        (["a=last", "a@43=last,mean"], "--aggregation a@43: expected last, as of a, another run"),
        (["a=last", "a@mean=last"], "the name of a training run; .* found 'a@mean'"),
    ],
)
def test_bad_training_runs(
    tmp_path: Path, write_tables: Any, aggregation: list[str], message: str
) -> None:
    written = write_tables({"law": {"q": ("A", [("A", {"a": [0.5]})])}}, ["a"])
    rewards = [f"{pair.partition('=')[0]}={written.rewards[0]}" for pair in aggregation]
    with pytest.raises(InputError, match=message):
        run(evaluate, tmp_path, written, ["a"], aggregation=aggregation, rewards=rewards)
