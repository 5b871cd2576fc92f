"""The expected accuracy of the weighted vote over all subsets of N solutions, exact or simulated.

The weighted vote of a subset is the answer with the highest sum of rewards (Li et al. 2023, arXiv 2206.02336).
Solutions without a reward or an answer have no vote; if none has one, all answered solutions vote equally, and a subset
without any answer is wrong. Ties are shared equally.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from multirm.evaluation.exact import best_of_n, majority_vote, pass_at_n, rank
from multirm.reward_models.aggregate import VOTE_ROUNDING
from multirm.running.randomness import item_generator

# Subsets of N are enumerated if all of them together have at most this many solutions: about a millisecond per
# question, and enough for every N in a pool of 16.
MOST_LISTED = 2**17

# Half a megabyte of sums at a time, to stay in the CPU cache.
SUMS_AT_ONCE = 2**16


def weighted_vote(
    answers: np.ndarray,
    correct: np.ndarray,
    rewards: np.ndarray,
    n: Sequence[int],
    question_ids: Sequence[str],
    seed: int,
    draws: int,
    most_listed: int = MOST_LISTED,
) -> tuple[np.ndarray, np.ndarray]:
    """The expectation over all subsets of N, with a standard error if it is simulated.

    It is exact for N of 1, 2 and K, if subsets of N are few enough to be enumerated, and if the answers are all
    correct or all wrong. Otherwise, `draws` random orders of each question's pool are drawn, whose first N are the
    subset of N. The vote's outcomes are adjusted by the deviations of best-of-N and the majority vote on the same
    subset from their known expectations, each with a coefficient (control variates), and averaged. The coefficients
    are least squares estimates from the other half of the question's draws, so that they are independent of what they
    multiply and the average is unbiased; it is then clipped to [0, 1]. A question's numbers depend only on its pool,
    id and the seed.

    Args:
        answers: int [Q, K], from 0, equal if answers are equal; -1 for no answer.
        correct: bool [Q, K], the same for all solutions with the same answer; False for no answer.
        rewards: finite float64 [Q, K], or [models, Q, K] to use the same subsets for all models, which is faster than
            one model at a time; NaN if missing.
        n: sizes from 1 to K.
        question_ids: one per question; with `seed`, they seed the orders.
        draws: orders per question, at least 2.
        most_listed: enumerate all subsets of N if together they have at most this many solutions.

    Returns:
        expectations in [0, 1] and their standard errors, float64 [len(n), Q] or [models, len(n), Q]. With draws, the
        standard error includes one additional draw with an error of 1: it is never 0, because events that no draw has
        shown may still happen.
    """
    models = rewards if rewards.ndim == 3 else rewards[None]
    pool = answers.shape[1]
    mean = np.zeros((len(models), len(n), len(answers)))
    error = np.zeros_like(mean)
    mean[:] = pass_at_n(correct, n)
    contested = np.flatnonzero(correct.any(axis=1) & ((answers >= 0) & ~correct).any(axis=1))
    answers, correct, models = answers[contested], correct[contested], models[:, contested]
    sampled = []
    for row, size in enumerate(n):
        if size <= 2:
            mean[:, row, contested] = _of_two(answers, correct, models, size)
        elif size * math.comb(pool, size) <= most_listed:
            mean[:, row, contested] = _of_listed(answers, correct, models, size)
        else:
            sampled.append(row)
    if sampled:
        sizes = [n[row] for row in sampled]
        ids = [question_ids[q] for q in contested.tolist()]
        cells = np.ix_(np.arange(len(models)), np.array(sampled), contested)
        mean[cells], error[cells] = _of_sampled(answers, correct, models, sizes, ids, seed, draws)
    return (mean, error) if rewards.ndim == 3 else (mean[0], error[0])


def simulation_variance(errors: np.ndarray, draws: int) -> np.ndarray:
    """The variance of `weighted_vote`'s expectations due to simulation.

    Args:
        errors: its standard errors, which include one additional draw.
        draws: as passed to it.
    """
    return np.where(errors > 0, errors**2 - 1 / (draws * (draws - 1)), 0.0)


def _of_two(answers: np.ndarray, correct: np.ndarray, models: np.ndarray, size: int) -> np.ndarray:
    """With one or two solutions, the vote selects the better one: one with a vote, else one with an answer."""
    answered = answers >= 0
    votes = np.where(np.isnan(models), -np.inf, models)
    return np.stack(
        [best_of_n(correct, np.where(answered, vote, np.nan), [size])[0] for vote in votes]
    )


def _of_listed(
    answers: np.ndarray, correct: np.ndarray, models: np.ndarray, size: int
) -> np.ndarray:
    """Means over all subsets, float64 [models, Q]."""
    subsets, members = _listed(answers.shape[1], size)
    codes = int(answers.max(initial=0)) + 1
    step = max(1, SUMS_AT_ONCE // (len(models) * codes * subsets.shape[1]))
    result = np.empty(models.shape[:2])
    for start in range(0, len(answers), step):
        part = slice(start, start + step)
        shares, clear = _clear_outcomes(answers[part], correct[part], models[:, part], members)
        for q in np.flatnonzero(~clear.all(axis=(0, 2))):
            close = ~clear[:, q].all(axis=0)
            own = answers[part][q], correct[part][q], models[:, part][:, q]
            shares[:, q, close] = _outcomes(*own, subsets[:, close], [size])[1:, 0]
        result[:, part] = shares.mean(axis=2)
    return result


@lru_cache(maxsize=4)
def _listed(pool: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """All subsets of a pool: positions, int [size, subsets], and members, float64 [pool, subsets], 1 or 0."""
    subsets = np.array(list(itertools.combinations(range(pool), size))).T
    members = np.zeros((pool, subsets.shape[1]))
    np.put_along_axis(members, subsets, 1.0, axis=0)
    return subsets, members


def _clear_outcomes(
    answers: np.ndarray, correct: np.ndarray, models: np.ndarray, members: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each model's weighted vote in subsets of some pools, by matrix products, and which of them are clear.

    They are not clear where sums are too close to tell a tie from rounding, where nobody votes, where a model votes
    against answers, or where several answers are correct: `_outcomes` compares those answer by answer.

    Args:
        members: as from `_listed`.

    Returns:
        the correct fraction of each vote, 0 or 1, and whether it is clear: float64 and bool [models, Q, subsets].
    """
    weights = np.where(np.isnan(models) | (answers < 0), 0.0, models)
    given = answers[:, None] == np.arange(int(answers.max(initial=0)) + 1)[:, None]
    right = given & correct[:, None]
    rivals = np.where(given & ~right, weights[:, :, None], 0.0) @ members
    lead = np.where(correct, weights, 0.0) @ members - rivals.max(axis=2)
    doubt = 2 * VOTE_ROUNDING * np.abs(weights).sum(axis=2, keepdims=True)
    plain = (weights >= 0).all(axis=2) & (right.any(axis=2).sum(axis=1) == 1)
    return (lead > 0).astype(float), (np.abs(lead) > doubt) & plain[:, :, None]


