"""How sure a measure over solutions is, whose questions are what is sampled: each is left out once.

Solutions to one question are alike, so many solutions to few questions are few observations. What a
measure becomes without each question says how it would vary with other questions (the jackknife of
clusters: Efron & Stein 1981; Obuchowski 1997 for the areas under curves).
"""

from collections.abc import Callable, Mapping

import numpy as np

from multirm.evaluation import intervals
from multirm.running.randomness import item_generator

# Questions are left out one at a time up to so many of them, else in as many groups at random.
GROUPS = 200

# Bounds the memory of one block of counts, to 32 MB.
COUNTS_AT_ONCE = 4_000_000

Measures = Mapping[str, np.ndarray]


def grouped(questions: np.ndarray) -> np.ndarray:
    """What is left out together with each item: its question, or a group of questions if there are many.

    Args:
        questions: int [items], from 0, every one of them there.

    Returns:
        int [items], from 0, every one of them there.
    """
    n_questions = int(questions.max(initial=-1)) + 1
    if n_questions <= GROUPS:
        return questions
    order = item_generator(0, "groups", n_questions).permutation(n_questions)
    return np.asarray(order[questions] % GROUPS)


def without_each(
    measure: Callable[[np.ndarray], Measures], items: np.ndarray, groups: np.ndarray, size: int
) -> Measures:
    """What measures of counts become without each group.

    Args:
        measure: of counts float64 [..., size] gives measures [...]; NaN where one is not defined.
        items: which of the counts each item is one of, int [items].
        groups: each item's group, int [items], from 0, every one of them there.
        size: how many counts there are.

    Returns:
        float64 [groups] for each measure.
    """
    every = np.bincount(items, minlength=size)
    n_groups = int(groups.max(initial=-1)) + 1
    order = np.argsort(groups, kind="stable")
    starts = np.searchsorted(groups[order], np.arange(n_groups + 1))
    at_once = max(1, COUNTS_AT_ONCE // max(size, 1))
    found: list[Measures] = []
    for first in range(0, n_groups, at_once):
        last = min(first + at_once, n_groups)
        own = order[starts[first] : starts[last]]
        cells = (groups[own] - first) * size + items[own]
        counts = np.bincount(cells, minlength=(last - first) * size)
        found.append(measure((every - counts.reshape(last - first, size)).astype(np.float64)))
    return {name: np.concatenate([part[name] for part in found]) for name in found[0]}


def variance(without: np.ndarray) -> float:
    """The variance of a measure, from what it is without each group, float64 [groups].

    Returns:
        NaN where there is one group, or the measure is not defined without one of them.
    """
    n_groups = len(without)
    if n_groups < 2:
        return float("nan")
    return float((n_groups - 1) / n_groups * np.square(without - without.mean()).sum())


def interval(value: float, without: np.ndarray, size: float) -> tuple[float, float, bool]:
    """The 95 % interval of a measure from 0 to 1.

    Where it rests on one question, without which it is not defined, its variance is not known, and the
    interval is as wide as for `size` questions that are right or wrong.

    Args:
        value: of all items; not NaN.
        without: what it is without each group, float64 [groups].
        size: how many questions of equal weight it is from, `effective_size`.

    Returns:
        low, high, and whether its variance is known.
    """
    known = variance(without)
    low, high = intervals.of_share(
        np.array([value]),
        np.array([known]),
        np.array([max(len(without) - 1, 1)]),
        size,
        least=size,
    )
    return float(low[0]), float(high[0]), not np.isnan(known)


def effective_size(weights: np.ndarray) -> float:
    """How many questions of equal weight those with these weights are worth (Kish 1965); 0 of none.

    Args:
        weights: float64 [questions], at least 0.
    """
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
