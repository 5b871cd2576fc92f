"""Aggregation against plain Python over each list."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.aggregate import aggregate_lists
from multirm.vocabulary import Aggregation

REWARDS = st.none() | st.floats(0, 1, width=32)


def plain(rewards: list[float | None], aggregation: Aggregation) -> float:
    present = [reward for reward in rewards if reward is not None]
    if aggregation is Aggregation.LAST:
        return math.nan if not rewards or rewards[-1] is None else rewards[-1]
    if not present:
        return math.nan
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
        found, [plain(rewards, aggregation) for rewards in lists], rtol=1e-12
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
