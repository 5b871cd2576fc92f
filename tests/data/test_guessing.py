"""Guessing: numbers of right guesses against enumeration, and what is left of a share without them."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.data.guessing import corrected_share, guessing_rate, is_known, most_by_guessing


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


def probability(n: int, rate: float, allowed: list[int]) -> float:
    """That so many of `n` answers are right, by listing which ones are."""
    return sum(
        rate ** sum(right) * (1 - rate) ** (n - sum(right))
        for right in product([0, 1], repeat=n)
        if sum(right) in allowed
    )


@pytest.mark.parametrize("n", range(1, 9))
@pytest.mark.parametrize("n_options", [0, 1, 2, 3, 4, 10])
@pytest.mark.parametrize("significance", [0.01, 0.05, 0.3])
def test_answers_are_known_or_guessed_only_if_the_other_is_unlikely(
    n: int, n_options: int, significance: float
) -> None:
    rate = guessing_rate(n_options)
    for n_right in range(n + 1):
        by_guessing = probability(n, rate, [*range(n_right, n + 1)]) <= significance + 1e-9
        if_half_known = probability(n, (1 + rate) / 2, [*range(n_right + 1)]) <= significance + 1e-9
        expected = True if by_guessing and n_right else False if if_half_known else None
        assert is_known(n_right, n, rate, significance) is expected


def test_few_answers_tell_nothing() -> None:
    assert is_known(1, 1, 1 / 10, 0.05) is None
    assert is_known(0, 1, 1 / 10, 0.05) is None
    assert is_known(2, 2, 1 / 4, 0.05) is None
    assert is_known(4, 4, 1 / 2, 0.05) is None
    assert is_known(5, 5, 1 / 2, 0.05) is True
    # Among ten options, 16 answers always tell; among four, seven right ones are too close.
    assert [is_known(k, 16, 1 / 10, 0.05) for k in range(17)] == [False] * 5 + [True] * 12
    told = [is_known(k, 16, 1 / 4, 0.05) for k in range(17)]
    assert told == [False] * 7 + [None] + [True] * 9


@given(st.integers(1, 40), st.sampled_from([0, 2, 4, 10]), st.data())
def test_at_significance_one_any_right_answer_decides(
    n: int, n_options: int, data: st.DataObject
) -> None:
    n_right = data.draw(st.integers(0, n))
    assert is_known(n_right, n, guessing_rate(n_options), 1.0) is (n_right > 0)


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
