"""The stand-in `shorter`: a shorter step, or a shorter solution, has the higher reward.

It has not read what it scores. Incorrect steps are often the longer ones, so a reward model that does not separate them
better than this may have learned nothing but length.
"""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import Category
from multirm.tables.accuracy import Aggregation
from multirm.tables.response_accuracy import SHORTER
from multirm.tables.rewards import RewardType, Scale, Unit

STAND_IN = Scorer(SHORTER, Aggregation.LAST)
"""A solution has one reward, so that all aggregations but differences are the same."""


def of_steps(category: Category, lengths: pa.ListArray) -> Category:
    """The category with the stand-in's rewards alone: of each step minus its number of characters.

    Args:
        lengths: the number of characters of each step, null if unknown, for each solution.
    """
    lists = pc.fill_null(lengths, [])
    return _scored_alone(category, _negative(lists), Unit.STEP)


def of_solutions(category: Category, lengths: pa.ListArray) -> Category:
    """The category with the stand-in's rewards alone: of each solution minus the characters of its steps.

    A solution without steps, or with a step of unknown length, has no reward.

    Args:
        lengths: as for `of_steps`.
    """
    n_steps = pc.fill_null(pc.list_value_length(lengths), 0).to_numpy(zero_copy_only=False)
    owners = np.repeat(np.arange(len(lengths)), n_steps)
    steps = lengths.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    totals = np.bincount(owners, steps, minlength=len(lengths))
    known = (n_steps > 0) & ~np.isnan(totals)
    offsets = np.r_[0, np.cumsum(known)].astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(totals[known]))
    return _scored_alone(category, _negative(lists), Unit.SOLUTION)


def _negative(lists: pa.ListArray) -> pa.ListArray:
    """The lists with minus each number, from the first one on, whatever array they are a slice of."""
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    offsets = np.r_[0, np.cumsum(lengths)].astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pc.negate(lists.flatten().cast(pa.float64()))
    )


def _scored_alone(category: Category, lists: pa.ListArray, unit: Unit) -> Category:
    return replace(category, lists={SHORTER: lists}, types={SHORTER: RewardType(unit, Scale.SCORE)})
