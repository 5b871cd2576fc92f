"""Aggregation against plain Python over each list."""

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.aggregate import aggregate_lists
from multirm.vocabulary import Aggregation

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
def test_nothing_to_aggregate_is_missing_never_a_half(aggregation: Aggregation) -> None:
    array = pa.array([[], [None, None]], pa.list_(pa.float32()))
    assert np.isnan(aggregate_lists(array, aggregation)).all()


@pytest.mark.parametrize(
    ("aggregation", "rewards", "expected"),
    [
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, 1, 1, 1], 0.625),
        (Aggregation.POSITION_WEIGHTED_MEAN, [0.5], 0.5),
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, 0, 0.5], 2.5 / 9),
        (Aggregation.POSITION_WEIGHTED_MEAN, [1, None], None),
        (Aggregation.MIN_DELTA, [0.5, 1, 0.25, 0.5], -0.75),
        (Aggregation.MAX_DELTA, [0.5, 1, 0.25, 0.5], 0.5),
        (Aggregation.MIN_DELTA, [1, 0], -1),
        (Aggregation.MAX_DELTA, [0.5], None),
        (Aggregation.MAX_DELTA, [0, None, 1], None),
        (Aggregation.MAX_DELTA, [0, None, 1, 0.75], -0.25),
    ],
)
def test_where_places_matter_every_reward_keeps_its_own(
    aggregation: Aggregation, rewards: list[float | None], expected: float | None
) -> None:
    found = aggregate_lists(pa.array([rewards], pa.list_(pa.float32())), aggregation)
    np.testing.assert_allclose(found, [math.nan if expected is None else expected])


@pytest.mark.parametrize("aggregation", Aggregation)
@given(rewards=st.lists(st.floats(0, 1, width=32), min_size=2, max_size=5))
def test_what_is_no_probability_lies_between_minus_one_and_one(
    aggregation: Aggregation, rewards: list[float]
) -> None:
    found = aggregate_lists(pa.array([rewards], pa.list_(pa.float32())), aggregation)[0]
    assert (0 if aggregation.is_probability else -1) <= found <= 1


@pytest.mark.parametrize("length", [2, 3, 4, 8, 9, 10, 16, 17, 130])
def test_to_the_last_bit_what_numpy_makes_of_each_list_alone(length: int) -> None:
    """With decimals, as JSON has them, sums in another order come out different."""
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
