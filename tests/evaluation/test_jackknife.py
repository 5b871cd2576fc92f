"""Leaving out questions, against measuring the rest one by one, and against formulas for means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation import jackknife
from multirm.evaluation.jackknife import effective_size, grouped, interval, variance, without_each


def shares(counts: np.ndarray) -> dict[str, np.ndarray]:
    with np.errstate(invalid="ignore"):
        return {"share": counts[..., 0] / counts.sum(axis=-1)}


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=20),
    st.sampled_from([1, 5, 10**6]),
)
def test_without_each_group_equals_measuring_the_rest(
    items: list[tuple[int, int]], at_once: int
) -> None:
    places = np.array([place for place, _ in items])
    _, groups = np.unique([group for _, group in items], return_inverse=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jackknife, "COUNTS_AT_ONCE", at_once)
        found = without_each(shares, places, groups, 3)["share"]
    for group in range(groups.max() + 1):
        left = places[groups != group]
        expected = np.mean(left == 0) if len(left) else np.nan
        assert found[group] == pytest.approx(expected, nan_ok=True)


def test_for_a_mean_it_is_the_usual_variance() -> None:
    values = np.random.default_rng(0).random(30)
    without = (values.sum() - values) / 29
    assert variance(without) == pytest.approx(values.var(ddof=1) / 30)


def test_one_group_or_an_undefined_measure_has_no_variance() -> None:
    assert np.isnan(variance(np.array([0.5])))
    assert np.isnan(variance(np.array([0.5, np.nan, 0.5])))
    low, high, known = interval(1.0, np.array([1.0, np.nan]), 1.0)
    assert (known, high) == (False, 1)
    assert low == pytest.approx(1 / (1 + 1.96**2), abs=1e-4)
    assert interval(1.0, np.array([1.0, 1.0]), 2.0)[2]


def test_many_questions_are_left_out_in_groups_of_equal_size() -> None:
    few = np.array([2, 0, 1, 1])
    np.testing.assert_array_equal(grouped(few), few)
    questions = np.repeat(np.arange(1000), 2)
    groups = grouped(questions)
    np.testing.assert_array_equal(groups[::2], groups[1::2])
    assert np.bincount(groups).tolist() == [10] * jackknife.GROUPS
    assert not np.array_equal(groups[::2], np.arange(1000) % jackknife.GROUPS)
    values = np.random.default_rng(0).random(1000)
    sums = np.bincount(groups[::2], values)
    found = variance((values.sum() - sums) / 995)
    assert found == pytest.approx(values.var(ddof=1) / 1000, rel=0.25)


def test_effective_sizes() -> None:
    assert effective_size(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_size(np.array([5.0, 0, 0])) == 1
    assert effective_size(np.array([3.0, 1])) == pytest.approx(16 / 10)
    assert effective_size(np.zeros(3)) == effective_size(np.array([])) == 0
