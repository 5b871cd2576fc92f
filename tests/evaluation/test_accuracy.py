"""The whole evaluation, from tables to tables, against all subsets of small random pools."""

import logging
import random
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from multirm.data.read import read_solutions
from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.options import SelectionOptions
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.formats.sources import Reader
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, MAJORITY_VOTE, Estimator
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.costs import COSTS
from multirm.tables.ledger import LEDGER
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.uncertainty import CRITIQUE_COUNTS, VARIANCE
from multirm.tables.verification import VERIFICATION
from tests.origins import made_of

MODELS = {"dPRM": "min", "gORM": "mean"}


AGGREGATION = [f"{model}={name}" for model, name in MODELS.items()]

# The estimators with all selections in a table of accuracies; `versaprm` has one of its own.
WITH_ACCURACIES = [Estimator.EXACT, Estimator.PAPER]


def run(
    folder: Path,
    written: Any,
    n: list[int],
    estimator: Estimator = Estimator.EXACT,
    aggregation: list[str] = AGGREGATION,
    **changes: Any,
) -> list[dict[str, Any]]:
    options = written.options(aggregation, n=n, **({"runs": 7} | changes))
    evaluate(options, folder, estimator)
    return parquet.read(folder / "accuracy.parquet", ACCURACY).to_pylist()


