"""Where the lowest step reward is, against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.evaluation.minimum_positions import last_is_lowest

LISTS = st.lists(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, math.nan]), max_size=5), min_size=1, max_size=10
)


def plain(rewards: list[float]) -> float:
    if not rewards or any(map(math.isnan, rewards)):
        return math.nan
    lowest = [k for k, reward in enumerate(rewards) if reward == min(rewards)]
    return 1 / len(lowest) if lowest[-1] == len(rewards) - 1 else 0.0


@given(lists=LISTS, before=st.integers(0, 3))
def test_agrees_with_plain_loops(lists: list[list[float]], before: int) -> None:
    """Also in a slice of a longer array."""
    values = np.array([0.0] * before + [reward for each in lists for reward in each])
    offsets = before + np.cumsum([0, *map(len, lists)])
    at_last, by_chance = last_is_lowest(values, offsets)
    assert at_last == pytest.approx([plain(each) for each in lists], nan_ok=True)
    assert by_chance == pytest.approx([1 / max(len(each), 1) for each in lists])


def test_by_chance_is_what_random_rewards_come_to() -> None:
    lengths = np.random.default_rng(1).integers(2, 8, 20_000)
    values = np.random.default_rng(2).random(lengths.sum())
    at_last, by_chance = last_is_lowest(values, np.r_[0, lengths.cumsum()])
    assert at_last.mean() == pytest.approx(by_chance.mean(), abs=0.01)
