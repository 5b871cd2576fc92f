"""Macro-averages and means over training runs, with intervals."""

import numpy as np
import pytest

from multirm.evaluation import intervals, jackknife
from multirm.evaluation.macro import Bounded, Estimate, mean_of, summaries
from multirm.evaluation.methods import Scorer
from multirm.tables.accuracy import OVERALL, Aggregation


def estimate(value: float, spread: float = 0.05, groups: int = 10, n: int = 5) -> Estimate:
    without = value + spread * np.linspace(-1, 1, groups)[:, None] / groups
    return Estimate(np.array([value]), without, np.array([float(groups)]), {"n": np.array([n])})


def found(
    own: dict[str, dict[str, Estimate]], runs: dict[str, list[str]] | None = None
) -> dict[tuple[str, str], Bounded]:
    return {(name, key): each for name, key, each in summaries(own, runs or {})}


def test_a_category_has_the_jackknife_s_interval() -> None:
    own = estimate(0.7)
    bounded = found({"law": {"a": own}})["law", "a"]
    low, high, known = jackknife.interval(0.7, own.without[:, 0], 10)
    assert (bounded.low[0], bounded.high[0]) == pytest.approx((low, high))
    assert known
    assert bounded.is_known.all()


def test_overall_is_the_mean_of_categories_and_surer_than_each() -> None:
    bounded = found({"law": {"a": estimate(0.6)}, "physics": {"a": estimate(0.8, n=7)}})
    overall = bounded[OVERALL, "a"]
    assert next(iter(bounded)) == (OVERALL, "a")
    assert overall.value[0] == pytest.approx(0.7)
    assert overall.counts["n"][0] == 12
    widths = {name: each.high[0] - each.low[0] for (name, _), each in bounded.items()}
    assert widths[OVERALL] < min(widths["law"], widths["physics"])
    assert overall.low[0] < 0.7 < overall.high[0]


def test_what_one_category_lacks_overall_lacks() -> None:
    undefined = estimate(float("nan"))
    bounded = found({"law": {"a": estimate(0.6), "b": undefined}, "physics": {"b": estimate(0.5)}})
    assert (OVERALL, "a") not in bounded
    assert np.isnan(bounded[OVERALL, "b"].value[0])
    assert bounded["physics", "b"].value[0] == 0.5


def test_a_single_question_has_the_widest_interval_and_says_so() -> None:
    alone = Estimate(np.array([0.8]), np.array([[np.nan]]), np.array([1.0]), {"n": np.array([1])})
    bounded = found({"law": {"a": alone}, "physics": {"a": estimate(0.8)}})
    assert not bounded["law", "a"].is_known[0]
    assert not bounded[OVERALL, "a"].is_known[0]
    several = bounded["physics", "a"]
    assert bounded["law", "a"].high[0] - bounded["law", "a"].low[0] > 0.5
    width = bounded[OVERALL, "a"].high[0] - bounded[OVERALL, "a"].low[0]
    assert width > several.high[0] - several.low[0]


def test_a_mean_over_runs_is_before_them_and_as_unsure_as_seeds_make_it() -> None:
    own = {"a": estimate(0.5), "a@2": estimate(0.7), "b": estimate(0.6)}
    bounded = found({"law": own}, {"a@mean": ["a", "a@2"]})
    assert [key for name, key in bounded if name == "law"] == ["a@mean", "a", "a@2", "b"]
    mean, single = bounded["law", "a@mean"], bounded["law", "b"]
    assert mean.value[0] == pytest.approx(0.6)
    error = np.std([0.5, 0.7], ddof=1) / np.sqrt(2)
    low, high = intervals.widened(
        np.array([0.6]), (single.low, single.high), np.array([error]), 1, (0, 1)
    )
    assert (mean.low[0], mean.high[0]) == pytest.approx((low[0], high[0]))


def test_a_mean_s_counts_are_those_of_the_run_with_fewest() -> None:
    assert mean_of([estimate(0.5, n=5), estimate(0.7, n=3)]).counts["n"][0] == 3


def test_another_aggregation_is_no_more_seeds() -> None:
    """Two runs with one aggregation tell as much about seeds as the same two runs with two."""
    last, mean = Aggregation.LAST, Aggregation.MEAN

    def overall(aggregations: list[Aggregation]) -> Bounded:
        own = {
            Scorer(name, way): estimate(value)
            for way in aggregations
            for name, value in (("a", 0.4), ("a@1", 0.6))
        }
        runs = {
            Scorer("a@mean", way): [Scorer("a", way), Scorer("a@1", way)] for way in aggregations
        }
        bounded = {(name, key): each for name, key, each in summaries({"law": own}, runs)}
        return bounded[OVERALL, Scorer("a@mean", last)]

    one, two = overall([last]), overall([last, mean])
    assert (one.low[0], one.high[0]) == pytest.approx((two.low[0], two.high[0]))


def test_an_undefined_measure_of_one_model_leaves_the_intervals_of_others() -> None:
    own = {"a": estimate(0.5), "a@1": estimate(0.6)}
    runs = {"a@mean": ["a", "a@1"], "b@mean": ["b", "b@1"]}
    alone = found({"law": own}, {"a@mean": runs["a@mean"]})["law", "a@mean"]
    undefined = {"b": estimate(float("nan")), "b@1": estimate(0.6)}
    beside = found({"law": own | undefined}, runs)
    assert beside["law", "a@mean"].low[0] == pytest.approx(alone.low[0])
    assert beside["law", "a@mean"].high[0] == pytest.approx(alone.high[0])
    assert np.isnan(beside["law", "b@mean"].low[0])
