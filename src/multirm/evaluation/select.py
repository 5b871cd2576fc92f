"""A pool → one answer: is the answer that a selection picks correct?

Every function takes arrays whose last axis runs over the solutions of one (sub)pool, in their
order, and answers for each of the leading axes at once:

- answers: integers, equal where answers are equal, from 0; negative where there is no answer.
- correct: bool; a solution without an answer is not correct.
- rewards: float64; NaN where missing.
"""

import numpy as np


def best_of_n(correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """The solution with the greatest reward, the first one on ties.

    A solution without a reward cannot be picked, unless none has one: then it is the first solution.
    """
    scores = np.where(np.isnan(rewards), -np.inf, rewards)
    return _taken(correct, scores.argmax(axis=-1))


def weighted_vote(answers: np.ndarray, correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """The answer with the greatest sum of rewards, the first one met on ties.

    Solutions without a reward or without an answer have no vote; where nobody has one, the first
    answer wins, and a pool without any answer is wrong.
    """
    answered = answers >= 0
    voting = answered & ~np.isnan(rewards)
    voting |= answered & ~voting.any(axis=-1, keepdims=True)
    return _vote(answers, correct, np.nan_to_num(rewards), voting)


def majority_vote(answers: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """The most frequent answer, the first one met on ties; a pool without any answer is wrong."""
    return _vote(answers, correct, np.ones(answers.shape), answers >= 0)


def pass_at_n(correct: np.ndarray) -> np.ndarray:
    """Whether any solution is correct: the ceiling of every selection."""
    return np.asarray(correct.any(axis=-1))


def _vote(
    answers: np.ndarray, correct: np.ndarray, weights: np.ndarray, voting: np.ndarray
) -> np.ndarray:
    """Give each voting solution its answer's total; the first with the greatest total is picked."""
    *leading, size = answers.shape
    n_codes = int(answers.max(initial=0)) + 1
    n_pools = int(np.prod(leading, dtype=np.int64))
    everybody = bool(voting.all())
    slots = answers.reshape(n_pools, size) + np.arange(0, n_pools * n_codes, n_codes)[:, None]
    if not everybody:
        slots = np.where(voting.reshape(n_pools, size), slots, 0)
        weights = np.where(voting, weights, 0.0)
    totals = np.bincount(slots.ravel(), weights.ravel(), minlength=n_pools * n_codes)
    scores = totals[slots].reshape(answers.shape)
    if everybody:
        return _taken(correct, scores.argmax(axis=-1))
    scores = np.where(voting, scores, -np.inf)
    return _taken(correct, scores.argmax(axis=-1)) & voting.any(axis=-1)


def _taken(correct: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.take_along_axis(correct, position[..., None], axis=-1)[..., 0]
