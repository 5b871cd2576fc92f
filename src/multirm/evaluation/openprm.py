"""The estimator `openprm`: best-of-N as OpenPRM evaluates it, from exact expectations.

OpenPRM's paper samples N = 128 solutions to each question, draws K of them without replacement M = 5 times for
K = 1, 2, 4, …, N, and reports the mean accuracy of the M draws: of best-of-K for each reward model, of the majority
vote of K, and coverage, the share of questions with any correct solution among K (`pass`). The mean over all draws is
known exactly (`exact`), so nothing is drawn here. What M draws would add is known, too: whether a question is answered
correctly with one draw is a Bernoulli variable, whose mean is the expectation. With p for a question's expectation, Q
questions and independent draws, the accuracy with one draw has the variance Σ p (1 - p) / Q², and the mean of M draws
1/M of it. At K = N all draws are the same: p is 0 or 1, but for ties, which are broken at random.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import exact, intervals
from multirm.evaluation.expected import columns
from multirm.evaluation.inputs import Row
from multirm.evaluation.methods import Method, Scorer, methods
from multirm.evaluation.pools import Pools
from multirm.evaluation.training_seeds import (
    Means,
    Parts,
    averaged,
    seed_degrees,
    variance_of_means,
)
from multirm.evaluation.training_seeds import parts_of as parts_of_all
from multirm.tables.accuracy import ALL_QUESTIONS, OVERALL, Estimator, Selection

DRAWS = 5
"""M in the paper."""


@dataclass(frozen=True)
class Draws:
    """What draws of K solutions do to one category's questions.

    Attributes:
        values: float64 [questions, columns], the probability that a draw is answered correctly.
        n_short: int [columns], the number of questions whose pools are smaller than K and are used whole.
    """

    values: np.ndarray
    n_short: np.ndarray


def doublings(largest: int) -> list[int]:
    """K = 1, 2, 4, … up to the size of the largest pool, which is the last one.

    Args:
        largest: at least 1.
    """
    return [*(2**power for power in range((largest - 1).bit_length())), largest]


def drawn(batches: Sequence[Pools], n: Sequence[int], scorers: Sequence[Scorer]) -> Draws:
    """The expectations of one category's questions over all subsets of K solutions.

    Args:
        n: each K.
    """
    found, short = [], []
    for pools in batches:
        sizes = [min(size, pools.size) for size in n]
        of_methods = {
            Method(Selection.MAJORITY_VOTE): exact.majority_vote(
                pools.answers, pools.correct, sizes
            ),
            Method(Selection.PASS): exact.pass_at_n(pools.correct, sizes),
        }
        for scorer in scorers:
            value = exact.best_of_n(pools.correct, pools.ranking(scorer), sizes)
            of_methods[Method(Selection.BEST_OF_N, scorer)] = value
        found.append(
            np.stack(
                [of_methods[method][k] for k in range(len(n)) for method in methods_of(scorers)],
                axis=1,
            )
        )
        short.append([len(pools.question_ids) * (size > pools.size) for size in n])
    n_short = np.repeat(np.sum(short, axis=0), len(methods_of(scorers)))
    return Draws(np.concatenate(found), n_short)


def methods_of(scorers: Sequence[Scorer]) -> list[Method]:
    """The majority vote, best-of-K by each scorer, and coverage: the paper has no weighted vote."""
    return [method for method in methods(scorers) if _is_drawn(method)]


def parts_of(n: Sequence[int], scorers: Sequence[Scorer], means: Means) -> Parts:
    """The columns of `drawn`, and those of the means over training runs."""
    kept = [k for k, (_, method) in enumerate(columns(n, scorers)) if _is_drawn(method)]
    return {
        (size, method): [kept.index(k) for k in part]
        for (size, method), part in parts_of_all(n, scorers, means).items()
        if _is_drawn(method)
    }


def _is_drawn(method: Method) -> bool:
    return method.selection is not Selection.WEIGHTED_VOTE


def accuracy_rows(categories: Mapping[str, Draws], parts: Parts, draws: int = DRAWS) -> list[Row]:
    """The rows of the accuracy table: Overall, all questions together if there are several categories, and each one.

    `std` is the standard deviation of the accuracy with one draw, `standard_error` that of the mean of `runs` draws;
    both are null for means over training runs, which have other draws each. Intervals are over questions.

    Args:
        parts: what is reported of the columns.
    """
    together = np.concatenate([own.values for own in categories.values()])
    n_short = np.sum([own.n_short for own in categories.values()], axis=0)
    pooled = {ALL_QUESTIONS: Draws(together, n_short)} if len(categories) > 1 else {}
    within = {
        OVERALL: categories,
        **{name: {name: own} for name, own in (pooled | dict(categories)).items()},
    }
    return [row for name, own in within.items() for row in _rows(name, own, parts, draws)]


def _rows(name: str, within: Mapping[str, Draws], parts: Parts, draws: int) -> list[Row]:
    own = np.mean([each.values.mean(axis=0) for each in within.values()], axis=0)
    of_one = np.sqrt(
        np.sum(
            [
                (each.values * (1 - each.values)).sum(axis=0) / len(each.values) ** 2
                for each in within.values()
            ],
            axis=0,
        )
    ) / len(within)
    n_short = averaged(np.sum([each.n_short for each in within.values()], axis=0), parts)
    mean = intervals.mean_of(
        {category: averaged(each.values, parts) for category, each in within.items()}
    )
    seeds = np.sqrt(variance_of_means(own, parts))
    low, high = intervals.widened(
        mean.value, intervals.of_shares(mean), seeds, seed_degrees(parts), (0, 1)
    )
    rows = []
    for k, ((size, method), note) in enumerate(zip(parts, mean.notes, strict=True)):
        (column, *others) = parts[size, method]
        spread = None if others else 100 * float(of_one[column])
        rows.append(
            {
                "category": name,
                "estimator": str(Estimator.OPENPRM),
                **method.columns,
                "n": size,
                "accuracy": 100 * mean.value[k],
                "accuracy_low": 100 * low[k],
                "accuracy_high": 100 * high[k],
                "standard_error": None if spread is None else spread / np.sqrt(draws),
                "std": spread,
                "runs": draws,
                "n_questions": sum(len(each.values) for each in within.values()),
                "n_short": int(n_short[k]),
                "note": note,
            }
        )
    return rows
