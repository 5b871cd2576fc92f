"""The solutions of one category as analyses need them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from multirm.evaluation.inputs import Opened
from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import Category
from multirm.evaluation.training_seeds import runs_of_means, with_means
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables.rewards import Scale


@dataclass(frozen=True)
class Part:
    """One category's solutions.

    Attributes:
        questions: int [solutions], from 0 without gaps.
        n_steps: int [solutions], -1 where unknown.
        rewards: float64 [solutions] for each scorer; NaN if missing or not a probability, which no threshold fits.
    """

    category: Category
    questions: np.ndarray
    n_steps: np.ndarray
    rewards: Mapping[Scorer, np.ndarray]

    @property
    def name(self) -> str:
        return self.category.name


def read_part(category: Category, n_steps: np.ndarray, opened: Opened) -> Part:
    """A category's solutions with aggregated rewards.

    Args:
        n_steps: as in `Part`, from `read_n_steps`.
    """
    _, questions = np.unique(category.question_ids.astype(str), return_inverse=True)
    rewards = {scorer: _probabilities(category, scorer) for scorer in opened.scorers}
    return Part(category, questions, n_steps, rewards)


def _probabilities(category: Category, scorer: Scorer) -> np.ndarray:
    scale = category.types[scorer.model].scale
    if scale is Scale.PROBABILITY and scorer.aggregation.is_probability:
        return aggregate_lists(category.lists[scorer.model], scorer.aggregation)
    return np.full(len(category.correct), np.nan)


def reported_scorers(opened: Opened) -> Iterator[tuple[Scorer, list[Scorer]]]:
    """Each reported scorer, and its training runs: several for a mean over them."""
    means = runs_of_means(opened.scorers, opened.means)
    for scorer in with_means(opened.scorers, opened.means):
        yield scorer, means.get(scorer, [scorer])
