"""Averages of measures over categories and training runs, with intervals."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from multirm.evaluation import intervals, jackknife
from multirm.evaluation.estimates import (
    Estimate,
    Summary,
    estimate,
    in_columns,
    over_runs,
    rows_of,
    summaries,
)
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL, Aggregation


def of_yes(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts[..., 1] / counts.sum(axis=-1))


def share(flags: np.ndarray, questions: np.ndarray, kept: np.ndarray | None = None) -> Estimate:
    """The share of flags that are set, with how many are not measured."""
    kept = np.ones(len(flags), dtype=bool) if kept is None else kept
    found = estimate(of_yes, flags.astype(int), questions, kept, 2)
    return in_columns([[found]], [{"n": int(kept.sum()), "n_missing": int((~kept).sum())}])


def given(value: float, spread: float = 0.05, groups: int = 10, n: int = 5) -> Estimate:
    without = value + spread * np.linspace(-1, 1, groups)[:, None] / groups
    return Estimate(
        np.array([value]),
        without,
        np.ones((groups, 1), dtype=bool),
        np.array([float(groups)]),
        {"n": np.array([n]), "n_missing": np.array([10 - n])},
    )


def summarized(
    own: Mapping[str, Mapping[str, Estimate]],
    runs: Mapping[str, Sequence[str]] | None = None,
    is_share: bool = True,
) -> dict[tuple[str, str], Summary]:
    return {(name, key): each for name, key, each in summaries(own, runs or {}, is_share)}


def overall(parts: Sequence[Estimate], is_share: bool = True) -> Summary:
    own = {str(place): {"a": part} for place, part in enumerate(parts)}
    return summarized(own, is_share=is_share)[OVERALL, "a"]


def test_questions_without_items_are_no_observations() -> None:
    flags, questions = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 2])
    found = share(flags, questions, np.array([True, True, True, False]))
    assert found.value[0] == pytest.approx(2 / 3)
    assert found.has_items[:, 0].tolist() == [True, True, False]
    assert found.without[:, 0].tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert found.variance[0] == pytest.approx(1 / 2 * 2 * (1 / 4) ** 2)
    assert found.degrees[0] == 1


def test_one_item_per_question_is_a_proportion() -> None:
    """The interval is that of a mean over questions."""
    flags = np.array([1] * 30 + [0] * 10)
    found = overall([share(flags, np.arange(40))])
    low, high = intervals.of_share(
        np.array([0.75]), np.array([0.75 * 0.25 / 39]), np.array([39.0]), 40, 40
    )
    assert found.value[0] == 0.75
    assert (found.low[0], found.high[0]) == pytest.approx((low[0], high[0]))


def test_overall_is_a_mean_over_questions_of_categories() -> None:
    """With one item per question, the same as of accuracies, but for their pooling of variances."""
    flags = {"law": np.array([1] * 60 + [0] * 40), "physics": np.array([1] * 10 + [0] * 20)}
    found = overall([share(own, np.arange(len(own))) for own in flags.values()])
    mean = intervals.mean_of({name: own[:, None].astype(float) for name, own in flags.items()})
    low, high = intervals.of_shares(mean)
    assert found.value[0] == pytest.approx(mean.value[0])
    assert (found.low[0], found.high[0]) == pytest.approx((low[0], high[0]), abs=0.003)


@pytest.mark.parametrize("truths", [(0.3, 0.6, 0.8), (0.5, 1.0, 1.0)])
def test_the_macro_average_covers_in_95_percent_of_samples(truths: tuple[float, ...]) -> None:
    generator = np.random.default_rng(4)
    covered = 0
    for _ in range(400):
        parts = []
        for truth in truths:
            own = generator.beta(4 * truth, max(4 * (1 - truth), 1e-9), 25)
            parts.append(
                share(generator.random(100) < np.repeat(own, 4), np.repeat(np.arange(25), 4))
            )
        found = overall(parts)
        covered += found.low[0] <= np.mean(truths) <= found.high[0]
    assert 0.92 <= covered / 400 <= 0.99


def test_a_small_category_makes_overall_as_unsure_as_it_is() -> None:
    """Eight questions that are half right beside many that are all right: the cap does not cut the interval."""
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(1000):
        small, large = generator.random(8) < 0.5, np.ones(200, dtype=bool)
        found = overall([share(small, np.arange(8)), share(large, np.arange(200))])
        covered += found.low[0] <= 0.75 <= found.high[0]
    assert covered / 1000 >= 0.95


def test_categories_where_it_is_undefined_do_not_count_and_a_note_says_so() -> None:
    some, none = share(np.array([1, 0, 1, 1]), np.arange(4)), given(float("nan"), n=0)
    alone, found = overall([some]), overall([some, none])
    for name in ("value", "low", "high"):
        assert getattr(found, name) == getattr(alone, name)
    assert (found.n_categories[0], found.n_all_categories) == (1, 2)
    (row,) = rows_of(["f1"], found)
    assert row["note"] == "1 of 2 categories: f1"
    assert (row["n"], row["n_missing"]) == (4, 10)
    (row,) = rows_of(["f1"], overall([none]))
    assert row == {"n": 0, "n_missing": 10} | dict.fromkeys(("f1", "f1_low", "f1_high", "note"))
    lacking = summarized({"law": {"a": some}, "physics": {}})[OVERALL, "a"]
    assert rows_of(["f1"], lacking)[0]["note"] == "1 of 2 categories: f1"


def test_one_question_has_the_widest_interval_and_a_note_says_so() -> None:
    alone = share(np.array([1, 1, 1]), np.zeros(3, dtype=int))
    found = summarized({"law": {"a": alone}, "physics": {"a": given(0.8)}})
    (row,) = rows_of(["f1"], found["law", "a"])
    assert row["f1"] == row["f1_high"] == 1
    assert row["f1_low"] < 0.25
    assert row["note"] == "one_question: f1"
    (row,) = rows_of(["f1"], found[OVERALL, "a"])
    assert row["note"] == "one_question: f1"
    several = found["physics", "a"]
    assert rows_of(["f1"], several)[0]["note"] is None
    assert row["f1_high"] - row["f1_low"] > several.high[0] - several.low[0]


def test_a_mean_without_bounds() -> None:
    def measure(counts: np.ndarray) -> np.ndarray:
        return np.asarray(counts @ np.arange(9) / counts.sum(axis=-1))

    values = np.array([2, 4, 6, 8])
    found = overall([estimate(measure, values, np.arange(4), values > 0, 9)], is_share=False)
    half = 3.182446 * np.sqrt(values.var(ddof=1) / 4)
    assert found.value[0] == 5
    assert (found.low[0], found.high[0]) == pytest.approx((5 - half, 5 + half))
    lone = estimate(measure, values, np.zeros(4, dtype=int), values > 0, 9)
    (row,) = rows_of(["steps"], overall([lone], is_share=False))
    assert row == {"steps": 5, "steps_low": None, "steps_high": None, "note": "one_question: steps"}


def balanced(counts: np.ndarray) -> np.ndarray:
    """A measure of items of two kinds that needs both."""
    return np.asarray(np.where((counts > 0).all(axis=-1), 0.75, np.nan))


@pytest.mark.parametrize("is_share", [True, False])
def test_a_measure_that_is_undefined_without_one_of_several_questions_does_not_say_one(
    is_share: bool,
) -> None:
    kept = np.ones(6, dtype=bool)
    questions = np.array([0, 0, 1, 1, 2, 2])
    needs_first = estimate(balanced, np.array([1, 0, 0, 0, 0, 0]), questions, kept, 2)
    found = overall([needs_first], is_share)
    (row,) = rows_of(["x"], found)
    assert row["x"] == 0.75
    assert row["note"] == "undefined_without_one_question: x"
    assert (row["x_low"] is None) is (row["x_high"] is None) is not is_share
    needs_none = estimate(balanced, np.array([1, 0, 1, 0, 0, 1]), questions, kept, 2)
    assert rows_of(["x"], overall([needs_none], is_share))[0]["note"] is None
    alone = estimate(balanced, np.array([1, 0]), np.zeros(2, dtype=int), kept[:2], 2)
    assert rows_of(["x"], overall([alone], is_share))[0]["note"] == "one_question: x"
    (row,) = rows_of(["x"], overall([needs_first, needs_none, alone], is_share))
    assert row["note"] == "one_question: x; undefined_without_one_question: x"
    # A category in which the measure is undefined has no variance to be unknown.
    nowhere = estimate(balanced, np.zeros(6, dtype=int), questions, kept, 2)
    (row,) = rows_of(["x"], overall([needs_none, nowhere], is_share))
    assert row["note"] == "1 of 2 categories: x"


def test_a_category_has_the_jackknife_s_interval() -> None:
    own = given(0.7)
    found = summarized({"law": {"a": own}})["law", "a"]
    low, high, known = jackknife.interval(0.7, own.without[:, 0], 10)
    assert (found.low[0], found.high[0]) == pytest.approx((low, high))
    assert known
    assert found.unknown_for == [[]]


def test_overall_is_the_mean_of_categories_and_surer_than_each() -> None:
    found = summarized({"law": {"a": given(0.6)}, "physics": {"a": given(0.8, n=7)}})
    assert next(iter(found)) == (OVERALL, "a")
    assert found[OVERALL, "a"].value[0] == pytest.approx(0.7)
    assert found[OVERALL, "a"].counts["n"][0] == 12
    widths = {name: each.high[0] - each.low[0] for (name, _), each in found.items()}
    assert widths[OVERALL] < min(widths["law"], widths["physics"])


def test_the_mean_over_runs_is_jackknifed_as_a_whole() -> None:
    """Runs that err on the same questions are no more certain together than one."""
    generator = np.random.default_rng(1)
    questions = np.arange(50)
    first = generator.random(50) < 0.5
    same = over_runs([share(first, questions), share(first, questions)])
    assert same.variance == pytest.approx(share(first, questions).variance)
    opposite = over_runs([share(first, questions), share(~first, questions)])
    assert opposite.value[0] == 0.5
    assert opposite.variance[0] == pytest.approx(0, abs=1e-12)


def test_a_mean_over_runs_is_before_them_and_as_unsure_as_seeds_make_it() -> None:
    own = {"a": given(0.5), "a@2": given(0.7), "b": given(0.6)}
    found = summarized({"law": own}, {"a@mean": ["a", "a@2"]})
    assert [key for name, key in found if name == "law"] == ["a@mean", "a", "a@2", "b"]
    mean, single = found["law", "a@mean"], found["law", "b"]
    assert mean.value[0] == pytest.approx(0.6)
    error = np.std([0.5, 0.7], ddof=1) / np.sqrt(2)
    low, high = intervals.widened(
        np.array([0.6]), (single.low, single.high), np.array([error]), 1, (0, 1)
    )
    assert (mean.low[0], mean.high[0]) == pytest.approx((low[0], high[0]))


def test_seeds_are_compared_on_the_categories_that_all_runs_have() -> None:
    """A run that is undefined in one category is not compared with the other run's mean over both."""
    own = {
        "law": {"a": given(0.5), "a@2": given(0.5)},
        "physics": {"a": given(0.9), "a@2": given(float("nan"))},
    }
    runs = {"a@mean": ["a", "a@2"]}
    both = summarized(own, runs)[OVERALL, "a@mean"]
    law = summarized({"law": own["law"]}, runs)[OVERALL, "a@mean"]
    assert (both.value[0], both.low[0], both.high[0]) == (law.value[0], law.low[0], law.high[0])
    assert rows_of(["f1"], both)[0]["note"] == "1 of 2 categories: f1"


