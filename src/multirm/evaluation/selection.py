"""A pool → one answer, as published: is the answer that a selection picks correct?

Every function takes arrays whose last axis runs over the solutions of one (sub)pool, in their
order, and answers for each of the leading axes at once:

- answers: integers, equal where answers are equal, from 0.
- correct: bool.
- rewards: float64; NaN where there is none, as of a difference between steps where there is one step.
"""

import numpy as np


def best_of_n(correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """The solution with the greatest reward, the first one on ties and where none has one."""
    return _taken(correct, np.where(np.isnan(rewards), -np.inf, rewards).argmax(axis=-1))


def weighted_vote(answers: np.ndarray, correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """The answer with the greatest sum of rewards, the first one met on ties and where there are none."""
    *leading, size = answers.shape
    n_codes = int(answers.max(initial=0)) + 1
    n_pools = int(np.prod(leading, dtype=np.int64))
    slots = answers.reshape(n_pools, size) + np.arange(0, n_pools * n_codes, n_codes)[:, None]
    missing = np.isnan(rewards)
    weights = np.where(missing, 0.0, rewards).ravel()
    totals = np.bincount(slots.ravel(), weights, minlength=n_pools * n_codes)
    scores = np.where(missing, -np.inf, totals[slots].reshape(answers.shape))
    return _taken(correct, scores.argmax(axis=-1))


def majority_vote(answers: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """The most frequent answer, the first one met on ties."""
    return weighted_vote(answers, correct, np.ones(answers.shape))


def pass_at_n(correct: np.ndarray) -> np.ndarray:
    """Whether any solution is correct: the ceiling of every selection."""
    return np.asarray(correct.any(axis=-1))


def _taken(correct: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.take_along_axis(correct, position[..., None], axis=-1)[..., 0]
