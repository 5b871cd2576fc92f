"""The estimator `paper`, against a plain implementation of the paper's protocol, to the last bit."""

import csv
import hashlib
import json
import math
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.read import read_rewards, read_solutions
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.paper import orders
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator, Selection
from multirm.tables.solutions import SOLUTIONS
from tests.evaluation.paper_evaluation import Pool, accuracies
from tests.origins import made_of

# Appended to question ids, which seed the subsets.
BLANKS = ["", "", " ", "\t"]

MODELS = {"dORM": "last", "dPRM": "min", "gORM": "mean", "gPRM": "prod"}


def study(seed: int, answers: list[str | None], json: bool = False) -> dict[str, Any]:
    """Three categories, with pools of 1-20, ties, missing rewards, empty lists and odd answers.

    Rewards are float32, as in tables, or decimals, as in JSON, in longer lists.
    """
    generator = random.Random(seed)

    def reward() -> float | None:
        choice = generator.choice([None, 0.0, 0.1, 0.5, 0.7, 1.0, generator.random()])
        if choice is None or json:
            return choice and round(choice, 2)
        return float(np.float32(choice))

    def solution() -> tuple[str | None, dict[str, list[float | None]]]:
        longest = 16 if json else 4
        lists = {
            model: [reward() for _ in range(generator.randint(0, longest))] for model in MODELS
        }
        return generator.choice(answers), lists

    def pool() -> tuple[str, list[Any]]:
        return generator.choice("ABJ"), [solution() for _ in range(generator.randint(1, 20))]

    return {
        category: {f"{category}-{i}{generator.choice(BLANKS)}": pool() for i in range(questions)}
        for category, questions in (("law", 7), ("biology", 3), ("computer_science", 1))
    }


def run(folder: Path, written: Any, n: list[int], runs: int = 6, seed: int = 42) -> None:
    ways = [f"{model}={how}" for model, how in MODELS.items()]
    options = written.options(ways, n=n, runs=runs, seed=seed)
    evaluate(options, folder, Estimator.PAPER)


def write_multi_rm(
    folder: Path, drawn: Mapping[str, Mapping[str, Pool]], **others: Any
) -> SelectionOptions:
    """Write a study in Multi-RM's layout; return the options for evaluating it."""
    for category, questions in drawn.items():
        (folder / "small").mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "q_id": question_id,
                "question": "?",
                "answer": answer,
                "cot_ids": list(range(len(pool))),
                "cots": [["Some step."] for _ in pool],
                "parsed_answers": [parsed for parsed, _ in pool],
            }
            for question_id, (answer, pool) in questions.items()
        ]
        (folder / "small" / f"{category}.json").write_text(json.dumps(rows))
        for model in MODELS:
            (folder / model).mkdir(parents=True, exist_ok=True)
            rewards = [
                {
                    "q_id": question_id,
                    "cot_ids": list(range(len(pool))),
                    "rewards": [lists[model] for _, lists in pool],
                }
                for question_id, (_, pool) in questions.items()
            ]
            path = folder / model / f"{category}_reward.json"
            path.write_text(json.dumps(rewards))
    return SelectionOptions(
        solutions=[str(folder / "small")],
        rewards=[f"{model}={folder / model}" for model in MODELS],
        aggregation=[f"{model}={how}" for model, how in MODELS.items()],
        **others,
    )


@pytest.mark.parametrize("seed", range(6))
def test_files_in_multi_rms_layout_agree_to_the_last_bit(tmp_path: Path, seed: int) -> None:
    """With decimals in long lists, and answers that mean a letter without being one, which are N/A in the paper."""
    answers = [None, "A", "a ", "B", "J", "(B)", "B.", "(c)", "K", "12", "N/A"]
    drawn = dict(sorted(study(seed, answers, json=True).items()))
    n = [1, 2, 4, 8, 16, 64]
    options = write_multi_rm(tmp_path, drawn, n=n, runs=5, seed=seed)
    evaluate(options, tmp_path, Estimator.PAPER)
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        with (tmp_path / f"{selection}.csv").open(newline="") as file:
            _, *lines = csv.reader(file)
        expected = accuracies(drawn, MODELS, selection, n, 5, seed)
        assert [line[:2] for line in lines] == [[str(row[0]), row[1]] for row in expected]
        found = [[float(cell) for cell in line[2:]] for line in lines]
        assert found == [[float(cell) for cell in row[2:]] for row in expected]