def test_a_mean_s_counts_are_those_of_the_run_with_most_missing() -> None:
    found = over_runs([given(0.5, n=5), given(0.7, n=3)])
    assert (found.counts["n"][0], found.counts["n_missing"][0]) == (3, 7)


def test_rows_have_the_columns_of_each_measure() -> None:
    measures = [[given(0.1), given(0.2)], [given(0.3), given(0.4)]]
    found = overall([in_columns(measures, [{"n": 7}, {"n": 8}])])
    rows = rows_of(["f1", "by_chance"], found, without_interval=["by_chance"])
    assert [(row["n"], row["f1"], row["by_chance"]) for row in rows] == [
        (7, 0.1, 0.3),
        (8, 0.2, 0.4),
    ]
    assert list(rows[0]) == ["n", "f1", "f1_low", "f1_high", "by_chance", "note"]


def test_another_aggregation_is_no_more_seeds() -> None:
    """Two runs with one aggregation tell as much about seeds as the same two runs with two."""
    last, mean = Aggregation.LAST, Aggregation.MEAN

    def of_mean(aggregations: list[Aggregation]) -> Summary:
        own = {
            Scorer(name, way): given(value)
            for way in aggregations
            for name, value in (("a", 0.4), ("a@1", 0.6))
        }
        runs = {
            Scorer("a@mean", way): [Scorer("a", way), Scorer("a@1", way)] for way in aggregations
        }
        found = {(name, key): each for name, key, each in summaries({"law": own}, runs)}
        return found[OVERALL, Scorer("a@mean", last)]

    one, two = of_mean([last]), of_mean([last, mean])
    assert (one.low[0], one.high[0]) == pytest.approx((two.low[0], two.high[0]))


