"""Aggregation against plain Python over each list."""

import math
import statistics
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.reward_models.aggregate import aggregate_lists, ranking, weights_in_pools
from multirm.tables.accuracy import Aggregation

REWARDS = st.none() | st.floats(0, 1, width=32)
DELTAS = {Aggregation.MIN_DELTA: min, Aggregation.MAX_DELTA: max}


def plain(rewards: list[float | None], aggregation: Aggregation) -> float:
    present = [reward for reward in rewards if reward is not None]
    if aggregation is Aggregation.LAST:
        return math.nan if not rewards or rewards[-1] is None else rewards[-1]
    if aggregation in (Aggregation.MIN_DELTA, Aggregation.MAX_DELTA):
        deltas = [b - a for a, b in pairwise(rewards) if a is not None and b is not None]
        return DELTAS[aggregation](deltas, default=math.nan)
    if not present:
        return math.nan
    if aggregation is Aggregation.POSITION_WEIGHTED_MEAN:
        n = len(rewards)
        weighted = [i / n * reward for i, reward in enumerate(present, 1)]
        return sum(weighted) / n if len(present) == n else math.nan
    if aggregation is Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN:
        weighted = [i * reward for i, reward in enumerate(present, 1)]
        total = sum(range(1, len(present) + 1))
        return sum(weighted) / total if len(present) == len(rewards) else math.nan
    if aggregation is Aggregation.DYNAMIC:
        return statistics.mean(present) - 0.5 * statistics.pvariance(present)
    return {
        Aggregation.MIN: min(present),
        Aggregation.MAX: max(present),
        Aggregation.MEAN: sum(present) / len(present),
        Aggregation.PROD: math.prod(present),
    }[aggregation]


@pytest.mark.parametrize("aggregation", Aggregation)
@given(lists=st.lists(st.lists(REWARDS, max_size=5), max_size=8))
def test_agrees_with_plain_loops(aggregation: Aggregation, lists: list[list[float | None]]) -> None:
    found = aggregate_lists(pa.array(lists, pa.list_(pa.float32())), aggregation)
    np.testing.assert_allclose(
        found, [plain(rewards, aggregation) for rewards in lists], rtol=1e-12, atol=1e-15
    )


@pytest.mark.parametrize("aggregation", Aggregation)
def test_a_slice_of_lists_is_aggregated_alone(aggregation: Aggregation) -> None:
    lists = [[0.1, 0.2], [], [0.5, None], [0.25, 0.75], [None]]
    array = pa.array(lists, pa.list_(pa.float32()))
    whole = aggregate_lists(array, aggregation)
    np.testing.assert_array_equal(aggregate_lists(array.slice(1, 3), aggregation), whole[1:4])


@pytest.mark.parametrize("aggregation", Aggregation)
def test_an_empty_list_is_missing_and_never_a_half(aggregation: Aggregation) -> None:
    array = pa.array([[], [None, None]], pa.list_(pa.float32()))
    assert np.isnan(aggregate_lists(array, aggregation)).all()


@pytest.mark.parametrize(
    ("aggregation", "rewards", "expected"),
    [
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, 1, 1, 1], 0.625),
        (Aggregation.POSITION_WEIGHTED_MEAN, [0.5], 0.5),
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, 0, 0.5], 2.5 / 9),
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, None], None),
        (Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN, [1, 1, 1, 1], 1),
        (Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN, [1, 0, 0.5], 2.5 / 6),
        (Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN, [None, 1], None),
        (Aggregation.DYNAMIC, [0, 1], 0.375),
        (Aggregation.DYNAMIC, [0.5], 0.5),
        (Aggregation.DYNAMIC, [0, None, 1], 0.375),
        (Aggregation.MIN_DELTA, [0.5, 1, 0.25, 0.5], -0.75),
        (Aggregation.MAX_DELTA, [0.5, 1, 0.25, 0.5], 0.5),
        (Aggregation.MIN_DELTA, [1, 0], -1),
        (Aggregation.MAX_DELTA, [0.5], None),
        (Aggregation.MAX_DELTA, [0, None, 1], None),
        (Aggregation.MAX_DELTA, [0, None, 1, 0.75], -0.25),
    ],
)
def test_rewards_keep_their_position_if_positions_matter(
    aggregation: Aggregation, rewards: list[float | None], expected: float | None
) -> None:
    found = aggregate_lists(pa.array([rewards], pa.list_(pa.float32())), aggregation)
    np.testing.assert_allclose(found, [math.nan if expected is None else expected])


@pytest.mark.parametrize("aggregation", Aggregation)
@given(rewards=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=5))
def test_deltas_are_between_minus_one_and_one(
    aggregation: Aggregation, rewards: list[float]
) -> None:
    found = aggregate_lists(pa.array([rewards], pa.list_(pa.float32())), aggregation)[0]
    assert (0 if aggregation.is_probability else -1) <= found <= 1


SCORES = st.lists(st.floats(-20, 20), min_size=1, max_size=6)


@pytest.mark.parametrize(
    "aggregation",
    [
        Aggregation.LAST,
        Aggregation.MEAN,
        Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN,
        Aggregation.DYNAMIC,
    ],
)
@given(rewards=SCORES, constant=st.floats(-20, 20))
def test_a_constant_moves_scores_of_any_length_alike(
    aggregation: Aggregation, rewards: list[float], constant: float
) -> None:
    before, after = aggregate_lists(
        lists_of([rewards, [reward + constant for reward in rewards]]), aggregation
    )
    assert after == pytest.approx(before + constant, abs=1e-9)


