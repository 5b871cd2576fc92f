"""Where in a solution the lowest step reward is.

A process reward model whose rewards are mostly lowest at the last step behaves like an outcome reward model (Zhang et
al. 2025, "The lessons of developing process reward models in mathematical reasoning", arXiv 2501.07301).
"""

import numpy as np
import pyarrow as pa

from multirm.evaluation import jackknife
from multirm.evaluation.estimates import Estimate
from multirm.evaluation.pools import Category
from multirm.tables.rewards import Unit

OUTCOMES = (True, False)


def minimum_estimate(category: Category, model: str) -> Estimate | None:
    """The share of solutions whose lowest step reward is that of the last step; None without step rewards.

    If the lowest reward occurs several times, the last step has its share of it, 1/k. Solutions with fewer than two
    rewards are left out; so are those with a missing one, which are counted.

    Returns:
        columns: for correct solutions and for incorrect ones the share, then for both the share that is expected if
        the lowest reward is at a random step.
    """
    if category.types[model].unit is not Unit.STEP or not category.judged.any():
        return None
    lists = category.lists[model].filter(pa.array(category.judged))
    values = lists.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    at_last, by_chance = last_is_lowest(values, lists.offsets.to_numpy())
    _, questions = np.unique(
        category.question_ids.astype(str)[category.judged], return_inverse=True
    )
    correct = category.correct[category.judged]
    return _estimate(at_last, by_chance, correct, questions)


def last_is_lowest(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether the last reward of each list is the lowest, and the probability of that if a random one is.

    Args:
        values: the lists, one after the other, float64 [total]; NaN if missing.
        offsets: the start of each list, and the end of the last one, int [lists + 1].

    Returns:
        float64 [lists] each: at_last from 0 to 1, NaN if a reward is missing or there are none; by_chance, 1 / length.
    """
    lengths = np.diff(offsets)
    values = values[offsets[0] : offsets[-1]]
    owners = np.repeat(np.arange(len(lengths)), lengths)
    lowest = np.full(len(lengths), np.inf)
    with np.errstate(invalid="ignore"):
        np.minimum.at(lowest, owners, values)
    n_lowest = np.bincount(owners, values == lowest[owners], minlength=len(lengths))
    at_last = np.full(len(lengths), np.nan)
    known = (lengths > 0) & ~np.isnan(lowest)
    last = values[(offsets[1:] - offsets[0] - 1)[known]]
    at_last[known] = (last == lowest[known]) / n_lowest[known]
    return at_last, 1 / np.maximum(lengths, 1)


def _estimate(
    at_last: np.ndarray, by_chance: np.ndarray, correct: np.ndarray, questions: np.ndarray
) -> Estimate:
    several, missing = by_chance < 1, np.isnan(at_last)
    groups = jackknife.grouped(questions)
    sums, weights, found = [], [], []
    for outcome in OUTCOMES:
        taken = several & ~missing & (correct == outcome)
        n_groups = int(groups.max()) + 1
        n = np.bincount(groups[taken], minlength=n_groups)
        for values in (at_last, by_chance):
            sums.append(np.bincount(groups[taken], values[taken], minlength=n_groups))
            weights.append(n)
        found.append(np.bincount(questions[taken]))
    # Shares, then what is expected by chance, of each outcome.
    total, n = (np.stack(each, axis=-1)[:, [0, 2, 1, 3]] for each in (sums, weights))
    with np.errstate(invalid="ignore"):
        value = total.sum(axis=0) / n.sum(axis=0)
        without = (total.sum(axis=0) - total) / (n.sum(axis=0) - n)
    size = np.tile([jackknife.effective_size(own) for own in found], 2)
    left_out = [int((missing & several & (correct == outcome)).sum()) for outcome in OUTCOMES]
    counts = {
        "n_questions": np.tile([int((own > 0).sum()) for own in found], 2),
        "n_solutions": n.sum(axis=0),
        "n_missing": np.tile(left_out, 2),
    }
    return Estimate(value, without, n > 0, size, counts)
