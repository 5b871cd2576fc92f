"""Right answers by guessing among options, which Monte-Carlo labels must be corrected for.

Of 16 guesses among ten options, at least one is right with probability 1 - 0.9^16 = 81 %. So "some continuation is
right" says little about the steps before it.
"""

from functools import cache
from math import comb

# The share of answers that are known after a good step, at least: a step is bad if it is significantly smaller.
KNOWN_AFTER_GOOD = 0.5

# Sums of probabilities are rounded: a difference of 1e-12 is below any that matters.
_ROUNDING = 1e-12


def guessing_rate(n_options: int) -> float:
    """The probability that a guess is right: one of the options, or 0 if the question has none."""
    return 1 / n_options if n_options else 0.0


@cache
def most_by_guessing(n: int, rate: float, significance: float) -> int:
    """The smallest number of right guesses that `n` guesses exceed with at most a given probability.

    Args:
        n: number of guesses.
        rate: probability that one is right.
        significance: from 0 to 1; at 1 the number is 0, at 0 it is `n` unless no guess is right.

    Returns:
        the smallest t with P(X > t) <= significance, for X binomial with parameters n and rate.
    """
    above = 1.0
    for t in range(n):
        above -= comb(n, t) * rate**t * (1 - rate) ** (n - t)
        if above <= significance + _ROUNDING:
            return t
    return n


def corrected_share(n_right: int, n: int, rate: float) -> float:
    """The share of right answers that guessing does not explain: (share - rate) / (1 - rate), at least 0.

    It is the expected share of answers that are known, if the others are guessed (the usual correction of
    multiple-choice tests for guessing).
    """
    share = n_right / n
    return max(0.0, (share - rate) / (1 - rate)) if rate < 1 else 0.0


def is_known(n_right: int, n: int, rate: float, significance: float) -> bool | None:
    """Whether answers are known rather than guessed; None if they are too few, or their share too close, to tell.

    They are known if significantly more are right than by guessing. They are not if significantly fewer are right
    than if half of them were known, and the others guessed. At significance 1, one right answer decides.

    Args:
        n_right, n: right answers, and all.
        rate: probability that a guess is right.
        significance: the probability of either error, at most.
    """
    if n_right > most_by_guessing(n, rate, significance):
        return True
    if_good = KNOWN_AFTER_GOOD + (1 - KNOWN_AFTER_GOOD) * rate
    so_few = sum(comb(n, k) * if_good**k * (1 - if_good) ** (n - k) for k in range(n_right + 1))
    return False if so_few <= significance + _ROUNDING else None
