"""Selections as in the paper: is the answer that a selection picks from a pool correct?

Every function takes arrays whose last axis is the solutions of a pool or subset, in order, and is vectorized over
the other axes:

- answers: integers from 0, equal if answers are equal.
- correct: bool.
- rewards: float64; NaN if undefined, such as a delta between steps if there is only one step.
"""

import numpy as np


def best_of_n(correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Select the solution with the highest reward; the first one on ties and if none has a reward."""
    return _taken(correct, np.where(np.isnan(rewards), -np.inf, rewards).argmax(axis=-1))


def weighted_vote(answers: np.ndarray, correct: np.ndarray, rewards: np.ndarray) -> np.ndarray:
    """Select the answer with the highest sum of rewards; the first one on ties and if there are no rewards."""
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
    """Select the most frequent answer; the first one on ties."""
    return weighted_vote(answers, correct, np.ones(answers.shape))


def pass_at_n(correct: np.ndarray) -> np.ndarray:
    """Whether any solution is correct: the ceiling of every selection."""
    return np.asarray(correct.any(axis=-1))


def _taken(correct: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.take_along_axis(correct, position[..., None], axis=-1)[..., 0]
