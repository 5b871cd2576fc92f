"""How often a selection is right, over all subpools of N solutions: counted, without sampling.

Every function takes the pools of Q questions with K solutions each and the sizes N, from 1 to K:

- answers: int [Q, K], equal where answers are equal, from 0; -1 where there is no answer.
- correct: bool [Q, K], the same for all solutions with one answer; False where there is none.
- rewards: float64 [Q, K]; NaN where missing.
- n: the sizes, in any order.

and gives float64 [len(n), Q], in [0, 1]: the expectation over the C(K, N) subpools, all equally
likely. Ties are shared equally, which is the expectation over random orders of a subpool. Nothing
is subtracted from anything near it and no binomial coefficient is ever written out, so pools of
thousands are as precise as small ones.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

# Half a megabyte: a block of polynomials is gone over again and again, and should stay in the cache.
COEFFICIENTS_AT_ONCE = 2**16

# Chances that are left out: a thousand of them are less than the rounding of 1.
NEGLIGIBLE = 1e-20


def pass_at_n(correct: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """The chance that a subpool has a correct solution: 1 - C(K-c, N) / C(K, N), with c correct."""
    pool = correct.shape[1]
    first = _chance_of_first(pool, n)
    # With the correct solutions put first, the first of the subpool is one of them.
    chance = np.concatenate([np.zeros((len(n), 1)), first.cumsum(axis=1)], axis=1)
    certain = np.arange(pool + 1) > pool - np.asarray(n)[:, None]
    chance = np.where(certain, 1.0, np.minimum(chance, 1.0))
    return np.asarray(chance[:, correct.sum(axis=1)])


def best_of_n(correct: np.ndarray, rewards: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """The solution with the greatest reward.

    A group of m tied solutions of which c are correct, with L solutions below it, contributes
    [C(L+m, N) - C(L, N)] / C(K, N) · c/m. Solutions without a reward are the lowest group: one of
    them is picked only where the subpool has no other.
    """
    _, shares = rank(correct, rewards)
    chance = _chance_of_first(correct.shape[1], n)
    return np.asarray(np.minimum(chance @ shares.T, 1.0))


def majority_vote(answers: np.ndarray, correct: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """The most frequent answer; a subpool without any answer is wrong."""
    questions, pool = answers.shape
    counts, right = _count(answers, correct)
    question, code = np.nonzero(right)
    votes = counts[question, code]
    rivals = counts[question]
    rivals[np.arange(len(code)), code] = 0
    rivals = -np.sort(-rivals, axis=1)
    chances = [_chance_to_win(votes, rivals, pool, size) for size in n]
    result = [np.bincount(question, chance, minlength=questions) for chance in chances]
    return np.minimum(np.reshape(result, (len(n), questions)), 1.0)


def rank(correct: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each pool from its greatest reward to its least, and then those without one.

    Returns:
        positions in the pool, int [Q, K], and at each place of that order the share of correct
        solutions among those tied with the one there, float64 [Q, K].
    """
    pool = correct.shape[1]
    order = np.argsort(-rewards, axis=1, kind="stable")
    reward = np.take_along_axis(rewards, order, axis=1)
    tied = (reward[:, 1:] == reward[:, :-1]) | (np.isnan(reward[:, 1:]) & np.isnan(reward[:, :-1]))
    edge = np.ones((len(tied), 1), dtype=bool)
    place = np.arange(pool)
    start = np.maximum.accumulate(np.where(np.hstack([edge, ~tied]), place, 0), axis=1)
    last = np.where(np.hstack([~tied, edge]), place, pool)
    end = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1] + 1
    right = np.zeros((len(tied), pool + 1), dtype=np.int64)
    np.cumsum(np.take_along_axis(correct, order, axis=1), axis=1, out=right[:, 1:])
    n_right = np.take_along_axis(right, end, axis=1) - np.take_along_axis(right, start, axis=1)
    return order, n_right / (end - start)


def _chance_of_first(pool: int, n: Sequence[int]) -> np.ndarray:
    """The chance that the first of a subpool stands at place k of the pool: C(K-1-k, N-1) / C(K, N).

    Returns:
        float64 [len(n), pool].
    """
    sizes = np.asarray(n, dtype=np.float64)[:, None]
    after = np.arange(pool - 1, 0, -1)
    ratios = np.maximum(after - (sizes - 1), 0) / after
    return np.asarray(np.cumprod(np.concatenate([sizes / pool, ratios], axis=1), axis=1))