def _of_sampled(
    answers: np.ndarray,
    correct: np.ndarray,
    models: np.ndarray,
    n: Sequence[int],
    question_ids: Sequence[str],
    seed: int,
    draws: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard errors, float64 [models, len(n), Q]."""
    mean = np.zeros((len(models), len(n), len(answers)))
    error = np.zeros_like(mean)
    majority = majority_vote(answers, correct, n)
    best = np.stack([best_of_n(correct, rewards, n) for rewards in models])
    places, shares = _ranks(correct, models)
    increasing, place = np.unique(n, return_inverse=True)
    largest = int(increasing[-1])
    for q, question_id in enumerate(question_ids):
        orders = _orders(answers.shape[1], draws, item_generator(seed, "subpools", question_id))
        subsets = np.ascontiguousarray(orders.T[:largest])
        outcomes = _outcomes(answers[q], correct[q], models[:, q], subsets, increasing)[:, place]
        best_drawn = _best_drawn(places[:, q], shares[:, q], subsets, increasing)[:, place]
        controls = np.stack(
            [
                best_drawn - best[:, :, q, None],
                np.broadcast_to(outcomes[0] - majority[:, q, None], best_drawn.shape),
            ]
        )
        mean[:, :, q], error[:, :, q] = _adjusted_mean(outcomes[1:], controls)
    return mean, error


def _orders(pool: int, draws: int, generator: np.random.Generator) -> np.ndarray:
    """Random orders of a pool, int [draws, pool].

    The lowest bits of random keys are replaced with the positions, since sorting is much faster than shuffling or
    sorting positions by keys; enough random bits remain to make ties negligible.
    """
    bits = (pool - 1).bit_length()
    keys = generator.integers(0, 2 ** (63 - bits), size=(draws, pool))
    keys = keys << bits | np.arange(pool)
    keys.sort(axis=1)
    return np.asarray(keys & (2**bits - 1))


def _outcomes(
    answers: np.ndarray,
    correct: np.ndarray,
    models: np.ndarray,
    subsets: np.ndarray,
    n: Sequence[int] | np.ndarray,
) -> np.ndarray:
    """The majority vote and each model's weighted vote in subsets of one pool.

    Args:
        answers, correct: [K].
        models: float64 [models, K].
        subsets: positions in the pool, int [max(n), subsets]; the first N rows are the subsets of N.
        n: increasing.

    Returns:
        the correct fraction of each vote, from 0 to 1: float64 [1 + models, len(n), subsets], the majority vote
        first.
    """
    answered = answers >= 0
    codes, code = np.unique(np.where(answered, answers, answers.max()), return_inverse=True)
    right = np.zeros(len(codes), dtype=bool)
    right[code[correct]] = True
    weights = np.concatenate([np.ones((1, len(answers))), models])
    voting = answered & ~np.isnan(weights)
    weights = np.where(voting, weights, 0.0)
    step = max(1, SUMS_AT_ONCE // (len(weights) * len(codes) * len(n)))
    parts = []
    for start in range(0, subsets.shape[1], step):
        part = subsets[:, start : start + step]
        sums = _sums(code, len(codes), part, n)
        total = np.stack([sums(weight) for weight in weights])
        size = total if (weights >= 0).all() else np.stack([sums(abs(w)) for w in weights])
        alike = (voting == answered).all()
        votes = total[:1] if alike else np.stack([sums(vote.astype(float)) for vote in voting])
        parts.append(_shares(total, votes > 0, VOTE_ROUNDING * size.max(axis=1), right))
    return np.concatenate(parts, axis=2)


def _sums(
    code: np.ndarray, codes: int, subsets: np.ndarray, n: Sequence[int] | np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Sums of values [K] by answer, in the first N rows of `subsets`: float64 [codes, len(n), subsets]."""
    columns = subsets.shape[1]
    new = np.repeat(np.arange(len(n)), np.diff(n, prepend=0))
    slots = (code[subsets] * len(n) + new[:, None]) * columns + np.arange(columns)
    flat = slots.ravel()

    def sums(values: np.ndarray) -> np.ndarray:
        found = np.bincount(flat, values.take(subsets).ravel(), codes * len(n) * columns)
        result = found.reshape(codes, len(n), columns)
        for k in range(1, len(n)):
            result[:, k] += result[:, k - 1]
        return result

    return sums


def _shares(
    total: np.ndarray, voted: np.ndarray, rounding: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """The correct fraction of each vote; if nobody votes, that of the first vote.

    Args:
        total: float64 [votes, codes, …], the sums.
        voted: bool, which of them have any vote; of the shape of `total`, or one for all votes.
        rounding: float64 [votes, …]; sums that differ by at most this are tied.
        right: bool [codes].
    """
    total = np.where(voted, total, -np.inf)
    ours = total[:, right].max(axis=1, initial=-np.inf)
    theirs = total[:, ~right].max(axis=1, initial=-np.inf)
    won = ours > theirs + rounding
    share = won.astype(np.float64)
    # Without a vote both are -inf, and count as a tie here.
    tied = np.nonzero(~won & (theirs <= ours + rounding))
    sums = np.moveaxis(total, 1, -1)[tied]
    at_top = sums >= np.maximum(ours, theirs)[tied][:, None] - rounding[tied][:, None]
    share[tied] = at_top[:, right].sum(axis=1) / at_top.sum(axis=1)
    cast = np.asarray(voted.any(axis=1))
    share[0] = np.where(cast[0], share[0], 0.0)
    return np.where(cast, share, share[:1])


def _ranks(correct: np.ndarray, models: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rank of each solution by its reward, int [models, Q, K], and the `shares` of that order."""
    # The smallest integer type, because there are as many ranks as rewards, and many more look-ups.
    places = np.empty(models.shape, dtype=np.min_scalar_type(models.shape[-1]))
    shares = np.empty(models.shape)
    for m, rewards in enumerate(models):
        order, shares[m] = rank(correct, rewards)
        np.put_along_axis(places[m], order, np.arange(order.shape[1], dtype=places.dtype), axis=1)
    return places, shares


def _best_drawn(
    places: np.ndarray, shares: np.ndarray, subsets: np.ndarray, n: Sequence[int] | np.ndarray
) -> np.ndarray:
    """Best-of-N in subsets of one pool: the correct fraction of the best tied group drawn.

    This is the conditional expectation of best-of-N given that group, so it has the same expectation and a smaller
    variance.

    Args:
        places, shares: [models, K].

    Returns:
        float64 [models, len(n), subsets].
    """
    starts = np.concatenate([[0], n[:-1]])
    best = np.minimum.reduceat(places.take(subsets, axis=1), starts, axis=1)
    best = np.minimum.accumulate(best, axis=1)
    return np.stack([share.take(first) for share, first in zip(shares, best, strict=True)])


def _adjusted_mean(outcomes: np.ndarray, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over draws, adjusted by controls with known expectations, and its standard error.

    Control variates with coefficients from the other half of the draws (Avramidis and Wilson, "A
    splitting scheme for control variates", Operations Research Letters 14, 1993).

    Args:
        outcomes: float64 [..., draws].
        controls: float64 [controls, ..., draws], whose expectation is 0.

    Returns:
        mean and standard error, float64 [...].
    """
    draws = outcomes.shape[-1]
    adjusted = np.empty_like(outcomes)
    halves = slice(0, None, 2), slice(1, None, 2)
    for half, other in itertools.permutations(halves):
        x = np.moveaxis(controls[..., other], 0, -2)
        x = x - x.mean(axis=-1, keepdims=True)
        # The identity has the weight of one draw: constant controls get a coefficient of 0.
        squares = x @ np.swapaxes(x, -1, -2) + np.eye(len(controls))
        coefficients = np.linalg.solve(squares, x @ outcomes[..., other, None])
        fitted = (np.moveaxis(controls[..., half], 0, -1) @ coefficients)[..., 0]
        adjusted[..., half] = outcomes[..., half] - fitted
    mean = adjusted.mean(axis=-1)
    squares = ((adjusted - mean[..., None]) ** 2).sum(axis=-1)
    return mean.clip(0, 1), np.sqrt((squares + 1) / (draws * (draws - 1)))
