"""Intervals against Wilson's and Student's formulas, plain loops, laws, and their coverage."""

from statistics import NormalDist, fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from multirm.evaluation import intervals
from multirm.tables.accuracy import IntervalNote

Z = NormalDist().inv_cdf(0.975)
SHARES = st.lists(st.sampled_from([0.0, 0.25, 1.0]) | st.floats(0, 1), min_size=1, max_size=12)


def of_shares(*categories: list[float]) -> tuple[float, float]:
    low, high = intervals.of_shares(intervals.mean_of(as_columns(*categories)))
    return float(low[0]), float(high[0])


def of_differences(*categories: list[float]) -> tuple[float, float]:
    values = as_columns(*categories)
    mean = intervals.mean_of(values)
    low, high = intervals.of_differences(mean, intervals.typical_size(values))
    return float(low[0]), float(high[0])


def as_columns(*categories: list[float]) -> dict[str, np.ndarray]:
    return {str(k): np.array(own, dtype=float)[:, None] for k, own in enumerate(categories)}


@pytest.mark.parametrize(("right", "questions"), [(0, 1), (1, 1), (3, 3), (7, 20), (20, 20)])
def test_for_binary_questions_it_is_wilsons(right: int, questions: int) -> None:
    found = of_shares([1.0] * right + [0.0] * (questions - right))
    wilson = stats.binomtest(right, questions).proportion_ci(0.95, method="wilson")
    assert found == pytest.approx((wilson.low, wilson.high), abs=1e-12)


def test_for_many_questions_it_is_students() -> None:
    values = np.random.default_rng(0).uniform(0.2, 0.9, 5000).tolist()
    half = float(stats.t.ppf(0.975, 4999)) * (variance(values) / 5000) ** 0.5
    mean = fmean(values)
    assert of_shares(values) == pytest.approx((mean - half, mean + half), abs=1e-5)
    differences = [value - 0.5 for value in values]
    assert of_differences(differences) == pytest.approx(
        (mean - 0.5 - half, mean - 0.5 + half), abs=1e-5
    )


def test_a_few_questions_by_hand() -> None:
    """Explicit formulas, for one category and for three, one of which has a single question."""
    values = [0.9, 0.5, 1.0, 0.75]
    mean, spread, n = fmean(values), variance(values), 4
    shrunk = (n * mean + 0.5) / (n + 1)
    squares = (n - 1) * spread + n * (mean - shrunk) ** 2
    squares += 0.5 * shrunk**2 + 0.5 * (1 - shrunk) ** 2
    share = squares / (n + 1) / (shrunk * (1 - shrunk))
    scale = min(stats.t.ppf(0.975, 3) ** 2 * share / n, Z**2 / n)
    middle = (mean + scale / 2) / (1 + scale)
    half = (scale * mean * (1 - mean) + scale**2 / 4) ** 0.5 / (1 + scale)
    assert of_shares(values) == pytest.approx((middle - half, middle + half))

    first, second, third = [0.9, 0.5, 1.0, 0.75], [0.2, 0.6], [1.0]
    pooled = (3 * variance(first) + variance(second)) / 4
    spreads = [
        variance(first) + (pooled - variance(first)) / 4,
        variance(second) + (pooled - variance(second)) / 2,
        max(0.25, pooled),
    ]
    parts = [spread / n / 9 for spread, n in zip(spreads, (4, 2, 1), strict=True)]
    found = intervals.mean_of(as_columns(first, second, third))
    assert found.value[0] == pytest.approx((fmean(first) + fmean(second) + 1) / 3)
    assert found.variance[0] == pytest.approx(sum(parts))
    squares = parts[0] ** 2 / 5 + parts[1] ** 2 / 3
    assert found.df[0] == pytest.approx(sum(parts) ** 2 / squares - 2)
    assert (found.size, found.least) == (pytest.approx(9 / (1 / 4 + 1 / 2 + 1)), 3)
    assert found.note is IntervalNote.SINGLE_QUESTIONS


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("sizes", [[1], [3], [1, 1, 1, 1], [20, 1], [4, 4]])
def test_equal_questions_have_a_width_and_a_note(value: float, sizes: list[int]) -> None:
    values = as_columns(*[[value] * size for size in sizes])
    mean = intervals.mean_of(values)
    (low,), (high,) = intervals.of_shares(mean)
    assert high - low > 0.04
    assert low <= value <= high
    assert mean.notes[0] is not None
    (low,), (high,) = intervals.of_differences(mean, intervals.typical_size(values))
    assert np.isnan(low) if max(sizes) == 1 else high - low > 0.04


def test_notes() -> None:
    def note(*categories: list[float]) -> IntervalNote | None:
        return intervals.mean_of(as_columns(*categories)).notes[0]

    assert note([1.0]) is IntervalNote.ONE_QUESTION
    assert note([1.0, 0.0], [0.5]) is IntervalNote.SINGLE_QUESTIONS
    assert note([0.1 + 0.2, 0.3], [1.0, 1.0]) is IntervalNote.NO_SPREAD
    assert note([1.0, 0.0], [1.0, 1.0]) is None


