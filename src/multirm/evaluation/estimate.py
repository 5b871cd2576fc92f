"""Accuracy of every selection over random subpools of N, per run and, where it is free, exactly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import select
from multirm.evaluation.pools import Pools
from multirm.evaluation.subsample import orders
from multirm.vocabulary import Selection

# Bounds the memory of one block of subpools; smaller blocks are slower, larger ones are not faster.
SOLUTIONS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Method:
    """A way to pick an answer: a selection and, where it needs rewards, the model they come from."""

    selection: Selection
    model: str | None = None


@dataclass(frozen=True)
class Estimate:
    """An accuracy in percent.

    Attributes:
        per_run: float64 [runs], one for each run's subpools.
        exact: the expectation over all subpools of N, where it is known in closed form.
    """

    per_run: np.ndarray
    exact: float | None


Estimates = Mapping[tuple[int, Method], Estimate]


def methods(models: Sequence[str]) -> list[Method]:
    """Majority vote, each model under each selection, and the ceiling."""
    return [
        Method(Selection.MAJORITY_VOTE),
        *(
            Method(selection, model)
            for selection in Selection
            if selection.needs_rewards
            for model in models
        ),
        Method(Selection.PASS),
    ]


def estimate(
    batches: Sequence[Pools], models: Sequence[str], n: Sequence[int], runs: int, seed: int
) -> dict[tuple[int, Method], Estimate]:
    """Estimate one category's accuracies for every N and method.

    Where a pool has no more than N solutions, it is its only subpool, in its own order.
    """
    keys = [(size, method) for size in n for method in methods(models)]
    right = {key: np.zeros(runs) for key in keys}
    expected = dict.fromkeys(keys, 0.0)
    for batch in batches:
        for pools in batch.split(max(1, SOLUTIONS_AT_ONCE // (runs * batch.size))):
            order = orders(pools.question_ids, pools.size, runs, seed)
            for size in n:
                outcomes = subpool_outcomes(pools, order, size)
                for method, outcome in outcomes.items():
                    right[size, method] += outcome.sum(axis=0)
                    expected[size, method] += _expected_right(method, pools, outcome, size)
    total = sum(len(batch.question_ids) for batch in batches)
    return {
        key: Estimate(
            per_run=100 * right[key] / total,
            exact=None if np.isnan(expected[key]) else 100 * expected[key] / total,
        )
        for key in keys
    }


def macro_average(estimates: Sequence[Estimate]) -> Estimate:
    """The mean over categories, each counting the same, run by run."""
    exact = [estimate.exact for estimate in estimates if estimate.exact is not None]
    return Estimate(
        per_run=np.mean([estimate.per_run for estimate in estimates], axis=0),
        exact=float(np.mean(exact)) if len(exact) == len(estimates) else None,
    )


def pass_at_n(n_correct: np.ndarray, pool_size: int, n: int) -> np.ndarray:
    """The chance that a random subpool of N has a correct solution: 1 - C(K-c, N) / C(K, N).

    As a product of N factors, so that nothing overflows.
    """
    drawn = np.arange(min(n, pool_size))
    wrong_left = np.maximum(pool_size - n_correct[:, None] - drawn, 0)
    return 1 - np.prod(wrong_left / (pool_size - drawn), axis=-1)


def subpool_outcomes(pools: Pools, order: np.ndarray, n: int) -> dict[Method, np.ndarray]:
    """Is each method's pick correct, in the subpools of the first N in `order`?

    Returns:
        bool [questions, runs], or [questions, 1] where every run has the same subpool: the pool.
    """
    whole = n >= pools.size
    positions = np.arange(pools.size)[None, None, :] if whole else order[:, :, :n]

    def taken(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values[:, None, :], positions, axis=-1)

    answers, correct = taken(pools.answers), taken(pools.correct)
    rewards = {model: taken(values) for model, values in pools.rewards.items()}
    return {
        Method(Selection.MAJORITY_VOTE): select.majority_vote(answers, correct),
        **{
            Method(Selection.BEST_OF_N, model): select.best_of_n(correct, values)
            for model, values in rewards.items()
        },
        **{
            Method(Selection.WEIGHTED_VOTE, model): select.weighted_vote(answers, correct, values)
            for model, values in rewards.items()
        },
        Method(Selection.PASS): select.pass_at_n(correct),
    }


def _expected_right(method: Method, pools: Pools, outcome: np.ndarray, n: int) -> float:
    """How many questions are expected right over all subpools of N; NaN where no closed form is at hand."""
    if method.selection is Selection.PASS:
        return float(pass_at_n(pools.correct.sum(axis=1), pools.size, n).sum())
    if n >= pools.size:
        return float(outcome.sum())
    if n == 1:
        return float(pools.correct.mean(axis=1).sum())
    return float("nan")
