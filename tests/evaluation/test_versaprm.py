"""The estimator `versaprm`, against a plain implementation of VersaPRM's protocol."""

import csv
import logging
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.versaprm import SEEDS, drawn
from multirm.tables import parquet
from multirm.tables.accuracy import ALL_QUESTIONS, Estimator
from multirm.tables.accuracy_over_seeds import ACCURACY_OVER_SEEDS
from multirm.tables.ledger import LEDGER
from tests.evaluation.versaprm_evaluation import Pool, accuracies

MODELS = {"dORM": "last", "dPRM": "min", "gORM": "mean"}
N = [1, 2, 4, 8, 16]


def study(seed: int, largest: int = 20, unknown: bool = True) -> dict[str, dict[str, Pool]]:
    """Two categories with pools of 0 to 20 answered solutions, ties, and missing rewards and answers.

    Rewards are multiples of 1/4, whose sums and means are exact and often equal.
    """
    generator = random.Random(seed)

    def rewards() -> list[float | None]:
        choices = [0.0, 0.25, 0.5, 0.75, 1.0, *([None] if unknown else [])]
        # Lists of 1, 2 and 4, so that their means are exact.
        return generator.choices(choices, k=generator.choice([1, 2, 4]))

    def solution() -> tuple[str | None, dict[str, list[float | None]]]:
        answer = generator.choice(["A", "B", "C", *([None] if unknown else [])])
        return answer, {model: rewards() for model in MODELS}

    return {
        category: {
            # Ids in another order than that of the file.
            f"{100 - k}": (
                generator.choice("ABC"),
                [solution() for _ in range(generator.randint(1, largest))],
            )
            for k in range(count)
        }
        for category, count in (("math", 9), ("law", 6))
    }


def run(
    folder: Path,
    written: Any,
    n: Sequence[int] = N,
    samples: list[str] | None = None,
    **others: Any,
) -> list[dict[str, Any]]:
    ways = [f"{model}={how}" for model, how in MODELS.items()]
    options = written.options(ways, n=list(n), samples=samples)
    evaluate(options, folder, Estimator.VERSAPRM, **others)
    return parquet.read(folder / "accuracy_over_seeds.parquet", ACCURACY_OVER_SEEDS).to_pylist()


def of(rows: Iterable[dict[str, Any]], category: str) -> dict[Any, tuple[float, float, float]]:
    return {
        (row["selection"], row["model"], row["n"]): (
            row["accuracy"],
            row["minimum_over_seeds"],
            row["maximum_over_seeds"],
        )
        for row in rows
        if row["category"] == category
    }


@pytest.mark.parametrize("seed", range(5))
def test_accuracies_are_those_of_the_plain_protocol(
    tmp_path: Path, write_tables: Any, seed: int
) -> None:
    given = study(seed)
    groups = ["quantitative=math", "every=law,math"]
    rows = run(tmp_path, write_tables(given, list(MODELS)), category_groups=groups)
    math, law = (list(questions.values()) for questions in given.values())
    together = [*math, *law]
    expected = {
        ALL_QUESTIONS: together,
        "quantitative": math,
        "every": together,
        "math": math,
        "law": law,
    }
    assert list(dict.fromkeys(row["category"] for row in rows)) == list(expected)
    for category, questions in expected.items():
        plain = accuracies(questions, MODELS, N, SEEDS)
        found = of(rows, category)
        assert found.keys() == plain.keys()
        for key, runs in plain.items():
            mean = pytest.approx(sum(runs) / len(runs))
            assert found[key] == (mean, pytest.approx(min(runs)), pytest.approx(max(runs)))


def test_subsets_are_those_of_pythons_generator() -> None:
    sizes = [16, 3, 128, 5]
    random.seed(7)
    expected = [random.sample([f"solution {k}" for k in range(size)], 3) for size in sizes]
    found = drawn(sizes, 3, 7).tolist()
    assert [[f"solution {k}" for k in own] for own in found] == expected


