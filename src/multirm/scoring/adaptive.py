"""Adaptive sampling: stop once more critiques could not plausibly change a pool's best solution.

The best solution of a pool is the one with the highest mean reward over M critiques, critiques without a
verdict left out, the first one on ties. Critiques are sampled in rounds, and after each round every
solution is asked whether it can still be the best. It cannot

- *for sure*, if its mean stays below another solution's even when all its critiques to come have reward 1
  and all of the other's 0, or no verdict where the other has none so far;
- *with confidence*, if its rewards and the others' so far speak against it as strongly as 1 / error.

The evidence is the wealth of gamblers (Waudby-Smith and Ramdas, "Estimating means of bounded random
variables by betting", JRSS B 2024, on sampling without replacement). The order of a solution's M critiques
is random and independent of the others', so that the first t are a sample of them without replacement; who
bets on the next one against an assumed mean of all M has wealth that begins with 1 and is not expected to
rise while the assumption holds. If a solution is the best, with a mean m, then its own mean is not below m
and no other solution's is above m. So the wealth from betting against the one, times the average of the
wealths from betting against the others, is not expected to rise either, and the chance that it ever comes
to 1 / error is at most `error` (Ville's inequality; one bound for the whole pool, since only one solution
is the best). A solution is out if the product comes to that for every m. Nothing is assumed of how rewards
from 0 to 1 are distributed. A critique without a verdict, which the mean leaves out, counts as m itself.

Sampling in a pool stops when the solution with the highest mean so far is the only one that can be the
best; until then all those which can be are sampled, and the one with the highest mean so far, up to M.

**Guarantee.** With probability 1 - error at least, for each pool by itself, the solution with the highest
mean in the table is the one that has it with M critiques of each solution; with an error of 0, always. This
is about the best of the whole pool by the mean, and nothing else: not about the best of fewer solutions,
votes, or the means themselves, which come from fewer critiques the sooner a solution is out.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

Critiques = list[dict[str, Any]]

# Maximum number of rounds. Each costs a prefill of its prompts, and may be the last of a pool.
ROUNDS = 5

# Shares of the most that a gambler can bet without falling below 0. The wealth is the mean over them: the
# higher one gains most where all rewards are alike, the lower one loses less where they differ.
BETS = (0.5, 1.0)

# Between two neighbours among the means that are tried, the weaker evidence of both counts.
MEANS = np.linspace(0.0, 1.0, 201)

# Means this close may differ by rounding only.
ROUNDING = 1e-9


def sample_in_rounds(
    sample: Callable[[Sequence[int], int, int], list[Critiques]],
    pools: Sequence[Hashable],
    samples: int,
    error: float,
) -> list[Critiques]:
    """Sample critiques of each solution until the best of its pool is decided.

    Args:
        sample: returns more critiques of some solutions, with the key `reward`, null without a verdict. Its
            arguments are the solutions' indices, the number of their first new critique, and how many to sample.
        pools: the pool of each solution.
        samples: M.
        error: as for `undecided`.
    """
    members: dict[Hashable, list[int]] = {}
    for index, pool in enumerate(pools):
        members.setdefault(pool, []).append(index)
    critiques: list[Critiques] = [[] for _ in pools]
    left = list(range(len(pools)))
    while left:
        # A solution that leads again after it was out for some rounds has fewer critiques.
        for first in sorted({len(critiques[index]) for index in left}):
            chosen = [index for index in left if len(critiques[index]) == first]
            added_to = sample(chosen, first, min(round_size(samples), samples - first))
            for index, added in zip(chosen, added_to, strict=True):
                critiques[index] = critiques[index] + added
        left = []
        for indices in members.values():
            rewards, n_sampled = _as_arrays([critiques[index] for index in indices], samples)
            more_of = undecided(rewards, n_sampled, error)
            left += [index for index, more in zip(indices, more_of, strict=True) if more]
    return critiques


def _as_arrays(critiques: Sequence[Critiques], samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The first two arguments of `undecided`, with rewards rounded as in tables."""
    rewards = np.full((len(critiques), samples), np.nan, dtype=np.float32)
    for row, written in zip(rewards, critiques, strict=True):
        row[: len(written)] = [
            np.nan if critique["reward"] is None else critique["reward"] for critique in written
        ]
    return rewards.astype(np.float64), np.array([len(written) for written in critiques])


