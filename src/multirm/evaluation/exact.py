"""The expected accuracy of a selection over all subsets of N solutions, computed exactly, without sampling.

Every function takes the pools of Q questions with K solutions each, and the sizes N, from 1 to K:

- answers: int [Q, K], from 0, equal if answers are equal; -1 for no answer.
- correct: bool [Q, K], the same for all solutions with the same answer; False for no answer.
- rewards: float64 [Q, K]; NaN if missing.
- n: the sizes, in any order.

and returns float64 [len(n), Q], in [0, 1]: the expectation over the C(K, N) equally likely subsets. Ties are shared
equally, which is the expectation over random orders of a subset. There is no subtraction of nearly equal numbers, and
binomial coefficients are never computed, so pools of thousands are as precise as small ones.
"""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

# Half a megabyte, so that a block of polynomials stays in the CPU cache.
COEFFICIENTS_AT_ONCE = 2**16

# Smaller probabilities are left out: a thousand of them are below the rounding error of 1.
NEGLIGIBLE = 1e-20


def pass_at_n(correct: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """The probability that a subset has a correct solution: 1 - C(K-c, N) / C(K, N), with c correct.

    The unbiased estimator of pass@k of Chen et al. 2021, "Evaluating large language models trained on code" (arXiv
    2107.03374).
    """
    pool = correct.shape[1]
    first = _probability_of_first(pool, n)
    # With the correct solutions first in the pool: the first of the subset is one of them.
    probability = np.concatenate([np.zeros((len(n), 1)), first.cumsum(axis=1)], axis=1)
    certain = np.arange(pool + 1) > pool - np.asarray(n)[:, None]
    probability = np.where(certain, 1.0, np.minimum(probability, 1.0))
    return np.asarray(probability[:, correct.sum(axis=1)])


def best_of_n(correct: np.ndarray, rewards: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """Select the solution with the highest reward.

    A group of m tied solutions of which c are correct, with L solutions below it, contributes
    [C(L+m, N) - C(L, N)] / C(K, N) · c/m. Solutions without a reward are the lowest group: one of them is selected only
    if the subset has no others.
    """
    _, shares = rank(correct, rewards)
    probability = _probability_of_first(correct.shape[1], n)
    return np.asarray(np.minimum(probability @ shares.T, 1.0))


def majority_vote(answers: np.ndarray, correct: np.ndarray, n: Sequence[int]) -> np.ndarray:
    """Select the most frequent answer (Wang et al. 2022, arXiv 2203.11171); a subset without any answer is wrong."""
    questions, pool = answers.shape
    counts, right = _count(answers, correct)
    question, code = np.nonzero(right)
    votes = counts[question, code]
    rivals = counts[question]
    rivals[np.arange(len(code)), code] = 0
    rivals = -np.sort(-rivals, axis=1)
    probabilities = [_probability_to_win(votes, rivals, pool, size) for size in n]
    result = [
        np.bincount(question, probability, minlength=questions) for probability in probabilities
    ]
    return np.minimum(np.reshape(result, (len(n), questions)), 1.0)


def rank(correct: np.ndarray, rewards: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort each pool by decreasing reward, solutions without a reward last.

    Returns:
        positions in the pool, int [Q, K], and for each solution in that order the fraction of correct
        solutions among those tied with it, float64 [Q, K].
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


def _probability_of_first(pool: int, n: Sequence[int]) -> np.ndarray:
    """The probability that the first of a subset is at position k of the pool: C(K-1-k, N-1) / C(K, N).

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


def _probability_to_win(votes: np.ndarray, rivals: np.ndarray, pool: int, n: int) -> np.ndarray:
    """The probability, ties shared, that an answer is the most frequent one in a subset of n.

    Draw every solution independently with probability n/K. Conditional on n being drawn, this is a random subset, and
    the condition is likely enough (at least about 1/√n) to divide by. Unconditionally, i of an answer's a solutions
    are drawn with a binomial probability, the coefficient of x^i in the answer's generating function. The product of
    these functions has the probabilities of all ways to draw n: sums of products of probabilities, without overflow
    or cancellation.

    Args:
        votes: int [answers], the number of solutions in its pool that give the answer.
        rivals: int [answers, codes], the number that give each other answer, in decreasing order.
    """
    binomial = _binomial_probabilities(pool, n)
    probability = np.zeros(len(votes))
    for top in range(1, min(n, int(votes.max(initial=0))) + 1):
        able = rivals >= top
        n_able = able.sum(axis=1)
        # Answers that cannot reach `top` are as unconstrained as solutions without an answer.
        free = pool - votes - np.where(able, rivals, 0).sum(axis=1)
        likely = binomial[votes, top] > NEGLIGIBLE * binomial[pool, n]
        for count in np.unique(n_able[likely]):
            alike = np.flatnonzero(likely & (n_able == count))
            for part in _parts(alike, (int(count) + 2) * (n - top + 1)):
                held = _probability_to_hold(
                    binomial, free[part], rivals[part, :count], top, n - top
                )
                probability[part] += binomial[votes[part], top] * held
    return np.asarray(probability / binomial[pool, n])


def _probability_to_hold(
    binomial: np.ndarray, free: np.ndarray, rivals: np.ndarray, top: int, rest: int
) -> np.ndarray:
    """The probability that `rest` others are drawn and an answer with `top` drawn wins against its rivals.

    A tie with s rivals is broken by lots: each answer has a uniform number between 0 and 1, and the largest wins. So y
    beats s others with probability y^s, which averages to 1/(s+1) over y. Thus a rival may have fewer than `top`
    drawn, or exactly `top` with probability y. The average is computed by Gauss-Legendre quadrature, exact for
    polynomials in y of the largest possible number of ties.

    Args:
        free: int [answers], the number of solutions that may be drawn without limit.
        rivals: int [answers, rivals], each with at least `top` solutions.
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
    """Products of polynomials [answers, lots, degrees] and [answers, degrees, lots], truncated to the
    degree of the first."""
    product = drawn * factors[:, 0, :, None]
    for i in range(1, factors.shape[1]):
        product[:, :, i:] += factors[:, i, :, None] * drawn[:, :, :-i]
    return product


def _binomial_probabilities(pool: int, n: int) -> np.ndarray:
    """The probability that i of a solutions are drawn, each with probability n/pool: float64 [pool+1, n+1]."""
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
    """Blocks of rows within the limit, given the number of coefficients per row."""
    step = max(1, COEFFICIENTS_AT_ONCE // coefficients)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]
