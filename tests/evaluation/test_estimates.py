"""Averages of measures over categories and training runs."""

import numpy as np
import pytest

from multirm.evaluation import intervals
from multirm.evaluation.estimates import UNDEFINED, Estimate, estimate, mean, over_runs, share


def of_yes(counts: np.ndarray) -> np.ndarray:
    return np.asarray(counts[..., 1] / counts.sum(axis=-1))


def shares(flags: np.ndarray, questions: np.ndarray, kept: np.ndarray | None = None) -> Estimate:
    kept = np.ones(len(flags), dtype=bool) if kept is None else kept
    return estimate(of_yes, flags.astype(int), questions, kept, 2)


def test_questions_without_items_are_no_observations() -> None:
    flags, questions = np.array([1, 0, 1, 1]), np.array([0, 0, 1, 2])
    found = shares(flags, questions, np.array([True, True, True, False]))
    assert found.value == pytest.approx(2 / 3)
    assert found.has_items.tolist() == [True, True, False]
    assert found.without.tolist() == pytest.approx([1, 1 / 2, 2 / 3])
    assert found.variance == pytest.approx(1 / 2 * 2 * (1 / 4) ** 2)


def test_one_item_per_question_is_a_proportion() -> None:
    """The interval is that of a mean over questions."""
    flags = np.array([1] * 30 + [0] * 10)
    found = share([shares(flags, np.arange(40))])
    low, high = intervals.of_share(
        np.array([0.75]), np.array([0.75 * 0.25 / 39]), np.array([39.0]), 40, 40
    )
    assert found.value == 0.75
    assert (found.low, found.high) == pytest.approx((low[0], high[0]))


def test_the_macro_average_covers_in_95_percent_of_samples() -> None:
    generator = np.random.default_rng(4)
    truths = (0.3, 0.6, 0.8)
    covered = 0
    for _ in range(400):
        parts = []
        for truth in truths:
            own = generator.beta(4 * truth, 4 * (1 - truth), 25)
            parts.append(
                shares(generator.random(100) < np.repeat(own, 4), np.repeat(np.arange(25), 4))
            )
        found = share(parts)
        assert found.low is not None and found.high is not None
        covered += found.low <= np.mean(truths) <= found.high
    assert 0.92 <= covered / 400 <= 0.99


def test_categories_where_it_is_undefined_do_not_count() -> None:
    some = shares(np.array([1, 0, 1, 1]), np.arange(4))
    none = shares(np.array([1, 0]), np.arange(2), np.zeros(2, dtype=bool))
    assert np.isnan(none.value)
    assert share([some, none]) == share([some])
    assert share([none]) == mean([none]) == share([]) == UNDEFINED


def test_one_question_has_the_widest_interval() -> None:
    found = share([shares(np.array([1, 1, 1]), np.zeros(3, dtype=int))])
    assert found.value == 1 and found.high == 1
    assert found.low is not None and found.low < 0.25


def test_a_mean_without_bounds() -> None:
    def measure(counts: np.ndarray) -> np.ndarray:
        return np.asarray(counts @ np.arange(9) / counts.sum(axis=-1))

    values = np.array([2, 4, 6, 8])
    found = mean([estimate(measure, values, np.arange(4), values > 0, 9)])
    half = 3.182446 * np.sqrt(values.var(ddof=1) / 4)
    assert found.value == 5
    assert (found.low, found.high) == pytest.approx((5 - half, 5 + half))
    lone = mean([estimate(measure, values, np.zeros(4, dtype=int), values > 0, 9)])
    assert (lone.value, lone.low, lone.high) == (5, None, None)


def test_the_mean_over_runs_is_jackknifed_as_a_whole() -> None:
    """Runs that err on the same questions are no more certain together than one."""
    generator = np.random.default_rng(1)
    questions = np.arange(50)
    first = generator.random(50) < 0.5
    same = over_runs([shares(first, questions), shares(first, questions)])
    assert same.variance == pytest.approx(shares(first, questions).variance)
    opposite = over_runs([shares(first, questions), shares(~first, questions)])
    assert opposite.value == 0.5
    assert opposite.variance == pytest.approx(0, abs=1e-12)
