"""The estimator `openprm`, against plain loops over all subsets, and its error against all outcomes of draws."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.methods import Method, Scorer
from multirm.evaluation.openprm import Draws, accuracy_rows, doublings, drawn, methods_of, parts_of
from multirm.evaluation.pools import Pools
from multirm.figures.accuracies import sentences
from multirm.figures.accuracy_files import read_accuracies
from multirm.tables import parquet
from multirm.tables.accuracy import (
    ACCURACY,
    ALL_QUESTIONS,
    OVERALL,
    Aggregation,
    Estimator,
    Selection,
)
from tests.evaluation.test_exact import plain_best, plain_majority, plain_pass

SCORER = Scorer("dPRM", Aggregation.MIN)

PLAIN = {
    Selection.BEST_OF_N: plain_best,
    Selection.MAJORITY_VOTE: plain_majority,
    Selection.PASS: plain_pass,
}

# An answer, from 0, or -1 for none; 0 is correct. Few rewards, so that ties are common; NaN for none.
SAMPLE = st.tuples(st.integers(-1, 2), st.sampled_from([math.nan, 0.0, 0.5, 1.0]))
POOLS = st.lists(st.lists(SAMPLE, min_size=1, max_size=5), min_size=1, max_size=3)

PlainPool = list[tuple[int, float]]


def laid_out(pool: PlainPool, name: str = "q") -> Pools:
    answers = np.array([[answer for answer, _ in pool]])
    rewards = np.array([[reward for _, reward in pool]])
    return Pools("law", [name], answers, answers == 0, answers >= -1, {SCORER: rewards})


def plain(pool: PlainPool, selection: Selection, k: int) -> float:
    """The expected correctness of a question: the mean over all subsets of K."""
    outcomes = [
        PLAIN[selection]([a for a, _ in drawn], [a == 0 for a, _ in drawn], [r for _, r in drawn])
        for drawn in itertools.combinations(pool, min(k, len(pool)))
    ]
    return sum(outcomes) / len(outcomes)


@given(POOLS)
def test_expectations_agree_with_plain_loops_over_all_subsets(pools: list[PlainPool]) -> None:
    sizes = doublings(max(map(len, pools)))
    found = drawn([laid_out(pool) for pool in pools], sizes, [SCORER])
    expected = [
        [plain(pool, method.selection, k) for k in sizes for method in methods_of([SCORER])]
        for pool in pools
    ]
    np.testing.assert_allclose(found.values, expected, rtol=0, atol=1e-12)
    short = [sum(k > len(pool) for pool in pools) for k in sizes for _ in methods_of([SCORER])]
    assert found.n_short.tolist() == short


def test_sizes_double_up_to_the_largest_pool() -> None:
    assert doublings(1) == [1]
    assert doublings(2) == [1, 2]
    assert doublings(12) == [1, 2, 4, 8, 12]
    assert doublings(128) == [1, 2, 4, 8, 16, 32, 64, 128]


def test_the_spread_is_that_of_all_outcomes_of_a_draw() -> None:
    first: PlainPool = [(0, 0.1), (1, 0.4), (0, 0.7), (2, 0.2)]
    second: PlainPool = [(1, 0.9), (0, 0.5), (0, 0.3)]
    k = 2
    by_question = [
        [plain(list(subset), Selection.BEST_OF_N, k) for subset in itertools.combinations(pool, k)]
        for pool in (first, second)
    ]
    accuracies = [100 * sum(each) / 2 for each in itertools.product(*by_question)]
    draws = drawn([laid_out(first, "a"), laid_out(second, "b")], [k, 4], [SCORER])
    rows = accuracy_rows({"law": draws}, parts_of([k, 4], [SCORER], {}), draws=5)
    row, whole = (
        next(r for r in rows if (r["n"], r["selection"]) == (n, "best_of_n")) for n in (k, 4)
    )
    assert row["accuracy"] == pytest.approx(np.mean(accuracies))
    assert row["std"] == pytest.approx(np.std(accuracies))
    assert row["standard_error"] == pytest.approx(np.std(accuracies) / math.sqrt(5))
    assert row["runs"] == 5
    # All draws of whole pools are the same.
    assert whole["std"] == 0 and whole["n_short"] == 1


def test_overall_weighs_categories_and_all_questions_weigh_questions() -> None:
    parts = parts_of([1], [], {})
    assert list(parts) == [(1, Method(Selection.MAJORITY_VOTE)), (1, Method(Selection.PASS))]
    law = Draws(np.array([[1.0, 1.0]] * 3), np.array([0, 0]))
    math_ = Draws(np.array([[0.5, 0.0]]), np.array([1, 1]))
    rows = accuracy_rows({"law": law, "math": math_}, parts)
    found = {
        row["category"]: (row["accuracy"], row["std"], row["n_questions"], row["n_short"])
        for row in rows
        if row["selection"] == "majority_vote"
    }
    assert found == {
        OVERALL: (75, pytest.approx(25), 4, 1),
        ALL_QUESTIONS: (87.5, pytest.approx(12.5), 4, 1),
        "law": (100, 0, 3, 0),
        "math": (50, 50, 1, 1),
    }


STUDY = {
    "law": {"q": ("A", [("A", {"dPRM": [2.5]}), (None, {"dPRM": [7.0]}), ("B", {"dPRM": [-3.0]})])},
    "math": {"q": ("B", [("B", {"dPRM": [1.0]}), ("A", {"dPRM": [None]})])},
}


def test_a_table_of_scores_as_a_figure_shows_it(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(STUDY, ["dPRM"], scale="score")
    evaluate(written.options(["dPRM=min"]), tmp_path, Estimator.OPENPRM)
    path = tmp_path / "accuracy.parquet"
    rows = parquet.read(path, ACCURACY).to_pylist()
    assert {row["n"] for row in rows} == {1, 2, 3}
    found = {
        (row["category"], row["n"]): row["accuracy"]
        for row in rows
        if row["selection"] == "best_of_n"
    }
    assert found["law", 1] == pytest.approx(100 / 3)
    # The solution without an answer has the highest score.
    assert found["law", 2] == pytest.approx(100 / 3) and found["law", 3] == 0
    assert found["math", 2] == found["math", 3] == 100
    shown = read_accuracies(path, Selection.BEST_OF_N)
    said = " ".join(sentences(shown, shown.points))
    assert "2 questions in 2 categories" in said and "Expected over all subsets" in said


def test_training_runs_have_a_mean_without_a_spread_of_draws(
    tmp_path: Path, write_tables: Any
) -> None:
    pool = [("A", {"dPRM": [0.5], "dPRM@43": [0.2]}), ("B", {"dPRM": [0.1], "dPRM@43": [0.6]})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM", "dPRM@43"])
    options = written.options(["dPRM=min", "dPRM@43=min"], n=[2])
    evaluate(options, tmp_path, Estimator.OPENPRM)
    rows = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()
    (mean,) = (r for r in rows if r["model"] == "dPRM@mean" and r["category"] == "law")
    assert (mean["accuracy"], mean["std"], mean["standard_error"]) == (50, None, None)
    assert {row["selection"] for row in rows} == {"best_of_n", "majority_vote", "pass"}


def test_wrong_options_are_refused(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(STUDY, ["dPRM"], scale="score")
    with pytest.raises(InputError, match="a size up to 3"):
        evaluate(written.options(["dPRM=min"], n=[8]), tmp_path, Estimator.OPENPRM)
    with pytest.raises(InputError, match="none with the estimator openprm"):
        evaluate(
            written.options(["dPRM=min"]),
            tmp_path,
            Estimator.OPENPRM,
            category_groups=["texts=law"],
        )
