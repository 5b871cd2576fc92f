"""Right and wrong solutions with known step labels, and the errors of their rewards, for `error_depths`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from multirm.evaluation import jackknife
from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import Category
from multirm.evaluation.reward_lists import of_lengths
from multirm.reward_models.aggregate import ranking
from multirm.tables.rewards import Scale, Unit


@dataclass(frozen=True)
class Errors:
    """One category's right and wrong solutions.

    Attributes:
        questions: of all solutions, int [solutions], from 0 without gaps.
        n_steps: int [solutions].
        depths: the first incorrect step of wrong solutions, from 1; 0 for others, int [solutions].
        pairs: places of a right and a wrong solution to one question, int [pairs, 2].
        wins: for each scorer how far the right solution wins: 1, 1/2 or 0, float64 [pairs]; NaN if a reward is missing.
        steps: for each scorer with a reward per step, the errors of steps, float64 [solutions, most steps]; NaN where
            unknown and after the end.
        scales: of each scorer's rewards.
    """

    name: str
    questions: np.ndarray
    n_steps: np.ndarray
    depths: np.ndarray
    pairs: np.ndarray
    wins: Mapping[Scorer, np.ndarray]
    steps: Mapping[Scorer, np.ndarray]
    scales: Mapping[Scorer, Scale]
    groups: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", jackknife.grouped(self.questions))

    @property
    def wrong(self) -> np.ndarray:
        """Places of wrong solutions, int [wrong]."""
        return np.flatnonzero(self.depths)

    def totals(self, scorer: Scorer) -> np.ndarray:
        """The sum of errors from the first incorrect step on, float64 [solutions]; NaN if one is unknown."""
        if scorer not in self.steps:
            return np.full(len(self.depths), np.nan)
        place = np.arange(1, self.steps[scorer].shape[1] + 1)
        counts = (place >= self.depths[:, None]) & (place <= self.n_steps[:, None])
        found = np.where(counts, self.steps[scorer], 0).sum(axis=1)
        return np.where(self.depths > 0, found, np.nan)


def errors_of(category: Category, scorers: Sequence[Scorer]) -> Errors:
    """The right and wrong solutions of a category, with the errors of their rewards."""
    labels = category.step_labels
    n_steps = pc.fill_null(pc.list_value_length(labels), 0).to_numpy(zero_copy_only=False)
    first = _first_incorrect(labels)
    right = (n_steps > 0) & (first == 0) & category.judged & category.correct
    wrong = (first > 0) & category.judged & ~category.correct
    _, questions = np.unique(category.question_ids.astype(str), return_inverse=True)
    pairs = _pairs(questions, right, wrong)
    wins, steps = {}, {}
    for scorer in scorers:
        lists = category.lists[scorer.model]
        if category.types[scorer.model].unit is Unit.STEP:
            lists, _ = of_lengths(lists, n_steps)
            steps[scorer] = _step_errors(lists, n_steps, right)
        ranks = ranking(lists, scorer.aggregation)
        higher, lower = ranks[pairs[:, 0]], ranks[pairs[:, 1]]
        won = np.where(higher > lower, 1.0, np.where(higher == lower, 0.5, 0.0))
        wins[scorer] = np.where(np.isnan(higher) | np.isnan(lower), np.nan, won)
    scales = {scorer: category.types[scorer.model].scale for scorer in scorers}
    depths = np.where(wrong, first, 0)
    return Errors(category.name, questions, n_steps, depths, pairs, wins, steps, scales)


def _first_incorrect(labels: pa.ListArray) -> np.ndarray:
    """The first incorrect step of each solution, from 1; 0 without one."""
    first = np.zeros(len(labels), dtype=np.int64)
    owners = pc.list_parent_indices(labels).to_numpy()
    values = labels.flatten().to_numpy(zero_copy_only=False)
    place = np.arange(len(owners)) - np.searchsorted(owners, owners)
    incorrect = np.flatnonzero(values == 0)[::-1]
    # Of several, the last one that is written is the first of the solution.
    first[owners[incorrect]] = place[incorrect] + 1
    return first


def _pairs(questions: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Places of every right and every wrong solution to each question, int [pairs, 2]."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    order = np.argsort(questions, kind="stable")
    for places in np.split(order, np.flatnonzero(np.diff(questions[order])) + 1):
        mesh = np.meshgrid(places[right[places]], places[wrong[places]], indexing="ij")
        found.append(np.stack([each.ravel() for each in mesh], axis=1))
    return np.concatenate(found)


def _step_errors(lists: pa.ListArray, n_steps: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What each step's reward lacks to the mean of right solutions at the step, float64 [solutions, most steps]."""
    rewards = np.full((len(n_steps), max(int(n_steps.max(initial=0)), 1)), np.nan)
    owners = np.repeat(np.arange(len(n_steps)), n_steps)
    place = np.arange(len(owners)) - np.repeat(np.cumsum(n_steps) - n_steps, n_steps)
    values = lists.flatten().cast(pa.float64()).to_numpy(zero_copy_only=False)
    rewards[owners, place] = values
    own = rewards[right]
    known = (~np.isnan(own)).sum(axis=0)
    with np.errstate(invalid="ignore"):
        means = np.nansum(own, axis=0) / np.where(known > 0, known, np.nan)
    return means - rewards
