"""Subsets of the critiques of each solution."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from multirm.evaluation.pools import Category
from multirm.evaluation.reward_lists import of_lengths, usual_length
from multirm.running.randomness import item_generator
from multirm.tables.rewards import Unit

logger = logging.getLogger(__name__)


def critique_count(category: Category, model: str) -> int:
    """M, if rewards are per critique and nearly every solution has the same number of at least 2; else 1."""
    if category.types[model].unit is not Unit.CRITIQUE:
        return 1
    return max(usual_length(category.lists[model]), 1)


def evened(category: Category, model: str) -> Category:
    """The category with M rewards per solution; all are missing for solutions with fewer or more."""
    n_critiques = critique_count(category, model)
    if n_critiques < 2:
        return category
    lists, fitting = of_lengths(category.lists[model], np.full(len(category.answers), n_critiques))
    if not fitting.all():
        logger.warning(
            "%s: %d solutions that do not have %d critiques by %s count as having none",
            category.name,
            int((~fitting).sum()),
            n_critiques,
            model,
        )
    return replace(category, lists={**category.lists, model: lists})


def with_critiques(category: Category, model: str, chosen: np.ndarray) -> Category:
    """The category with a subset of the critiques of each solution.

    Args:
        chosen: indices in the solutions' lists, int [solutions, m].
    """
    lists = category.lists[model]
    rewards = lists.values.cast(pa.float64())
    at = (lists.offsets.to_numpy()[:-1, None] + chosen).ravel()
    offsets = np.arange(len(chosen) + 1) * chosen.shape[1]
    fewer = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), rewards.take(pa.array(at)))
    return replace(category, lists={**category.lists, model: fewer})


def critique_orders(category: Category, n_critiques: int, draws: int, seed: int) -> np.ndarray:
    """Random orders of the critiques; in each draw, one order for all solutions to a question.

    Seeded only by (seed, category, question).

    Returns:
        int [draws, solutions, critiques].
    """
    ids, first = np.unique(category.question_ids.astype(str), return_inverse=True)
    orders = np.empty((draws, len(ids), n_critiques), dtype=np.int64)
    orders[:] = np.arange(n_critiques)
    for k, question_id in enumerate(ids):
        generator = item_generator(seed, "critiques", category.name, str(question_id))
        orders[:, k] = generator.permuted(orders[:, k], axis=1)
    return np.asarray(orders[:, first])


def counts_up_to(n_critiques: int) -> Sequence[int]:
    """The powers of two below `n_critiques`, and `n_critiques`."""
    powers = [2**k for k in range(n_critiques.bit_length()) if 2**k < n_critiques]
    return [*powers, n_critiques]