@given(values=SHARES)
def test_right_and_wrong_are_symmetric(values: list[float]) -> None:
    low, high = of_shares(values)
    assert of_shares([1 - value for value in values]) == pytest.approx(
        (1 - high, 1 - low), abs=1e-9
    )
    if len(values) > 1:
        signed = [2 * value - 1 for value in values]
        low, high = of_differences(signed)
        assert of_differences([-value for value in signed]) == pytest.approx(
            (-high, -low), abs=1e-9
        )


@given(values=st.lists(SHARES, min_size=1, max_size=4), seed=st.integers(0, 100))
def test_the_order_of_questions_and_categories_does_not_matter(
    values: list[list[float]], seed: int
) -> None:
    generator = np.random.default_rng(seed)
    mixed = [generator.permutation(own).tolist() for own in values]
    generator.shuffle(mixed)
    assert of_shares(*mixed) == pytest.approx(of_shares(*values), abs=1e-9)


@given(values=st.lists(SHARES, min_size=1, max_size=4))
def test_it_contains_its_value_within_bounds_and_is_no_wider_than_for_binary_questions(
    values: list[list[float]],
) -> None:
    low, high = of_shares(*values)
    value = fmean(fmean(own) for own in values)
    assert 0 <= low <= value + 1e-12
    assert value - 1e-12 <= high <= 1
    assert high > low
    questions = len(values) * min(map(len, values))
    middle = (value + Z**2 / 2 / questions) / (1 + Z**2 / questions)
    half = (value * (1 - value) * Z**2 / questions + (Z**2 / 2 / questions) ** 2) ** 0.5
    assert high - low <= 2 * half / (1 + Z**2 / questions) + 1e-9
    assert low >= middle - half / (1 + Z**2 / questions) - 1e-9


@given(spread=st.floats(0, 0.5), wider=st.floats(0, 0.5))
def test_more_spread_never_gives_a_narrower_interval(spread: float, wider: float) -> None:
    spread, wider = sorted((spread, wider))
    widths = []
    for own in (spread, wider):
        low, high = of_shares([0.5 - own, 0.5 + own] * 5)
        widths.append(high - low)
    assert widths[0] <= widths[1] + 1e-12


def test_columns_are_independent_and_a_missing_one_stays_missing() -> None:
    values = np.random.default_rng(0).random((9, 3))
    values[4, 1] = np.nan
    low, high = intervals.of_shares(intervals.mean_of({"law": values, "math": values}))
    assert np.isnan(low).tolist() == np.isnan(high).tolist() == [False, True, False]
    for k in (0, 2):
        assert of_shares(*[values[:, k].tolist()] * 2) == pytest.approx((low[k], high[k]))


# The coverage that intervals must reach in 2,000 samples: 95 %, minus three standard errors and what
# Wilson's interval loses for discrete values in the worst case.
ENOUGH = 0.915


@pytest.mark.parametrize("p", [0.5, 0.9, 0.983])
@pytest.mark.parametrize("sizes", [[20], [150], [5] * 14, [2] * 14, [100] * 13 + [1]])
@pytest.mark.parametrize("within", ["binary", "in between"])
def test_intervals_cover_the_truth(p: float, sizes: list[int], within: str) -> None:
    generator = np.random.default_rng(7)
    shape = {"binary": None, "in between": 2.0}[within]
    values = {
        str(k): (generator.random((n, 2000)) < p).astype(float)
        if shape is None
        else generator.beta(p * shape, (1 - p) * shape, (n, 2000))
        for k, n in enumerate(sizes)
    }
    low, high = intervals.of_shares(intervals.mean_of(values))
    assert np.mean((low <= p) & (p <= high)) > ENOUGH


@pytest.mark.parametrize("rare", [0.03, 0.3])
@pytest.mark.parametrize("sizes", [[10], [50], [5] * 14, [100] * 13 + [1]])
def test_intervals_of_differences_cover_the_truth(rare: float, sizes: list[int]) -> None:
    generator = np.random.default_rng(3)
    values = {}
    for k, n in enumerate(sizes):
        drawn = generator.random((n, 2000))
        values[str(k)] = (drawn < 2 * rare).astype(float) - (drawn > 1 - rare)
    mean = intervals.mean_of(values)
    low, high = intervals.of_differences(mean, intervals.typical_size(values))
    assert np.mean((low <= rare) & (rare <= high)) > ENOUGH


def test_another_error_adds_in_quadrature() -> None:
    value, error = np.array([0.5, 0.9, 0.5]), np.array([0.02, 0.1, 0.0])
    interval = value - 0.03, value + 0.04
    low, high = intervals.widened(value, interval, error, 4, (0, 1))
    reach = stats.t.ppf(0.975, 4)
    assert low[0] == pytest.approx(0.5 - np.hypot(0.03, reach * 0.02))
    assert high[0] == pytest.approx(0.5 + np.hypot(0.04, reach * 0.02))
    assert (high[1], low[2], high[2]) == (1, pytest.approx(0.47), pytest.approx(0.54))


def test_students_quantiles() -> None:
    df = np.array([1, 2.5, 30, 1, np.inf])
    np.testing.assert_allclose(intervals.student(df), stats.t.ppf(0.975, df), rtol=1e-9)