def _count(answers: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many solutions give each answer, int [Q, codes], and whether it is correct, bool."""
    questions, codes = len(answers), int(answers.max(initial=0)) + 1
    slots = (np.arange(questions)[:, None] * codes + answers)[answers >= 0]
    counts = np.bincount(slots, minlength=questions * codes)
    right = np.bincount(slots, correct[answers >= 0], minlength=questions * codes) > 0
    return counts.reshape(questions, codes), right.reshape(questions, codes)


def _chance_to_win(votes: np.ndarray, rivals: np.ndarray, pool: int, n: int) -> np.ndarray:
    """The chance, ties shared, that an answer is the most frequent one in a subpool of n.

    Let every solution be drawn on its own with chance n/K. Given that n are drawn, this is a random
    subpool; and that is likely enough (about 1/√n at least) to divide by. Before that, an answer
    with a solutions has i of them drawn with a binomial chance, the coefficient of x^i in its
    generating function, and a product of such functions has the chances of all ways to draw n:
    sums of products of chances, where nothing overflows and nothing cancels.

    Args:
        votes: int [answers], how many solutions of its pool give the answer.
        rivals: int [answers, codes], how many give each other answer, from most to fewest.
    """
    binomial = _binomial_chances(pool, n)
    chance = np.zeros(len(votes))
    for top in range(1, min(n, int(votes.max(initial=0))) + 1):
        able = rivals >= top
        n_able = able.sum(axis=1)
        # An answer that cannot have more than `top` drawn is as free as solutions without any.
        free = pool - votes - np.where(able, rivals, 0).sum(axis=1)
        likely = binomial[votes, top] > NEGLIGIBLE * binomial[pool, n]
        for count in np.unique(n_able[likely]):
            alike = np.flatnonzero(likely & (n_able == count))
            for part in _parts(alike, (int(count) + 2) * (n - top + 1)):
                held = _chance_to_hold(binomial, free[part], rivals[part, :count], top, n - top)
                chance[part] += binomial[votes[part], top] * held
    return np.asarray(chance / binomial[pool, n])


def _chance_to_hold(
    binomial: np.ndarray, free: np.ndarray, rivals: np.ndarray, top: int, rest: int
) -> np.ndarray:
    """The chance that `rest` others are drawn and an answer with `top` drawn wins over its rivals.

    Sharing a tie with s rivals is a draw of lots: each answer has a number between 0 and 1, the
    greatest wins, and so y beats s others with chance y^s, 1/(s+1) on the average over y. Thus a
    rival may have fewer than `top` drawn, or exactly `top` with chance y. The average is Gauss and
    Legendre's, exact for polynomials in y of as many ties as there can be.

    Args:
        free: int [answers], how many solutions may be drawn without limit.
        rivals: int [answers, rivals], of `top` solutions or more each.
    """
    n_rivals = rivals.shape[1]
    if n_rivals == 0:
        return np.asarray(binomial[free, rest])
    lots, weights = _lots(min(n_rivals, rest // top) // 2 + 1)
    most = min(top, rest)
    drawn = np.repeat(binomial[free, None, : rest + 1], len(lots), axis=1)
    for k in range(n_rivals):
        factors = np.repeat(binomial[rivals[:, k], : most + 1, None], len(lots), axis=2)
        if most == top:
            factors[:, top] *= lots
        if k < n_rivals - 1:
            drawn = _multiply(drawn, factors)
    held = sum(factors[:, i] * drawn[:, :, rest - i] for i in range(most + 1))
    return np.asarray((held * weights).sum(axis=1))


def _multiply(drawn: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Products of polynomials [answers, lots, degrees] and [answers, degrees, lots], cut off at the
    degree of the first."""
    product = drawn * factors[:, 0, :, None]
    for i in range(1, factors.shape[1]):
        product[:, :, i:] += factors[:, i, :, None] * drawn[:, :, :-i]
    return product


def _binomial_chances(pool: int, n: int) -> np.ndarray:
    """The chance that i of a solutions are drawn, each with chance n/pool: float64 [pool+1, n+1]."""
    result = np.zeros((pool + 1, n + 1))
    result[0, 0] = 1
    for a in range(pool):
        result[a + 1] = result[a] * ((pool - n) / pool)
        result[a + 1, 1:] += result[a, :-1] * (n / pool)
    return result


@cache
def _lots(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights for averages over [0, 1], exact for polynomials of degree 2·count - 1."""
    points, weights = np.polynomial.legendre.leggauss(count)
    return (points + 1) / 2, weights / 2


def _parts(rows: np.ndarray, coefficients: int) -> Iterator[np.ndarray]:
    """As many rows at a time as keep to the limit, with so many coefficients each."""
    step = max(1, COEFFICIENTS_AT_ONCE // coefficients)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
