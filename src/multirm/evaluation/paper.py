"""The estimator `paper`: Multi-RM's evaluation (arXiv 2510.00492), bit for bit.

Accuracies over `runs` random subsets per question. Only here does a missing reward count as 0.5, and can a missing
answer win a vote, because the paper's numbers were computed this way. A sample that is no solution has the answer of
those without one, and the reward 0: nobody has scored it. If the reference answers are letters, answers
other than A to J count as missing (`pools.paper_answers`).
"""

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.methods import Method, Scorer, labels, methods
from multirm.evaluation.pools import Category, Pools
from multirm.evaluation.selection import best_of_n, majority_vote, pass_at_n, weighted_vote
from multirm.tables.accuracy import MAJORITY_VOTE_NAME, OVERALL, PASS_NAME, Selection

# The reward of a solution without one.
MISSING_REWARD = 0.5

# Limits the memory of a block, about a dozen times 8 bytes per solution; larger blocks are not faster.
SOLUTIONS_AT_ONCE = 100_000

PerRun = Mapping[tuple[int, Method], np.ndarray]


def filled(lists: pa.ListArray, complete: np.ndarray) -> pa.ListArray:
    """The lists of rewards, with 0.5 for each missing reward and in each empty list; 0 in those of incomplete samples.

    Args:
        complete: bool [lists].
    """
    values = pc.fill_null(lists.values.cast(pa.float64()), MISSING_REWARD).to_numpy()
    starts, ends = lists.offsets.to_numpy()[:-1], lists.offsets.to_numpy()[1:]
    empty = np.flatnonzero(starts == ends)
    lengths = np.maximum(ends - starts, 1)
    offsets = np.r_[0, np.cumsum(lengths)]
    inserted = np.where(complete[empty], MISSING_REWARD, 0.0)
    values = np.insert(values[starts[0] : ends[-1]], starts[empty] - starts[0], inserted)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def without_missing(category: Category) -> Category:
    """The category with 0.5 for every missing reward, and 0 for samples that are no solutions."""
    lists = {model: filled(own, category.complete) for model, own in category.lists.items()}
    return replace(category, lists=lists)


def accuracies(
    batches: Sequence[Pools], scorers: Sequence[Scorer], n: Sequence[int], runs: int, seed: int
) -> dict[tuple[int, Method], np.ndarray]:
    """One category's accuracy for each N and method in each run.

    A pool of at most N solutions is its own only subset, in its own order.

    Returns:
        float64 [runs] in percent, for each N and method.
    """
    keys = [(size, method) for size in n for method in methods(scorers)]
    right = {key: np.zeros(runs) for key in keys}
    for batch in batches:
        for pools in batch.split(max(1, SOLUTIONS_AT_ONCE // (runs * batch.size))):
            order = orders(pools.question_ids, pools.size, runs, seed)
            for size in n:
                for method, outcome in _outcomes(pools, order, size).items():
                    right[size, method] += outcome.sum(axis=0)
    total = sum(len(batch.question_ids) for batch in batches)
    return {key: 100 * (right[key] / total) for key in keys}


def over_training_runs(
    per_run: PerRun, parts: Mapping[tuple[int, Method], Sequence[int]]
) -> dict[tuple[int, Method], np.ndarray]:
    """The accuracies of each run; for means over training runs, those of all their training runs.

    Args:
        per_run: the result of `accuracies`.
        parts: the indices in it that each N and method is the mean of.
    """
    runs = list(per_run.values())
    return {key: np.concatenate([runs[place] for place in part]) for key, part in parts.items()}


def orders(question_ids: Sequence[str], size: int, runs: int, seed: int) -> np.ndarray:
    """Random orders of pools of `size` solutions; the first N of an order are the subset of size N.

    By numpy's legacy generator, seeded with the first 8 hex digits of the MD5 of `{seed}_{run}_{question_id}`; its
    `choice(size, N, replace=False)` is the first N of a permutation.

    Returns:
        positions in the pool, int [questions, runs, size].
    """
    result = np.tile(np.arange(size), (len(question_ids), runs, 1))
    generator = np.random.RandomState()
    # Called hundreds of thousands of times, so look-ups are hoisted out of the loop.
    reseed, shuffle, md5 = generator.seed, generator.shuffle, hashlib.md5
    beginnings = [f"{seed}_{run}_".encode() for run in range(runs)]
    for orders_of_one, question_id in zip(result, question_ids, strict=True):
        name = question_id.encode()
        for beginning, order in zip(beginnings, orders_of_one, strict=True):
            digest = md5(beginning + name, usedforsecurity=False).digest()
            reseed(int.from_bytes(digest[:4], "big"))
            # Same as `permutation`, without allocating another array.
            shuffle(order)
    return result


def _outcomes(pools: Pools, order: np.ndarray, n: int) -> dict[Method, np.ndarray]:
    """Whether each method's selection is correct, in the subsets of the first N in `order`.

    Returns:
        bool [questions, runs], or [questions, 1] if every run has the same subset, the whole pool.
    """
    whole = n >= pools.size
    positions = np.arange(pools.size)[None, None, :] if whole else order[:, :, :n]

    def taken(values: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values[:, None, :], positions, axis=-1)

    if n == 1:
        only = taken(pools.correct)[..., 0]
        return dict.fromkeys(methods(list(pools.rewards)), only)
    answers, correct = taken(pools.answers), taken(pools.correct)
    outcomes = {
        Method(Selection.MAJORITY_VOTE): majority_vote(answers, correct),
        Method(Selection.PASS): pass_at_n(correct),
    }
    for scorer, values in pools.rewards.items():
        rewards = taken(values)
        best, vote = (
            Method(Selection.BEST_OF_N, scorer),
            Method(Selection.WEIGHTED_VOTE, scorer),
        )
        outcomes[best] = best_of_n(correct, rewards)
        outcomes[vote] = weighted_vote(answers, correct, rewards)
    return outcomes


def wide_csv(per_run: Mapping[str, PerRun], scorers: Sequence[Scorer], selection: Selection) -> str:
    """Accuracies in the paper's columns: a row per N and method, columns per category.

    `Overall` is over all pairs of a category and a run, so its standard deviation mixes variation between categories
    and between runs.

    Args:
        per_run: for each category, the result of `accuracies`.
    """
    names = {
        Method(Selection.MAJORITY_VOTE): MAJORITY_VOTE_NAME,
        **{Method(selection, scorer): label for scorer, label in labels(scorers).items()},
        Method(Selection.PASS): PASS_NAME,
    }
    categories = [OVERALL, *per_run]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    header = [f"{name}_mean" for name in categories] + [f"{name}_std" for name in categories]
    writer.writerow(["N", "Method", *header])
    for n in dict.fromkeys(size for size, _ in next(iter(per_run.values()))):
        for method, name in names.items():
            runs = [category[n, method] for category in per_run.values()]
            columns = [np.concatenate(runs), *runs]
            means = [float(np.mean(column)) for column in columns]
            deviations = [float(np.std(column)) for column in columns]
            writer.writerow([n, name, *means, *deviations])
    return text.getvalue()
