"""The bootstrap against a plain loop over resamples, its coverage, and Holm's correction by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation import bootstrap
from multirm.evaluation.bootstrap import compare, holm, interval, resampled_means
from multirm.randomness import item_generator
from multirm.vocabulary import OVERALL


def scores(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def plain(values: np.ndarray, resamples: int, seed: int, category: str) -> np.ndarray:
    """Draw questions with replacement and take their mean, one resample after the other."""
    generator = item_generator(seed, "bootstrap", category)
    return np.array(
        [
            values[generator.integers(len(values), size=len(values))].mean(axis=0)
            for _ in range(resamples)
        ]
    )


def test_means_are_those_of_a_plain_loop() -> None:
    values = {"law": scores(7, 3), "math": scores(12, 3, seed=1)}
    found = resampled_means(values, 200, 42)
    expected = {name: plain(part, 200, 42, name) for name, part in values.items()}
    for name in values:
        np.testing.assert_allclose(found[name], expected[name])
    assert list(found) == ["law", "math", OVERALL]
    np.testing.assert_allclose(found[OVERALL], (expected["law"] + expected["math"]) / 2)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"law": scores(7, 3)}
    whole = resampled_means(values, 50, 42)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 30)
    np.testing.assert_allclose(resampled_means(values, 50, 42)["law"], whole["law"])


def test_a_category_resamples_the_same_whatever_stands_beside_it() -> None:
    law, math = scores(9, 2), scores(5, 2, seed=1)
    together = resampled_means({"law": law, "math": math}, 100, 42)
    swapped = resampled_means({"math": math, "law": law}, 100, 42)
    alone = resampled_means({"law": law}, 100, 42)
    for other in (swapped, alone):
        np.testing.assert_array_equal(other["law"], together["law"])
    np.testing.assert_array_equal(alone[OVERALL], alone["law"])
    np.testing.assert_array_equal(swapped[OVERALL], together[OVERALL])
    assert not np.array_equal(resampled_means({"law": law}, 100, 43)["law"], together["law"])


def test_categories_count_the_same_and_keep_their_size() -> None:
    """The variance of the macro-average is that of independent categories, each with its own n."""
    values = {"small": scores(10, 1), "large": scores(1000, 1, seed=1)}
    means = resampled_means(values, 20_000, 0)
    expected = sum(part.var() / len(part) for part in values.values()) / 4
    assert means[OVERALL].var() == pytest.approx(expected, rel=0.05)


def test_coverage_of_the_interval() -> None:
    """Of 400 samples of 60 questions, about 95 % of the intervals hold the mean: within 3 deviations."""
    generator = np.random.default_rng(0)
    samples = generator.random((60, 400)) < 0.7
    low, high = interval(resampled_means({"law": samples.astype(float)}, 1000, 0)["law"])
    assert 0.917 <= np.mean((low <= 0.7) & (high >= 0.7)) <= 0.983


def test_p_is_small_where_there_is_a_difference_and_uniform_where_there_is_none() -> None:
    generator = np.random.default_rng(1)
    first, second = generator.random((2, 100, 400))
    values = np.concatenate([first, second, second + 0.3], axis=1)
    means, estimates = resampled_means({"law": values}, 999, 0)["law"], values.mean(axis=0)
    none = compare(means, estimates, [(i, 400 + i) for i in range(400)]).p
    assert np.mean(none <= 0.05) == pytest.approx(0.05, abs=0.033)
    assert np.mean(none <= 0.5) == pytest.approx(0.5, abs=0.075)
    assert (compare(means, estimates, [(i, 800 + i) for i in range(400)]).p <= 0.05).all()


def test_compare_is_paired_and_its_p_counts_one_resample_more() -> None:
    means = np.array([[0.5, 0.1], [0.6, 0.3], [0.4, 0.4], [0.2, 0.3]])
    found = compare(means, np.array([0.5, 0.25]), [(0, 1), (1, 0)])
    np.testing.assert_allclose(found.difference, [0.25, -0.25])
    # d* = 0.4, 0.3, 0, -0.1: two of four at most 0, three at least 0.
    np.testing.assert_allclose(found.p, [1, 1])
    low, high = np.quantile([0.4, 0.3, 0, -0.1], [0.025, 0.975])
    np.testing.assert_allclose(found.low, [low, -high])
    np.testing.assert_allclose(found.high, [high, -low])
    positive = compare(means + [[0.2, 0]], np.array([0.7, 0.25]), [(0, 1)])
    np.testing.assert_allclose(positive.p, [2 / 5])


def test_equal_columns_do_not_differ() -> None:
    """Also where rounding always errs to one side."""
    column = scores(500, 1)
    values = np.concatenate([column, column, column + 1e-14], axis=1)
    means = resampled_means({"law": values}, 500, 0)["law"]
    found = compare(means, values.mean(axis=0), [(0, 1), (0, 2), (2, 0)])
    np.testing.assert_allclose([found.difference, found.low, found.high], 0, atol=1e-12)
    assert found.p.tolist() == [1, 1, 1]


def test_one_question_has_an_interval_of_no_width_and_no_p() -> None:
    values = {"law": np.array([[1.0, 0.25, 1.0]])}
    for means in resampled_means(values, 100, 0).values():
        np.testing.assert_array_equal(interval(means), [[1, 0.25, 1]] * 2)
        found = compare(means, np.array([1, 0.25, 1]), [(0, 1), (0, 2)])
        np.testing.assert_array_equal(found.low, [0.75, 0])
        np.testing.assert_array_equal(found.p, [np.nan, 1])


def test_a_missing_column_stays_missing_alone() -> None:
    values = scores(20, 3)
    values[4, 1] = np.nan
    means = resampled_means({"law": values, "math": scores(20, 3)}, 100, 0)
    for part in (means["law"], means[OVERALL]):
        low, high = interval(part)
        assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, False]
        p = compare(part, values.mean(axis=0), [(0, 1), (1, 2), (0, 2)]).p
        assert np.isnan(p).tolist() == [True, True, False]


def test_no_pairs_no_comparisons() -> None:
    assert compare(scores(10, 2), scores(2), []).p.shape == (0,)
    assert holm(np.array([])).shape == (0,)


def test_holm_by_hand() -> None:
    """0.005 × 4, 0.01 × 3, 0.03 × 2, and 0.04 × 1, which is no less than the one before."""
    found = holm(np.array([0.01, 0.04, 0.03, 0.005]))
    np.testing.assert_allclose(found, [0.03, 0.06, 0.06, 0.02])


def test_holm_leaves_out_what_is_missing() -> None:
    found = holm(np.array([np.nan, 0.02, 0.6, np.nan, 0.7]))
    np.testing.assert_allclose(found, [np.nan, 0.06, 1, np.nan, 1])


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_only_raises_keeps_the_order_and_stays_a_probability(values: list[float]) -> None:
    p = np.array(values)
    adjusted = holm(p)
    assert (adjusted >= p).all()
    assert (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
