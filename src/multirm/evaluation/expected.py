"""The expected accuracy of each method on each question, over all subsets of N solutions."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import exact
from multirm.evaluation.methods import Method, Scorer, methods
from multirm.evaluation.pools import Pools
from multirm.evaluation.weighted_vote import weighted_vote
from multirm.tables.accuracy import Selection


@dataclass(frozen=True)
class Expected:
    """The expected correctness of one category's questions, in [0, 1].

    Attributes:
        values: float64 [questions, columns].
        standard_errors: float64 [questions, columns], of simulation; 0 for exact values.
        n_short: int [columns], the number of questions whose pools are smaller than N and are used whole.
    """

    values: np.ndarray
    standard_errors: np.ndarray
    n_short: np.ndarray


def columns(n: Sequence[int], scorers: Sequence[Scorer]) -> list[tuple[int, Method]]:
    """The columns: for each N, each method."""
    return [(size, method) for size in n for method in methods(scorers)]


def expected(
    batches: Sequence[Pools], n: Sequence[int], scorers: Sequence[Scorer], seed: int, draws: int
) -> Expected:
    """The expectations of one category; pools of at most N solutions are used whole.

    Args:
        n: sizes of the subsets.
        seed: seed of simulated subsets, which are used where exact computation is expensive.
        draws: number of simulated subsets per question.
    """
    parts = [_expected(pools, n, scorers, seed, draws) for pools in batches]
    short = [[size > pools.size for size in n] for pools in batches]
    counts = [len(pools.question_ids) for pools in batches]
    n_short = np.array(counts) @ np.array(short, dtype=int)
    return Expected(
        np.concatenate([values for values, _ in parts]),
        np.concatenate([errors for _, errors in parts]),
        np.repeat(n_short, len(methods(scorers))),
    )


def _expected(
    pools: Pools, n: Sequence[int], scorers: Sequence[Scorer], seed: int, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    sizes = [min(size, pools.size) for size in n]
    exactly = np.zeros((len(n), len(pools.question_ids)))
    found: dict[Method, tuple[np.ndarray, np.ndarray]] = {
        Method(Selection.MAJORITY_VOTE): (
            exact.majority_vote(pools.answers, pools.correct, sizes),
            exactly,
        ),
        Method(Selection.PASS): (exact.pass_at_n(pools.correct, sizes), exactly),
    }
    for scorer in scorers:
        value = exact.best_of_n(pools.correct, pools.ranking(scorer), sizes)
        found[Method(Selection.BEST_OF_N, scorer)] = (value, exactly)
    if scorers:
        rewards = np.stack([pools.rewards[scorer] for scorer in scorers])
        votes, errors = weighted_vote(
            pools.answers, pools.correct, rewards, sizes, pools.keys, seed, draws
        )
        for scorer, vote, error in zip(scorers, votes, errors, strict=True):
            found[Method(Selection.WEIGHTED_VOTE, scorer)] = (vote, error)
    order = [(k, method) for k in range(len(n)) for method in methods(scorers)]
    return (
        np.stack([found[method][0][k] for k, method in order], axis=1),
        np.stack([found[method][1][k] for k, method in order], axis=1),
    )