def test_an_undefined_measure_of_one_model_leaves_the_intervals_of_others() -> None:
    own = {"a": given(0.5), "a@1": given(0.6)}
    runs = {"a@mean": ["a", "a@1"], "b@mean": ["b", "b@1"]}
    alone = summarized({"law": own}, {"a@mean": runs["a@mean"]})["law", "a@mean"]
    undefined = {"b": given(float("nan")), "b@1": given(0.6)}
    beside = summarized({"law": own | undefined}, runs)
    assert beside["law", "a@mean"].low[0] == pytest.approx(alone.low[0])
    assert beside["law", "a@mean"].high[0] == pytest.approx(alone.high[0])
    assert np.isnan(beside["law", "b@mean"].low[0])


def test_without_bounds_seeds_of_one_model_say_nothing_about_another() -> None:
    values = {"near": 0.30, "near@2": 0.31, "far": 8.0, "far@2": 6.0}
    found = {"law": {name: given(value) for name, value in values.items()}}
    runs = {f"{name}@mean": [name, f"{name}@2"] for name in ("near", "far")}
    both = summarized(found, runs, is_share=False)
    alone = summarized(
        {"law": {name: each for name, each in found["law"].items() if "near" in name}},
        {"near@mean": runs["near@mean"]},
        is_share=False,
    )
    own, other = both["law", "near@mean"], both["law", "far@mean"]
    assert (own.low[0], own.high[0]) == (
        alone["law", "near@mean"].low[0],
        alone["law", "near@mean"].high[0],
    )
    # Student's t with one degree of freedom: 12.7 standard errors of 2 / sqrt(2) / sqrt(2).
    assert other.high[0] - 7 == pytest.approx(12.706, abs=0.1)