def test_the_exact_estimator_reads_answers_that_mean_letters(tmp_path: Path) -> None:
    lists: dict[str, Any] = {model: [0.5] for model in MODELS}
    pool = [("(A)", lists), ("a.", lists), ("B", lists), ("n/a", lists)]
    drawn = {"law": {"q": ("A", pool)}}
    options = write_multi_rm(tmp_path, drawn, scale=["probability"], n=[4], runs=2)
    found = {}
    for estimator in (Estimator.EXACT, Estimator.PAPER):
        evaluate(options, tmp_path, estimator)
        rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
        (found[estimator],) = {
            row["accuracy"] for row in rows if row["selection"] == "majority_vote"
        }
    assert found == {Estimator.EXACT: 100.0, Estimator.PAPER: 0.0}


def test_no_size_is_left_out_and_smaller_pools_are_counted(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    sizes = {"q1": 1, "q2": 2, "q3": 4}
    pools = {name: ("A", [("A", lists)] * size) for name, size in sizes.items()}
    run(tmp_path, write_tables({"law": pools}, list(MODELS)), [1, 2, 4, 8])
    rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    assert {(row["n"], row["n_short"]) for row in rows} == {(1, 0), (2, 1), (4, 2), (8, 3)}
    assert "N = 8: 3 pools are smaller and are used whole" in caplog.text
    lines = (tmp_path / "best_of_n.csv").read_text().splitlines()[1:]
    assert list(dict.fromkeys(line.split(",")[0] for line in lines)) == ["1", "2", "4", "8"]


@pytest.mark.parametrize("seed", range(6))
def test_agrees_with_a_plain_implementation_to_the_last_bit(
    tmp_path: Path, write_tables: Any, seed: int
) -> None:
    drawn = study(seed, [None, "A", "A", "B", "J", "K", "12"])
    n = [1, 2, 4, 8, 16] if seed % 2 else [3, 1]
    run(tmp_path, write_tables(drawn, list(MODELS)), n, seed=seed)
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        with (tmp_path / f"{selection}.csv").open(newline="") as file:
            header, *lines = csv.reader(file)
        names = ["Overall", *drawn]
        assert header == [
            *("N", "Method"),
            *(f"{name}_mean" for name in names),
            *(f"{name}_std" for name in names),
        ]
        expected = accuracies(drawn, MODELS, selection, n, 6, seed)
        assert [line[:2] for line in lines] == [[str(row[0]), row[1]] for row in expected]
        found = [[float(cell) for cell in line[2:]] for line in lines]
        assert found == [[float(cell) for cell in row[2:]] for row in expected]


def test_the_table_agrees_with_the_csv(tmp_path: Path, write_tables: Any) -> None:
    run(tmp_path, write_tables(study(1, ["A", "B", None]), list(MODELS)), [2])
    rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    with (tmp_path / "weighted_vote.csv").open(newline="") as file:
        lines = {line["Method"]: line for line in csv.DictReader(file)}
    for row in rows:
        if row["selection"] == "weighted_vote":
            assert row["accuracy"] == float(lines[row["model"]][f"{row['category']}_mean"])
            assert row["std"] == float(lines[row["model"]][f"{row['category']}_std"])
            assert (row["estimator"], row["runs"], row["accuracy_low"]) == ("paper", 6, None)


def check(folder: Path, drawn: Mapping[str, Any], n: list[int], runs: int, seed: int) -> None:
    """Check both CSVs in a folder against the plain implementation."""
    for selection in (Selection.BEST_OF_N, Selection.WEIGHTED_VOTE):
        with (folder / f"{selection}.csv").open(newline="") as file:
            _, *lines = csv.reader(file)
        expected = accuracies(drawn, MODELS, selection, n, runs, seed)
        found = [[float(cell) for cell in line[2:]] for line in lines]
        assert found == [[float(cell) for cell in row[2:]] for row in expected]


@pytest.mark.parametrize("seed", range(4))
def test_tables_give_the_same_as_their_sources_to_the_bit(tmp_path: Path, seed: int) -> None:
    """Messy answers and ids, read into tables first or evaluated in place."""
    answers = [None, "A", "b", " A", "J\n", "(A)", "B.", "**B**", "K", "12", "N/A", "", "\u00a0c"]
    drawn = dict(sorted(study(seed, answers, json=True).items()))
    n = [1, 3, 8]
    options = write_multi_rm(tmp_path, drawn, n=n, runs=4, seed=seed)
    evaluate(options, tmp_path / "files", Estimator.PAPER)
    check(tmp_path / "files", drawn, n, 4, seed)
    for category in drawn:
        source = tmp_path / "small" / f"{category}.json"
        solutions = tmp_path / "tables" / "small" / f"{category}.parquet"
        read_solutions(Reader.PUBLISHED, [str(source)], "small", category, solutions)
        for model in MODELS:
            source = tmp_path / model / f"{category}_reward.json"
            rewards = tmp_path / "tables" / model / f"{category}.parquet"
            read_rewards([str(source)], "small", category, model, solutions, rewards)
    of_tables = replace(
        options,
        solutions=[str(tmp_path / "tables" / "small")],
        rewards=[f"{model}={tmp_path / 'tables' / model}" for model in MODELS],
    )
    evaluate(of_tables, tmp_path / "study", Estimator.PAPER)
    for name in ("best_of_n.csv", "weighted_vote.csv"):
        read, direct = (tmp_path / way / name for way in ("study", "files"))
        assert read.read_bytes() == direct.read_bytes()


@pytest.mark.parametrize("odd", ["K", "12", "(A)", "True"])
def test_one_reference_that_is_not_a_letter_leaves_the_others_unchanged(
    tmp_path: Path, odd: str, caplog: pytest.LogCaptureFixture
) -> None:
    drawn: dict[str, Any] = dict(sorted(study(5, ["A", "B", "(B)", odd, None], json=True).items()))
    question = next(iter(drawn["law"]))
    drawn["law"][question] = (odd, drawn["law"][question][1])
    options = write_multi_rm(tmp_path, drawn, n=[1, 4], runs=3, seed=1)
    evaluate(options, tmp_path, Estimator.PAPER)
    check(tmp_path, drawn, [1, 4], 3, 1)
    assert "1 of 11 reference answers are not letters from A to J" in caplog.text


def test_one_letter_among_other_references_leaves_all_as_text(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    pools = {f"q{k}": (answer, [(answer, lists)]) for k, answer in enumerate(["12", "x y", "a"])}
    run(tmp_path, write_tables({"math": pools}, list(MODELS)), [1])
    rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    assert {row["accuracy"] for row in rows} == {100.0}
    assert "1 of 3 reference answers are letters from A to J" in caplog.text


def test_answers_are_unchanged_if_references_are_not_letters(
    tmp_path: Path, write_tables: Any
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    pools = {"q": ("12", [("12", lists), ("13", lists), ("12", lists), (None, lists)])}
    run(tmp_path, write_tables({"math": pools}, list(MODELS)), [4])
    rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    assert {row["accuracy"] for row in rows} == {100.0}


def test_pools_are_in_the_order_of_the_file(tmp_path: Path, write_tables: Any) -> None:
    """In Multi-RM's layout, ids may be in any order; draws are positions in the file."""
    drawn = study(2, ["A", "B", None])
    written = write_tables(drawn, list(MODELS))
    for path in written.solutions:
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        random.Random(3).shuffle(rows)
        parquet.write(path, SOLUTIONS, rows, made_of())
        shuffled = {
            question_id: (
                answer,
                [pool[row["solution_id"]] for row in rows if row["question_id"] == question_id],
            )
            for question_id, (answer, pool) in drawn[path.stem].items()
        }
        drawn[path.stem] = shuffled
    run(tmp_path, written, [2, 4], seed=7)
    with (tmp_path / "best_of_n.csv").open(newline="") as file:
        _, *lines = csv.reader(file)
    expected = accuracies(drawn, MODELS, "best_of_n", [2, 4], 6, 7)
    assert [[float(c) for c in line[2:]] for line in lines] == [
        [float(c) for c in row[2:]] for row in expected
    ]


def test_multi_rms_layout_gives_the_same_as_tables(tmp_path: Path, write_tables: Any) -> None:
    # A folder's categories are sorted by name.
    drawn = dict(sorted(study(4, [None, "A", "B", "J"]).items()))
    run(tmp_path / "ours", write_tables(drawn, list(MODELS)), [1, 4], seed=3)
    theirs = write_multi_rm(tmp_path / "small", drawn, n=[1, 4], runs=6, seed=3)
    evaluate(theirs, tmp_path / "theirs", Estimator.PAPER)
    for name in ("best_of_n.csv", "weighted_vote.csv"):
        assert (tmp_path / "ours" / name).read_text() == (tmp_path / "theirs" / name).read_text()


def test_the_csv_has_the_papers_columns(
    tmp_path: Path, write_tables: Any, shared_data: Path
) -> None:
    published = shared_data / "published" / "mmlu_pro_llama_3.1_8b_best_of_n.csv"
    header = published.read_text().splitlines()[0]
    categories = [name[:-5] for name in header.split(",") if name.endswith("_mean")][1:]
    lists: dict[str, list[float | None]] = {model: [0.5, 0.25] for model in MODELS}
    question = ("A", [("A", lists)] * 8 + [("B", lists)] * 8)
    one_each = {category: {f"{category}-1": question} for category in categories}
    run(tmp_path, write_tables(one_each, list(MODELS)), [1, 2, 4, 8, 16])
    for name in ("best_of_n.csv", "weighted_vote.csv"):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0] == header
        assert [line.split(",")[:2] for line in lines] == [
            line.split(",")[:2] for line in published.read_text().splitlines()
        ]


def test_the_papers_overall_deviation_pools_categories_and_runs(shared_data: Path) -> None:
    path = shared_data / "published" / "mmlu_pro_llama_3.1_8b_weighted_vote.csv"
    with path.open(newline="") as file:
        for line in csv.DictReader(file):
            mean, std = (
                [float(line[key]) for key in line if key.endswith(end) and "Overall" not in key]
                for end in ("_mean", "_std")
            )
            pooled = math.sqrt(np.mean(np.square(std)) + np.var(mean))
            assert float(line["Overall_std"]) == pytest.approx(pooled)


@given(size=st.integers(1, 20), n=st.integers(1, 20), seed=st.integers(0, 1000))
def test_the_first_n_are_numpys_choice(size: int, n: int, seed: int) -> None:
    found = orders(["q1", "ü/2"], size, 3, seed)
    for question, question_id in enumerate(["q1", "ü/2"]):
        for number in range(3):
            digest = hashlib.md5(f"{seed}_{number}_{question_id}".encode()).hexdigest()
            generator = np.random.RandomState(int(digest[:8], 16))
            if n < size:
                expected = generator.choice(size, n, replace=False)
                np.testing.assert_array_equal(found[question, number, :n], expected)


def test_a_questions_draws_do_not_depend_on_other_questions() -> None:
    together = orders(["a", "b", "c"], 8, 5, 42)
    np.testing.assert_array_equal(orders(["b"], 8, 5, 42)[0], together[1])
    np.testing.assert_array_equal(orders(["c", "a"], 8, 2, 42), together[[2, 0], :2])