def round_size(samples: int) -> int:
    """The number of critiques of a solution in one round, of `samples` in all."""
    return -(-samples // ROUNDS)


def undecided(rewards: np.ndarray, n_sampled: np.ndarray, error: float) -> np.ndarray:
    """The solutions of a pool that need more critiques; none once the best one is decided.

    Args:
        rewards: float64 [solutions, M], from 0 to 1, in the order of sampling; NaN where a critique has
            no verdict, or is yet to be sampled.
        n_sampled: int [solutions], from 1 to M: how many critiques of each solution are sampled.
        error: maximum probability of a wrong best solution, in [0, 1).

    Returns:
        bool [solutions].
    """
    present = ~np.isnan(rewards)
    counts, sums = present.sum(axis=1), np.where(present, rewards, 0.0).sum(axis=1)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), -np.inf)
    possible = ~_excluded(rewards, n_sampled, error) | (means == means.max())
    if possible.sum() == 1:
        return np.zeros(len(rewards), dtype=bool)
    return possible & (n_sampled < rewards.shape[1])


def _excluded(rewards: np.ndarray, n_sampled: np.ndarray, error: float) -> np.ndarray:
    """Which solutions cannot be the best: bool [solutions]."""
    low, high = bounds(rewards, n_sampled)
    excluded = high + ROUNDING < low.max()
    if error > 0 and len(rewards) > 1:
        # For means between two neighbours, evidence that they are too high is least at the lower one,
        # and evidence that they are too low is least at the higher one.
        too_high = wealth(1 - rewards, n_sampled, 1 - MEANS[:-1])
        too_low = wealth(rewards, n_sampled, MEANS[1:])
        too_high[high[:, None] + ROUNDING < MEANS[:-1]] = np.inf
        too_low[low[:, None] - ROUNDING > MEANS[1:]] = np.inf
        others = _mean_of_others(too_low)
        excluded |= (too_high * others >= 1 / error).all(axis=1)
    return excluded


def bounds(rewards: np.ndarray, n_sampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest mean that M critiques can come to: float64 [solutions] each.

    Without any verdict so far the lowest is -inf, since none may come.
    """
    present = ~np.isnan(rewards)
    counts, sums = present.sum(axis=1), np.where(present, rewards, 0.0).sum(axis=1)
    left = rewards.shape[1] - n_sampled
    most = np.maximum(counts + left, 1)
    low = np.where(counts > 0, sums / most, -np.inf)
    high = np.where(counts + left > 0, (sums + left) / most, -np.inf)
    return low, high


def wealth(rewards: np.ndarray, n_sampled: np.ndarray, means: np.ndarray) -> np.ndarray:
    """What betting that the next critiques' rewards are above what a mean over M leaves for them has come to.

    Before each critique the mean m over M, less what is sampled, leaves an average of a for those to
    come. A bet of a share b of the most that can be bet multiplies the wealth by 1 + b (r / a - 1) when
    the reward is r. The wealth falls with m.

    Args:
        rewards, n_sampled: as for `undecided`.
        means: float64 [means], in [0, 1].

    Returns:
        float64 [solutions, means], 1 before the first critique, not expected to rise if the mean is m or less.
    """
    samples = rewards.shape[1]
    result = np.ones((len(rewards), len(means), len(BETS)))
    left_over = np.broadcast_to(samples * means, (len(rewards), len(means))).copy()
    for place in range(int(n_sampled.max())):
        drawn = (place < n_sampled)[:, None]
        reward = np.where(np.isnan(rewards[:, place, None]), means, rewards[:, place, None])
        average = left_over / (samples - place)
        # Nothing left over: the mean is impossible from now on, or every reward to come is 0.
        ratio = np.divide(reward, average, out=np.ones_like(average), where=average > 0)
        factors = 1 + np.multiply.outer(ratio - 1, BETS)
        result *= np.where(drawn[..., None], factors, 1.0)
        left_over -= np.where(drawn, reward, 0.0)
    return np.asarray(result.mean(axis=-1))


def _mean_of_others(values: np.ndarray) -> np.ndarray:
    """For each row, the mean over all other rows; `values` are at least 0 and may be infinite."""
    others = 1.0 - np.eye(len(values))
    infinite = np.isinf(values)
    means = others @ np.where(infinite, 0.0, values) / (len(values) - 1)
    return np.where(others @ infinite > 0, np.inf, means)
