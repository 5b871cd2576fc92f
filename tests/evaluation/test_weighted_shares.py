"""Weighted means of subsets with intervals: those of `intervals` where these exist, and what clusters do to them."""

import math

import numpy as np
import pytest

from multirm.evaluation import intervals
from multirm.evaluation.weighted_shares import combined, share_by_leaving_out, share_of


def test_without_repeated_prompts_intervals_are_those_of_means_over_questions() -> None:
    random = np.random.default_rng(0)
    parts = {
        "a": random.integers(0, 2, 40).astype(float),
        "b": random.integers(0, 2, 15).astype(float),
    }
    shares = [share_of(part, np.arange(len(part))) for part in parts.values()]
    for chosen, names in (([0], ["a"]), ([0, 1], ["a", "b"])):
        mean = intervals.mean_of({name: parts[name][:, None] for name in names})
        low, high = intervals.of_shares(mean)
        found = combined([shares[k] for k in chosen], [1.0] * len(chosen))
        assert found.value == pytest.approx(mean.value[0])
        # The degrees of freedom are Welch's, without the correction for their own error.
        assert (found.value_low, found.value_high) == pytest.approx((low[0], high[0]), abs=2e-3)


def test_comparisons_of_one_prompt_are_worth_one() -> None:
    points = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0])
    prompts = np.arange(8)
    once = combined([share_of(points, prompts)], [1.0])
    repeated = combined([share_of(np.repeat(points, 5), np.repeat(prompts, 5))], [1.0])
    assert repeated == pytest.approx(once)
    as_if_apart = combined([share_of(np.repeat(points, 5), np.arange(40))], [1.0])
    assert as_if_apart.value_high - as_if_apart.value_low < 0.6 * (once.value_high - once.value_low)


def test_leaving_out_gives_the_variance_of_a_mean() -> None:
    random = np.random.default_rng(2)
    points, clusters = random.random(30), np.repeat(np.arange(10), 3)
    direct = share_of(points, clusters)
    left_out = share_by_leaving_out(lambda kept: float(points[kept].mean()), clusters)
    assert left_out.value == pytest.approx(direct.value)
    assert left_out.spread == pytest.approx(direct.spread)
    assert (left_out.size, left_out.n_clusters) == (direct.size, direct.n_clusters)


def test_what_is_unknown_stays_unknown_or_wide() -> None:
    nothing = share_of(np.zeros(0), np.zeros(0, int))
    assert math.isnan(combined([nothing, share_of(np.ones(3), np.arange(3))], [1, 1]).value)
    one = combined([share_of(np.ones(4), np.zeros(4, int))], [1.0])
    assert one.value == 1
    assert one.value_low < 0.3
    assert math.isnan(share_by_leaving_out(lambda _: math.nan, np.arange(3)).value)


def test_a_weight_scales_what_a_subset_tells() -> None:
    right, wrong = share_of(np.ones(50), np.arange(50)), share_of(np.zeros(50), np.arange(50))
    assert combined([right, wrong], [3.0, 1.0]).value == pytest.approx(0.75)