def test_padding_is_counted_and_lowers_accuracy_at_small_n(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lists: Any = {model: [0.5] for model in MODELS}
    full = ("A", [("A", lists)] * 8)
    half = ("A", [("A", lists)] * 4)
    given = {
        "law": {f"q{k}": full for k in range(200)},
        "math": {f"q{k}": half for k in range(200)},
    }
    with caplog.at_level(logging.WARNING):
        rows = run(tmp_path, write_tables(given, list(MODELS)), [1, 2, 8])
    assert "200 pools of fewer than 8 solutions are padded with incorrect ones" in caplog.text
    about = {
        row["category"]: tuple(row[name] for name in ("n_questions", "n_padded", "fill_rate"))
        for row in rows
    }
    assert about == {
        ALL_QUESTIONS: (400, 200, 0.75),
        "law": (200, 0, 1.0),
        "math": (200, 200, 0.5),
    }
    assert {row["padded_to"] for row in rows} == {8}
    found = of(rows, "math")
    # One in two solutions is real; 2,000 draws.
    assert found["best_of_n", "dPRM", 1][0] == pytest.approx(50, abs=5)
    assert found["best_of_n", "dPRM", 1] == found["majority_vote", None, 1]
    assert found["best_of_n", "dPRM", 2][0] == pytest.approx(100 * (1 - 3 / 14), abs=5)
    # The majority vote takes the first of two different answers.
    assert found["majority_vote", None, 2][0] < found["best_of_n", "dPRM", 2][0] - 15
    assert found["majority_vote", None, 8] == (100, 100, 100)
    assert of(rows, "law")["majority_vote", None, 1] == (100, 100, 100)


def test_a_question_without_answers_is_incorrect(tmp_path: Path, write_tables: Any) -> None:
    lists: Any = {model: [1.0] for model in MODELS}
    given = {"law": {"q": ("A", [(None, lists), (None, lists)])}}
    rows = run(tmp_path, write_tables(given, list(MODELS)), [1, 2])
    assert {row["maximum_over_seeds"] for row in rows} == {0}
    assert {row["fill_rate"] for row in rows} == {0}
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert [(row["estimator"], row["n_unanswered"]) for row in ledger] == [("versaprm", 2)] * 3


def test_questions_without_a_solution_are_incorrect(tmp_path: Path, write_tables: Any) -> None:
    """Of 20 questions with 8 samples each, 5 have no answer at all, and half of the others' samples have none."""
    scored: Any = {model: [0.5] for model in MODELS}
    unscored: Any = {model: [] for model in MODELS}
    half = ("A", [("A", scored)] * 4 + [(None, unscored)] * 4)
    none = ("A", [(None, unscored)] * 8)
    given = {"law": {f"q{k}": half if k < 15 else none for k in range(20)}}
    written = write_tables(given, list(MODELS))
    expected = run(tmp_path, written, [1, 8])
    assert run(tmp_path, written, [1, 8], samples=written.as_sampled()) == expected
    assert of(expected, "law")["majority_vote", None, 8][0] == pytest.approx(75)
    about = {
        tuple(row[name] for name in ("n_questions", "n_padded", "fill_rate")) for row in expected
    }
    assert about == {(20, 20, 0.375)}


def test_a_mean_over_training_runs_is_averaged_seed_by_seed(
    tmp_path: Path, write_tables: Any
) -> None:
    generator = random.Random(3)
    names = ["dPRM", "dPRM@43"]

    def solution() -> tuple[str, dict[str, list[float | None]]]:
        return generator.choice("AB"), {name: [generator.random()] for name in names}

    given = {"law": {f"q{k}": ("A", [solution() for _ in range(6)]) for k in range(11)}}
    written = write_tables(given, names)
    options = written.options([f"{name}=min" for name in names], n=[2, 8])
    evaluate(options, tmp_path, Estimator.VERSAPRM)
    rows = parquet.read(tmp_path / "accuracy_over_seeds.parquet", ACCURACY_OVER_SEEDS).to_pylist()
    plain = accuracies(list(given["law"].values()), dict.fromkeys(names, "min"), [2, 8], SEEDS)
    for size in (2, 8):
        one, other = (plain["best_of_n", name, size] for name in names)
        runs = [(a + b) / 2 for a, b in zip(one, other, strict=True)]
        found = of(rows, "law")["best_of_n", "dPRM@mean", size]
        assert found == pytest.approx((sum(runs) / 10, min(runs), max(runs)))


def test_the_csv_has_the_same_numbers(tmp_path: Path, write_tables: Any) -> None:
    rows = run(tmp_path, write_tables(study(1), list(MODELS)))
    with (tmp_path / "accuracy_over_seeds.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [float(line["accuracy"]) for line in lines] == [row["accuracy"] for row in rows]
    assert [line["model"] for line in lines] == [row["model"] or "" for row in rows]


def test_the_seeds_are_those_of_the_protocol(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(study(2), list(MODELS))
    run(tmp_path, written)
    footer = parquet.read_footer(tmp_path / "accuracy_over_seeds.parquet")
    assert (footer.parameters["runs"], footer.parameters["seed"]) == (10, 0)
    assert footer.parameters["estimator"] == "versaprm"


def test_scores_are_refused(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(study(0), list(MODELS), scale="score")
    with pytest.raises(InputError, match="exact, since the estimator versaprm votes with"):
        run(tmp_path, written)
