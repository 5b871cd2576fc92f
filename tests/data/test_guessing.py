"""Guessing: numbers of right guesses against enumeration, and what is left of a share without them."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.guessing import corrected_share, guessing_rate, most_by_guessing


def exceeds(n: int, n_options: int, t: int) -> float:
    """P(more than t of n guesses are right), by listing all guesses; option 0 is right."""
    guesses = [*product(range(n_options), repeat=n)]
    return sum(each.count(0) > t for each in guesses) / len(guesses)


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("n_options", [2, 3, 4])
@pytest.mark.parametrize("significance", [0.0, 0.01, 0.05, 0.3, 1.0])
def test_the_number_is_the_smallest_that_guesses_seldom_exceed(
    n: int, n_options: int, significance: float
) -> None:
    t = most_by_guessing(n, guessing_rate(n_options), significance)
    assert exceeds(n, n_options, t) <= significance + 1e-9
    assert t == 0 or exceeds(n, n_options, t - 1) > significance


def test_sixteen_guesses() -> None:
    """Any right one of 16 is no evidence: with ten options it happens in 81 % of cases."""
    assert 1 - (1 - guessing_rate(10)) ** 16 == pytest.approx(0.8147, abs=1e-4)
    assert most_by_guessing(16, guessing_rate(10), 0.05) == 4
    assert most_by_guessing(16, guessing_rate(4), 0.05) == 7
    assert most_by_guessing(16, guessing_rate(10), 1.0) == 0
    assert most_by_guessing(16, guessing_rate(0), 0.05) == 0


@given(st.integers(1, 40), st.sampled_from([2, 4, 10]), st.data())
def test_the_corrected_share_is_that_of_known_answers(
    n: int, n_options: int, data: st.DataObject
) -> None:
    n_right = data.draw(st.integers(0, n))
    rate = guessing_rate(n_options)
    known = corrected_share(n_right, n, rate)
    assert 0 <= known <= 1
    if n_right >= n * rate:
        assert known + (1 - known) * rate == pytest.approx(n_right / n)
    else:
        assert known == 0
    assert corrected_share(n_right, n, guessing_rate(0)) == n_right / n
