"""Confidence intervals of measures over solutions, by a jackknife over questions.

Solutions to one question are correlated, so many solutions to few questions are few observations. How a measure
changes when each question is left out estimates its variance over samples of questions (the cluster jackknife: Efron &
Stein 1981; Obuchowski 1997 for the areas under curves).
"""

from collections.abc import Callable, Mapping

import numpy as np

from multirm.evaluation import intervals
from multirm.running.randomness import item_generator

# Up to this many questions are left out one by one, more in this many random groups.
GROUPS = 200

# Bounds the memory of one block of counts, to 32 MB.
COUNTS_AT_ONCE = 4_000_000

Measures = Mapping[str, np.ndarray]


def grouped(questions: np.ndarray) -> np.ndarray:
    """The group of each item that is left out together: its question, or a group of questions if there are many.

    Args:
        questions: int [items], from 0 without gaps.

    Returns:
        int [items], from 0 without gaps.
    """
    n_questions = int(questions.max(initial=-1)) + 1
    if n_questions <= GROUPS:
        return questions
    order = item_generator(0, "groups", n_questions).permutation(n_questions)
    return np.asarray(order[questions] % GROUPS)


def without_each(
    measure: Callable[[np.ndarray], Measures], items: np.ndarray, groups: np.ndarray, size: int
) -> Measures:
    """Measures of counts, with each group left out in turn.

    Args:
        measure: maps counts, float64 [..., size], to measures [...]; NaN if undefined.
        items: the count that each item belongs to, int [items].
        groups: each item's group, int [items], from 0 without gaps.
        size: the number of counts.

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
    """The variance of a measure, from its values without each group, float64 [groups].

    Returns:
        NaN if there is only one group, or the measure is undefined without one of them.
    """
    n_groups = len(without)
    if n_groups < 2:
        return float("nan")
    return float((n_groups - 1) / n_groups * np.square(without - without.mean()).sum())


def interval(value: float, without: np.ndarray, size: float) -> tuple[float, float, bool]:
    """The 95 % interval of a measure from 0 to 1.

    If the measure is undefined without some question, its variance is unknown, and the interval is as wide as for
    `size` right-or-wrong questions.

    Args:
        value: the measure of all items; not NaN.
        without: its values without each group, float64 [groups].
        size: the equivalent number of equally weighted questions, from `effective_size`.

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
    """The equivalent number of equally weighted questions (Kish 1965); 0 without questions.

    Args:
        weights: float64 [questions], at least 0.
    """
    squares = float(np.square(weights).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0