def by_key(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    return {(row["category"], row["selection"], row["model"], row["n"]): row for row in rows}


def random_study(seed: int, size: int | None = None) -> dict[str, Any]:
    """Two categories of questions with pools of 1-5 (or `size`), with some answers and rewards missing."""
    generator = random.Random(seed)

    def reward() -> float | None:
        return None if generator.random() < 0.3 else generator.choice([0.0, 0.25, 0.5, 1.0])

    def solution() -> tuple[str | None, dict[str, list[float | None]]]:
        lists = {model: [reward() for _ in range(generator.randint(0, 3))] for model in MODELS}
        return generator.choice([None, "A", "A", "B", "C"]), lists

    def pool() -> tuple[str, list[Any]]:
        return "A", [solution() for _ in range(size or generator.randint(1, 5))]

    return {
        category: {f"{category}-{i}": pool() for i in range(questions)}
        for category, questions in (("law", 4), ("computer_science", 3))
    }


def aggregated(rewards: list[float | None], model: str) -> float | None:
    present = [reward for reward in rewards if reward is not None]
    if not present:
        return None
    return min(present) if MODELS[model] == "min" else sum(present) / len(present)


def probability(pool: list[Any], selection: str, model: str | None) -> float:
    """The probability that a selection picks the answer A from one subset, with ties broken at random."""
    parsed = [answer for answer, _ in pool]
    rewards = [aggregated(lists[model], model) if model else 1.0 for _, lists in pool]
    if selection == "pass":
        return float("A" in parsed)
    if selection == "best_of_n":
        known = [reward for reward in rewards if reward is not None]
        best = max(known, default=None)
        return float(np.mean([p == "A" for p, r in zip(parsed, rewards, strict=True) if r == best]))
    voters = [i for i, answer in enumerate(parsed) if answer is not None]
    scored = [i for i in voters if rewards[i] is not None]
    totals: dict[str, float] = {}
    for i in scored or voters:
        totals[parsed[i]] = totals.get(parsed[i], 0.0) + (rewards[i] if scored else 1.0)
    most = max(totals.values(), default=0.0)
    return float(np.mean([a == "A" for a in totals if totals[a] == most])) if totals else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_exact_is_the_mean_over_all_subsets(tmp_path: Path, write_tables: Any, seed: int) -> None:
    study = random_study(seed)
    rows = run(tmp_path, write_tables(study, list(MODELS)), [1, 2, 3])
    assert {row["category"] for row in rows} == {"Overall", *study}
    for row in rows:
        if row["category"] == "Overall":
            continue
        probabilities = [
            np.mean(
                [
                    probability(list(part), row["selection"], row["model"])
                    for part in combinations(pool, min(row["n"], len(pool)))
                ]
            )
            for _, pool in study[row["category"]].values()
        ]
        assert row["accuracy"] == pytest.approx(100 * np.mean(probabilities))
        assert row["standard_error"] == 0
        assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 100
        assert row["accuracy_high"] - row["accuracy_low"] > 10
        assert row["n_questions"] == len(study[row["category"]])


def test_comparisons_are_differences_of_accuracies(tmp_path: Path, write_tables: Any) -> None:
    rows = by_key(run(tmp_path, write_tables(random_study(4), list(MODELS)), [1, 2]))
    found = parquet.read(tmp_path / "comparisons.parquet", COMPARISONS).to_pylist()
    # Two categories and Overall, two selections, two N; each model against the vote and each other.
    assert len(found) == 3 * 2 * 2 * 3
    # At N = 1, nothing is tested; at N = 2, Overall is one family, and so is each category and selection.
    assert {row["n_families"] for row in found} == {1 + 2 * 2}
    # The majority vote has a name where a model is compared with it; among accuracies, it has no model.
    named = rows | {
        (category, selection, MAJORITY_VOTE, n): row
        for (category, selection, _, n), row in rows.items()
        if selection == "majority_vote"
    }
    for row in found:
        one, other = (
            named[row["category"], row[f"{who}selection"], row[f"{who}model"], row["n"]]
            for who in ("", "other_")
        )
        assert row["difference"] == pytest.approx(one["accuracy"] - other["accuracy"])
        if row["p"] is not None:
            assert 0 < row["p"] <= row["p_holm"] <= 1


def test_overall_counts_categories_equally(tmp_path: Path, write_tables: Any) -> None:
    rows = by_key(run(tmp_path, write_tables(random_study(1), list(MODELS)), [2]))
    law, other, overall = (
        rows[category, "pass", None, 2] for category in ("law", "computer_science", "Overall")
    )
    assert overall["accuracy"] == pytest.approx((law["accuracy"] + other["accuracy"]) / 2)
    assert overall["n_questions"] == 7


def test_ledger_counts_what_is_missing(tmp_path: Path, write_tables: Any) -> None:
    pool = [
        ("A", {"dPRM": [0.1, None], "gORM": []}),
        (None, {"dPRM": [None], "gORM": [0.2]}),
    ]
    run(tmp_path, write_tables({"law": {"q": ("A", pool)}}, list(MODELS)), [1])
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    counts = {row["model"]: (row["n_unscored"], row["n_null_rewards"]) for row in ledger}
    assert counts == {"dPRM": (1, 2), "gORM": (1, 0)}
    assert {(row["n_questions"], row["n_solutions"], row["n_unanswered"]) for row in ledger} == {
        (1, 2, 1)
    }


def test_truncations_without_a_column_are_unknown(tmp_path: Path, write_tables: Any) -> None:
    pool = [("A", {"dPRM": [0.1], "gORM": [0.3]})]
    inputs = write_tables({"law": {"q": ("A", pool)}}, list(MODELS))
    (rewards,) = [path for path in inputs.rewards if "gORM" in str(path)]
    rows = parquet.read(rewards, REWARDS).to_pylist()
    unknown = [{**row, "truncated": None} for row in rows]
    parquet.write(rewards, REWARDS, unknown, made_of())
    run(tmp_path, inputs, [1])
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert {row["model"]: row["n_truncated"] for row in ledger} == {"dPRM": 0, "gORM": None}


@pytest.mark.parametrize(
    ("parsed", "reward", "expected"),
    [("A", 0.5, 100.0), ("B", 0.5, 0.0), ("A", None, 100.0), (None, None, 0.0), (None, 0.5, 0.0)],
)
def test_one_question_with_equal_solutions(
    tmp_path: Path, write_tables: Any, parsed: str | None, reward: float | None, expected: float
) -> None:
    lists = {model: [reward] for model in MODELS}
    study = {"law": {"q": ("A", [(parsed, lists)] * 4)}}
    rows = run(tmp_path, write_tables(study, list(MODELS)), [1, 2, 4])
    # Wilson's interval for one of one: 1 / (1 + 1.96²) = 0.2065.
    low, high = (20.65, 100) if expected else (0, 79.35)
    for row in rows:
        assert row["accuracy"] == pytest.approx(expected)
        assert [row["accuracy_low"], row["accuracy_high"]] == pytest.approx([low, high], abs=0.01)
        assert row["note"] == "one_question"


def test_no_models_still_give_the_vote_and_the_ceiling(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(random_study(0), [])
    rows = run(tmp_path, written, [1], aggregation=[])
    assert {row["selection"] for row in rows} == {"majority_vote", "pass"}


def test_models_and_categories_keep_their_order(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(random_study(0), list(MODELS))
    rows = run(tmp_path, written, [2, 1], aggregation=["gORM=mean", "dPRM=min"])
    assert list(dict.fromkeys(row["category"] for row in rows)) == [
        "Overall",
        "law",
        "computer_science",
    ]
    assert list(dict.fromkeys(row["model"] for row in rows)) == [None, "gORM", "dPRM"]
    assert list(dict.fromkeys(row["n"] for row in rows)) == [2, 1]


def test_numbers_do_not_depend_on_the_order_of_files_and_models(
    tmp_path: Path, write_tables: Any
) -> None:
    written = write_tables(random_study(2), list(MODELS))
    first = by_key(run(tmp_path, written, [2]))
    written.solutions.reverse()
    written.rewards.reverse()
    models = [f"{model}={name}" for model, name in reversed(MODELS.items())]
    again = by_key(run(tmp_path, written, [1, 2, 3], aggregation=models))
    assert set(first) == {key for key in again if key[3] == 2}
    for key, row in first.items():
        # Overall is a sum over categories, in their order.
        rounded = ("accuracy", "accuracy_low", "accuracy_high", "standard_error")
        exact = [name for name in row if name not in rounded]
        assert {name: again[key][name] for name in exact} == {name: row[name] for name in exact}
        for name in rounded:
            assert again[key][name] == pytest.approx(row[name], rel=1e-9)
        if row["category"] != "Overall":
            assert again[key] == row


def test_ties_broken_by_rounding_are_ties(tmp_path: Path, write_tables: Any) -> None:
    """The same numbers added in another order; and products that are small but different."""
    same = [("A", [0.1, 0.2, 0.3]), ("B", [0.3, 0.2, 0.1])]
    tiny = [("A", [1e-8, 1e-8]), ("B", [1e-8, 2e-8])]
    assert sum([0.1, 0.2, 0.3]) != sum([0.3, 0.2, 0.1])
    for pool, aggregation, accuracy, n_tied in ((same, "mean", 50.0, 1), (tiny, "prod", 0.0, 0)):
        lists = [(parsed, dict.fromkeys(MODELS, rewards)) for parsed, rewards in pool]
        written = write_tables({"law": {"q": ("A", lists)}}, list(MODELS))
        for path in written.rewards:
            wide(path)
        rows = run(
            tmp_path, written, [2], aggregation=[f"{model}={aggregation}" for model in MODELS]
        )
        best = {row["accuracy"] for row in rows if row["selection"] == "best_of_n"}
        assert best == {accuracy}
        ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
        assert {row["n_tied_pools"] for row in ledger} == {n_tied}


@pytest.mark.parametrize("steps", [3, 400])
def test_products_over_many_steps_select_like_those_over_few(
    tmp_path: Path, write_tables: Any, steps: int
) -> None:
    """For 400 steps with rewards near 0.1, products underflow in float64."""
    pool = [
        (parsed, dict.fromkeys(MODELS, [0.1] * steps + [last]))
        for parsed, last in (("B", 0.25), ("A", 0.75), ("B", 0.375), ("B", 0.0))
    ]
    written = write_tables({"law": {"q": ("A", pool)}}, list(MODELS))
    rows = by_key(
        run(tmp_path, written, [1, 2, 4], aggregation=[f"{model}=prod" for model in MODELS])
    )
    for model in MODELS:
        assert rows["law", "best_of_n", model, 4]["accuracy"] == 100
        assert rows["law", "best_of_n", model, 2]["accuracy"] == pytest.approx(50)
        # A has more than the three others together.
        assert rows["law", "weighted_vote", model, 4]["accuracy"] == 100
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert {row["n_tied_pools"] for row in ledger} == {0}


def wide(path: Path) -> None:
    """Replace float32 rewards by the decimals that they are rounded from."""
    table = parquet.read(path, REWARDS)
    decimals = [[float(f"{r:.6g}") for r in row] for row in table["rewards"].to_pylist()]
    column = pa.array(decimals, pa.list_(pa.float64()))
    place = table.column_names.index("rewards")
    table = table.set_column(place, "rewards", column)
    parquet.write(path, REWARDS, table, made_of())


def test_na_is_a_missing_answer(tmp_path: Path, write_tables: Any) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    pool = [("N/A", lists), ("n/a", lists), ("A", lists)]
    rows = by_key(run(tmp_path, write_tables({"law": {"q": ("A", pool)}}, list(MODELS)), [3]))
    assert rows["law", "majority_vote", None, 3]["accuracy"] == 100
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert {row["n_unanswered"] for row in ledger} == {2}


def test_ledgers_of_all_estimators_can_be_combined(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(random_study(3), list(MODELS))
    for estimator in Estimator:
        options = written.options(AGGREGATION, n=[2])
        evaluate(options, tmp_path / estimator, estimator)
    paths = [tmp_path / estimator / "ledger.parquet" for estimator in Estimator]
    exact, *others = (
        [
            row | {"estimator": "", "n_other_form": None}
            for row in parquet.read(path, LEDGER).to_pylist()
        ]
        for path in paths
    )
    assert others == [exact] * 3
    assert parquet.read_all(paths, LEDGER).num_rows == 4 * len(exact)


@pytest.mark.parametrize("estimator", WITH_ACCURACIES)
def test_outcome_labels_that_disagree_are_logged_and_the_answers_count(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture, estimator: Estimator
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    pool = [("A", lists), ("B", lists), (None, lists)]
    written = write_tables({"law": {"q": ("A", pool)}}, list(MODELS))
    run(tmp_path, written, [1], estimator=estimator)
    assert "outcome" not in caplog.text
    (path,) = written.solutions
    rows = parquet.read(path, SOLUTIONS).to_pylist()
    flipped = [row | {"outcome": outcome} for row, outcome in zip(rows, [0, None, 1], strict=True)]
    parquet.write(path, SOLUTIONS, flipped, made_of())
    found = by_key(run(tmp_path, written, [3], estimator=estimator))
    assert found["law", "pass", None, 3]["accuracy"] == 100
    assert "2 solutions have an outcome label that disagrees with their answers (" in caplog.text
    assert "small/law/q/0, small/law/q/2" in caplog.text


def test_sizes_beyond_every_pool_are_reported_and_left_out(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    written = write_tables(random_study(0, size=3), list(MODELS))
    with caplog.at_level(logging.WARNING):
        rows = run(tmp_path, written, [1, 8])
    assert {row["n"] for row in rows} == {1}
    assert "N = 8 is left out: the largest pool has 3 solutions" in caplog.text
    with pytest.raises(InputError, match="a size up to 3"):
        run(tmp_path, written, [8])


def test_pools_smaller_than_n_are_reported(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.5] for model in MODELS}
    study = {"law": {"q1": ("A", [("A", lists)]), "q2": ("A", [("A", lists)] * 2)}}
    with caplog.at_level(logging.WARNING):
        rows = run(tmp_path, write_tables(study, list(MODELS)), [2])
    assert "N = 2: 1 pools are smaller" in caplog.text
    assert {row["n_short"] for row in rows} == {1}


def test_gsm8k_check_figures(tmp_path: Path, shared_data: Path) -> None:
    """Through the reader: 2001 of 5276 solutions are correct, and any of the four for 887 of 1319 questions."""
    source = shared_data / "gsm8k" / "example_model_solutions.jsonl"
    solutions = tmp_path / "math.parquet"
    read_solutions(Reader.GSM8K, [str(source)], "GSM8K", "math", solutions)
    evaluate(SelectionOptions(solutions=[str(solutions)], n=[1, 2, 4], runs=2), tmp_path)
    rows = by_key(parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist())
    assert rows["Overall", "majority_vote", None, 1]["accuracy"] == pytest.approx(100 * 2001 / 5276)
    assert rows["Overall", "pass", None, 4]["accuracy"] == pytest.approx(100 * 887 / 1319)
    assert rows["Overall", "pass", None, 4]["n_questions"] == 1319


def test_each_aggregation_of_a_model_has_a_row(tmp_path: Path, write_tables: Any) -> None:
    written = write_tables(random_study(1), list(MODELS))
    rows = run(tmp_path, written, [2], aggregation=["dPRM=min,mean", "gORM=mean"])
    found = {(row["model"], row["aggregation"]) for row in rows if row["selection"] == "best_of_n"}
    assert found == {("dPRM", "min"), ("dPRM", "mean"), ("gORM", "mean")}


class TestBadTables:
    """Each is refused in one line with the file and the key, and earlier results stay."""

    @pytest.fixture
    def written(self, write_tables: Any) -> Any:
        return write_tables(random_study(0), list(MODELS))

    def refused(self, folder: Path, written: Any, **changes: Any) -> str:
        (folder / "accuracy.parquet").write_text("earlier")
        with pytest.raises(InputError) as caught:
            run(folder, written, changes.pop("n", [1]), **changes)
        assert (folder / "accuracy.parquet").read_text() == "earlier"
        message = str(caught.value)
        assert "\n" not in message
        return message

    def rewrite(self, path: Path, schema: Schema, keep: Any) -> None:
        rows = [row for row in parquet.read(path, schema).to_pylist() if keep(row)]
        parquet.write(path, schema, rows, made_of())

    def test_solution_without_rewards(self, tmp_path: Path, written: Any) -> None:
        path = tmp_path / "rewards/gORM/law.parquet"
        self.rewrite(path, REWARDS, lambda row: row["question_id"] != "law-2")
        message = self.refused(tmp_path, written)
        assert "gORM" in message
        assert "small/law/law-2/0" in message
        assert "data/law.parquet" in message

    def test_a_category_in_only_one_of_them(self, tmp_path: Path, written: Any) -> None:
        rewards = [f"{path.parent.name}={path}" for path in written.rewards]
        without = [pair for pair in rewards if not pair.endswith("gORM/law.parquet")]
        message = self.refused(tmp_path, written, rewards=without)
        assert "the rewards of gORM, found 'law' only in the solutions" in message
        solutions = [str(path) for path in written.solutions[:1]]
        message = self.refused(tmp_path, written, solutions=solutions)
        assert "the rewards of dPRM, found 'computer_science' only in the rewards" in message

    def test_rewards_of_an_unknown_solution(self, tmp_path: Path, written: Any) -> None:
        path = tmp_path / "data/law.parquet"
        self.rewrite(path, SOLUTIONS, lambda row: row["question_id"] != "law-1")
        message = self.refused(tmp_path, written)
        assert "unknown" in message
        assert "small/law/law-1/0" in message
        assert "rewards/dPRM/law.parquet" in message

    def test_the_same_table_twice(self, tmp_path: Path, written: Any) -> None:
        solutions = [str(path) for path in [*written.solutions, written.solutions[0]]]
        twice = self.refused(tmp_path, written, solutions=solutions)
        assert "each solution once" in twice
        rewards = [f"{path.parent.name}={path}" for path in written.rewards]
        twice = self.refused(tmp_path, written, rewards=[*rewards, rewards[0]])
        assert "each solution once per model" in twice

    def test_unknown_model(self, tmp_path: Path, written: Any) -> None:
        message = self.refused(tmp_path, written, aggregation=["dPRM=min"])
        assert "--rewards: expected an aggregation for 'gORM', found those of dPRM" in message
        message = self.refused(
            tmp_path, written, aggregation=["dPRM=min", "gORM=mean", "gPRM=mean"]
        )
        assert "gPRM" in message

    def test_empty_tables(self, tmp_path: Path, written: Any) -> None:
        self.rewrite(written.solutions[0], SOLUTIONS, lambda row: False)
        assert "law.parquet: expected at least one solution, found none" in self.refused(
            tmp_path, written
        )
        assert "at least one" in self.refused(tmp_path, written, solutions=[])

    def test_truncated_table(self, tmp_path: Path, written: Any) -> None:
        path = written.rewards[0]
        path.write_bytes(path.read_bytes()[:-20])
        message = self.refused(tmp_path, written)
        assert str(path) in message
        assert "a whole Parquet table" in message

    def test_no_reference_answer_or_two(self, tmp_path: Path, write_tables: Any) -> None:
        pool = [("A", {model: [0.5] for model in MODELS})] * 2
        written = write_tables({"law": {"q": (None, pool)}}, list(MODELS))
        assert "a reference answer" in self.refused(tmp_path, written)
        rows = parquet.read(written.solutions[0], SOLUTIONS).to_pylist()
        rows = [row | {"answer": answer} for row, answer in zip(rows, "AB", strict=True)]
        parquet.write(written.solutions[0], SOLUTIONS, rows, made_of())
        message = self.refused(tmp_path, written)
        assert "one reference answer for each question" in message
        assert "small/law/q/1" in message

    def test_a_category_named_overall(self, tmp_path: Path, write_tables: Any) -> None:
        pool = [("A", {model: [0.5] for model in MODELS})]
        written = write_tables({"Overall": {"q": ("A", pool)}}, list(MODELS))
        assert "no category named Overall" in self.refused(tmp_path, written)

    @pytest.mark.parametrize("changes", [{"n": []}, {"n": [0]}, {"runs": 1}])
    def test_counts(self, tmp_path: Path, written: Any, changes: dict[str, Any]) -> None:
        assert re.search("at least [12]", self.refused(tmp_path, written, **changes))


THIRD = 100 / 3


@pytest.mark.parametrize(
    ("pool", "exact", "paper"),
    [
        ([("A", 0.5)], [100] * 4, [100] * 4),
        ([(None, None)], [0] * 4, [0] * 4),
        ([("A", 0.5), ("A", 0.5), ("A", 0.5)], [100] * 4, [100] * 4),
        ([("B", 0.5), ("C", 0.5), (None, 0.5)], [0] * 4, [0] * 4),
        # In a tie, each has its share; with the estimator paper, the first one wins.
        ([("B", 0.5), ("A", 0.5), ("C", 0.5)], [THIRD] * 3 + [100], [0, 0, 0, 100]),
        ([("A", 0.5), ("B", 0.5), ("C", 0.5)], [THIRD] * 3 + [100], [100] * 4),
        ([("A", None), ("B", None)], [50] * 3 + [100], [100] * 4),
        ([("B", 0.0), ("A", 0.0)], [50] * 3 + [100], [0, 0, 0, 100]),
        # A missing reward is 0.5 with the estimator paper, and otherwise missing.
        ([("A", None), ("B", 0.25)], [50, 0, 0, 100], [100] * 4),
        ([("A", 0.25), ("B", None)], [50, 100, 100, 100], [100, 0, 0, 100]),
        # Likewise, a missing answer is an answer with the estimator paper.
        ([(None, 0.5), (None, 0.5), ("A", 0.5)], [100, THIRD, 100, 100], [0, 0, 0, 100]),
    ],
)
@pytest.mark.parametrize("estimator", WITH_ACCURACIES)
def test_the_smallest_and_most_uniform_studies_give_valid_tables(
    tmp_path: Path,
    write_tables: Any,
    pool: list[Any],
    exact: list[float],
    paper: list[float],
    estimator: Estimator,
) -> None:
    """One category with one question: nothing to compare, but a number for everything.

    The accuracies are those of majority vote, best-of-N, weighted vote and pass@N, from the whole pool.
    """
    solutions = [(parsed, {model: [reward] for model in MODELS}) for parsed, reward in pool]
    written = write_tables({"law": {"q": ("A", solutions)}}, list(MODELS))
    sizes = list(dict.fromkeys([1, len(pool)]))
    rows = run(tmp_path, written, sizes, estimator=estimator)
    assert len(rows) == 2 * len(sizes) * (2 + 2 * len(MODELS))
    expected = dict(
        zip(
            ["majority_vote", "best_of_n", "weighted_vote", "pass"],
            exact if estimator is Estimator.EXACT else paper,
            strict=True,
        )
    )
    probability = 100 * sum(parsed == "A" for parsed, _ in pool) / len(pool)
    for row in rows:
        if row["n"] == len(pool):
            assert row["accuracy"] == pytest.approx(expected[row["selection"]]), row
        elif estimator is Estimator.EXACT:
            assert row["accuracy"] == pytest.approx(probability), row
        if estimator is Estimator.EXACT:
            assert row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"]
            assert row["accuracy_high"] - row["accuracy_low"] > 75
            assert row["note"] == "one_question"
        else:
            assert (row["accuracy_low"], row["accuracy_high"], row["note"]) == (
                None,
                None,
                "published",
            )
            assert (row["std"] == 0) or row["n"] == 1 < len(pool)
        overall = by_key(rows)["Overall", row["selection"], row["model"], row["n"]]
        assert row["accuracy"] == overall["accuracy"]


def test_the_smallest_study_has_all_tables_without_variances(
    tmp_path: Path, write_tables: Any
) -> None:
    lists: dict[str, list[float | None]] = {model: [0.75] for model in MODELS}
    written = write_tables({"law": {"q": ("A", [("A", lists)])}}, list(MODELS))
    options = written.options(AGGREGATION, n=[1])
    measure_uncertainty(options, tmp_path)
    variance = parquet.read(tmp_path / "variance.parquet", VARIANCE).to_pylist()
    assert len(variance) == 2 * (2 + 2 * len(MODELS))
    assert {(row["total"], row["questions"], row["solutions"]) for row in variance} == {
        (None, None, None)
    }
    counts = parquet.read(tmp_path / "critique_counts.parquet", CRITIQUE_COUNTS)
    assert counts.num_rows == 0
    evaluate_verification(options, tmp_path)
    rows = parquet.read(tmp_path / "verification.parquet", VERIFICATION).to_pylist()
    *of_models, stand_in = rows
    assert {tuple(row[name] for name in ("n_scored", "f1", "roc_auc")) for row in of_models} == {
        (1, 1.0, None)
    }
    assert {row["brier"] for row in of_models} == {0.0625}
    assert (stand_in["model"], stand_in["n_scored"], stand_in["f1"]) == ("shorter", 1, None)


def test_several_aggregations_of_one_model_at_n_to_128(tmp_path: Path, write_tables: Any) -> None:
    """Best-of-N and weighted vote by the minimum, the last and the mean of step rewards; whole pools in plain loops."""
    generator = random.Random(8)
    steps = {
        question: [
            (generator.choice("ABC"), [generator.random() for _ in range(generator.randint(1, 5))])
            for _ in range(128)
        ]
        for question in ("q1", "q2", "q3")
    }
    pools = {
        question: ("A", [(answer, {"dPRM": rewards}) for answer, rewards in pool])
        for question, pool in steps.items()
    }
    n = [1, 2, 4, 8, 16, 32, 64, 128]
    written = write_tables({"law": pools}, ["dPRM"])
    rows = run(tmp_path, written, n, aggregation=["dPRM=min,last,mean"])
    found = {
        (row["selection"], row["aggregation"], row["n"]): row["accuracy"]
        for row in rows
        if row["category"] == "law" and row["model"]
    }
    ways: dict[str, Any] = {"min": min, "last": lambda r: r[-1], "mean": lambda r: sum(r) / len(r)}
    selections = ("best_of_n", "weighted_vote")
    assert found.keys() == {(how, way, size) for how in selections for way in ways for size in n}
    for way, aggregate in ways.items():
        best, vote = 0, 0
        for pool in steps.values():
            weights = [(answer, aggregate(rewards)) for answer, rewards in pool]
            best += max(weights, key=lambda each: each[1])[0] == "A"
            totals = {name: sum(w for answer, w in weights if answer == name) for name in "ABC"}
            vote += max(totals, key=lambda name: totals[name]) == "A"
        assert found["best_of_n", way, 128] == pytest.approx(100 * best / 3)
        assert found["weighted_vote", way, 128] == pytest.approx(100 * vote / 3)


def with_unanswered(seed: int) -> dict[str, Any]:
    """Three categories with pools of 1-6; answers are missing last, in the last category all, and so are rewards."""
    generator = random.Random(seed)

    def pool(category: str) -> tuple[str, list[Any]]:
        answers = [generator.choice("ABC") for _ in range(generator.randint(1, 4))]
        answers = [] if category == "physics" else answers
        unanswered = [None] * generator.randint(0 if answers else 1, 2)
        return "A", [(answer, lists(answer)) for answer in [*answers, *unanswered]]

    def lists(answer: str | None) -> dict[str, list[float | None]]:
        return {model: [generator.choice([0.0, 0.25, 1.0])] if answer else [] for model in MODELS}

    return {name: {f"q{k}": pool(name) for k in range(5)} for name in ("law", "math", "physics")}


@pytest.mark.parametrize("seed", range(4))
def test_samples_that_are_no_solutions_count_as_solutions_without_answer_and_reward(
    tmp_path: Path, write_tables: Any, seed: int
) -> None:
    written = write_tables(with_unanswered(seed), list(MODELS))
    n = [1, 2, 3, 6]
    expected = run(tmp_path, written, n)
    measure_uncertainty(written.options(AGGREGATION, n=n, runs=7), tmp_path)
    variance = parquet.read(tmp_path / "variance.parquet", VARIANCE).to_pylist()
    costs = parquet.read(tmp_path / "costs.parquet", COSTS).to_pylist()
    options = {"samples": written.as_sampled()}
    assert run(tmp_path, written, n, **options) == expected
    assert {row["n_questions"] for row in expected if row["category"] != "Overall"} == {5}
    measure_uncertainty(written.options(AGGREGATION, n=n, runs=7, **options), tmp_path)
    assert parquet.read(tmp_path / "variance.parquet", VARIANCE).to_pylist() == variance
    with_costs = parquet.read(tmp_path / "costs.parquet", COSTS).to_pylist()
    assert [row["accuracy"] for row in with_costs] == [row["accuracy"] for row in costs]


def test_the_paper_counts_samples_that_are_no_solutions_as_unanswered_with_reward_0(
    tmp_path: Path, write_tables: Any
) -> None:
    study = with_unanswered(5)
    for questions in study.values():
        for _, pool in questions.values():
            for answer, lists in pool:
                lists |= {} if answer else {model: [0.0] for model in MODELS}
    written = write_tables(study, list(MODELS))
    expected = run(tmp_path, written, [1, 2, 4], Estimator.PAPER)
    found = run(tmp_path, written, [1, 2, 4], Estimator.PAPER, samples=written.as_sampled())
    assert found == expected


def test_a_solution_with_an_answer_is_a_better_choice_than_one_without(
    tmp_path: Path, write_tables: Any
) -> None:
    lists: Any = {model: [] for model in MODELS}
    written = write_tables(
        {"law": {"q": ("A", [("A", lists), *[(None, lists)] * 3])}}, list(MODELS)
    )
    rows = by_key(run(tmp_path, written, [1, 2, 4], samples=written.as_sampled()))
    for selection, model in (("best_of_n", "dPRM"), ("weighted_vote", "gORM"), ("pass", None)):
        found = [rows["law", selection, model, n]["accuracy"] for n in (1, 2, 4)]
        assert found == pytest.approx([25, 50, 100])


def test_the_ledger_counts_samples_that_are_no_solutions(tmp_path: Path, write_tables: Any) -> None:
    """Of 20 questions with 8 samples each, 5 have no answer at all, and half of the others' samples have none."""
    scored: Any = {model: [0.5] for model in MODELS}
    unscored: Any = {model: [] for model in MODELS}
    half = ("A", [("A", scored)] * 4 + [(None, unscored)] * 4)
    none = ("A", [(None, unscored)] * 8)
    study = {"law": {f"q{k}": half if k < 15 else none for k in range(20)}}
    written = write_tables(study, list(MODELS))
    samples = written.as_sampled()
    rows = by_key(run(tmp_path, written, [1, 8], samples=samples))
    assert rows["law", "majority_vote", None, 1]["accuracy"] == pytest.approx(37.5)
    assert rows["law", "majority_vote", None, 8]["accuracy"] == pytest.approx(75)
    about = ("n_questions", "n_without_solution", "n_incomplete", "n_cut_off", "n_solutions")
    more = ("n_unanswered", "n_unscored", "n_unscored_pools", "n_null_rewards")
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert {tuple(row[name] for name in about) for row in ledger} == {(20, 5, 100, 50, 60)}
    assert {tuple(row[name] for name in more) for row in ledger} == {(0, 0, 0, 0)}
    # Without the samples, nobody knows.
    rows = by_key(run(tmp_path, written, [1, 4]))
    assert rows["law", "majority_vote", None, 1]["accuracy"] == pytest.approx(100)
    ledger = parquet.read(tmp_path / "ledger.parquet", LEDGER).to_pylist()
    assert {tuple(row[name] for name in about) for row in ledger} == {(15, None, None, None, 60)}


def test_solutions_sampled_here_need_their_samples(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    written = write_tables(random_study(0), list(MODELS))
    for path in written.solutions:
        rows = parquet.read(path, SOLUTIONS).to_pylist()
        origin = replace(made_of(), code={"multirm.data.sample_solutions": "0" * 64})
        parquet.write(path, SOLUTIONS, rows, origin)
    with caplog.at_level(logging.WARNING):
        run(tmp_path, written, [1])
    assert "accuracies are those of samples that have an answer" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        run(tmp_path, written, [1], samples=written.as_sampled())
    assert "samples" not in caplog.text