@given(rewards=SCORES)
def test_equal_steps_are_worth_a_step_and_disagreement_costs(rewards: list[float]) -> None:
    alike = lists_of([[rewards[0]] * len(rewards)])
    for aggregation in (Aggregation.DYNAMIC, Aggregation.NORMALISED_POSITION_WEIGHTED_MEAN):
        assert aggregate_lists(alike, aggregation)[0] == pytest.approx(rewards[0], abs=1e-9)
    varied = aggregate_lists(lists_of([rewards]), Aggregation.DYNAMIC)[0]
    assert varied <= np.mean(rewards) + 1e-9


@pytest.mark.parametrize("length", [2, 3, 4, 8, 9, 10, 16, 17, 130])
def test_results_equal_numpys_for_each_list_to_the_last_bit(length: int) -> None:
    """With decimals, as in JSON, sums in another order differ."""
    generator = np.random.default_rng(length)
    matrix = generator.integers(0, 1001, (300, length)) / 1000
    lists = [*matrix.tolist(), [0.5], []]
    array = pa.array(lists, pa.list_(pa.float64()))
    weights = np.arange(1, length + 1) / length
    for aggregation, plain_one in (
        (Aggregation.MEAN, np.mean),
        (Aggregation.PROD, np.prod),
        (Aggregation.POSITION_WEIGHTED_MEAN, lambda row: np.mean(weights * row)),
    ):
        found = aggregate_lists(array, aggregation)
        assert found[:-2].tolist() == [float(plain_one(np.array(row))) for row in matrix.tolist()]


def lists_of(rewards: list[list[float | None]]) -> pa.ListArray:
    return pa.array(rewards, pa.list_(pa.float64()))


MANY = st.lists(st.sampled_from([0.0, 1e-40, 0.1, 0.25, 0.5, 1.0]) | st.floats(0, 1), max_size=6)


@given(rewards=st.lists(MANY, min_size=2, max_size=6), times=st.sampled_from([1, 40, 400]))
def test_products_are_ranked_like_exact_fractions(rewards: list[list[float]], times: int) -> None:
    """Exact arithmetic, which does not underflow, decides which of two is greater."""
    repeated = lists_of([own * times for own in rewards])
    exact = [math.prod(map(Fraction, own), start=Fraction(1)) for own in rewards]
    weights = weights_in_pools(repeated, Aggregation.PROD, np.array([0]))
    for found in (ranking(repeated, Aggregation.PROD), weights):
        for i, j in combinations(range(len(rewards)), 2):
            if not rewards[i] or not rewards[j]:
                assert math.isnan(found[i] if not rewards[i] else found[j])
            elif exact[i] * 10**9 > exact[j] * (10**9 + 1):
                assert found[i] > found[j]
            elif sorted(rewards[i]) == sorted(rewards[j]):
                assert found[i] == found[j]


def test_weights_are_products_up_to_a_factor_per_pool() -> None:
    generator = np.random.default_rng(0)
    values = [generator.random(generator.integers(1, 9)).tolist() for _ in range(7)]
    starts = np.array([0, 3, 4])
    weights = weights_in_pools(lists_of(values), Aggregation.PROD, starts)
    for pool in (slice(0, 3), slice(3, 4), slice(4, 7)):
        products = np.array([math.prod(own) for own in values[pool]])
        np.testing.assert_allclose(weights[pool], products / products.max(), rtol=1e-12)


def test_pools_without_rewards_or_with_only_zeros() -> None:
    values: list[list[float | None]] = [[None], [], [0.0, 0.5], [0.0], [0.1] * 999, [None], [0.0]]
    found = weights_in_pools(lists_of(values), Aggregation.PROD, np.array([0, 2, 4]))
    np.testing.assert_array_equal(found, [math.nan, math.nan, 0, 0, 1, math.nan, 0])


def test_products_that_underflow_keep_their_order_without_ties() -> None:
    falling = lists_of([[0.05] * n for n in (1, 300, 301, 2000, 2001, 50_000)])
    assert aggregate_lists(falling, Aggregation.PROD)[3:].tolist() == [0, 0, 0]
    weights = weights_in_pools(falling, Aggregation.PROD, np.array([0]))
    assert (np.diff(weights) < 0).all()
    assert weights[0] == 1
    assert weights[-1] > 0


@pytest.mark.parametrize("aggregation", [a for a in Aggregation if a is not Aggregation.PROD])
def test_other_aggregations_are_unchanged(aggregation: Aggregation) -> None:
    lists = pa.array([[0.1, 0.4], [], [0.5, None], [0.25]], pa.list_(pa.float32()))
    expected = aggregate_lists(lists, aggregation)
    np.testing.assert_array_equal(ranking(lists, aggregation), expected)
    np.testing.assert_array_equal(weights_in_pools(lists, aggregation, np.array([0, 2])), expected)


def test_a_slice_of_lists_is_ranked_alone() -> None:
    array = lists_of([[0.1, 0.2], [], [0.5, None], [0.25, 0.75], [None]])
    whole = ranking(array, Aggregation.PROD)
    np.testing.assert_array_equal(ranking(array.slice(1, 3), Aggregation.PROD), whole[1:4])
