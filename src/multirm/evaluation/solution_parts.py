"""The solutions of one category as analyses need them, and what all analyses share: runs, counts, columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation.aggregate import aggregate_lists
from multirm.evaluation.estimates import Estimate, Summary, over_runs
from multirm.evaluation.inputs import Opened, Row
from multirm.evaluation.methods import Scorer
from multirm.evaluation.pools import Category
from multirm.evaluation.training_seeds import runs_of_means, with_means
from multirm.tables.accuracy import OVERALL
from multirm.tables.rewards import Scale


@dataclass(frozen=True)
class Part:
    """One category's solutions.

    Attributes:
        questions: int [solutions], from 0 without gaps.
        n_steps: int [solutions], -1 where unknown.
        rewards: float64 [solutions] for each scorer of probabilities; NaN if missing.
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
    rewards = {
        scorer: aggregate_lists(category.lists[scorer.model], scorer.aggregation)
        for scorer in opened.scorers
        if scorer.aggregation.is_probability
        and category.types[scorer.model].scale is Scale.PROBABILITY
    }
    return Part(category, questions, n_steps, rewards)


def reported_scorers(opened: Opened) -> Iterator[tuple[Scorer, list[Scorer]]]:
    """Each reported scorer, and its training runs: several for a mean over them."""
    means = runs_of_means(opened.scorers, opened.means)
    for scorer in with_means(opened.scorers, opened.means):
        yield scorer, means.get(scorer, [scorer])


def over_runs_of(
    parts: Sequence[Part], runs: Sequence[Scorer], of_run: Callable[[Part, np.ndarray], Estimate]
) -> list[Estimate]:
    """For each category, the mean over training runs of an estimate from rewards; none without probabilities."""
    return [
        over_runs([of_run(part, part.rewards[run]) for run in runs])
        for part in parts
        if all(run in part.rewards for run in runs)
    ]


def with_overall(parts: Sequence[Part]) -> list[tuple[str, Sequence[Part]]]:
    """The names of rows, Overall first, each with the categories that it is about."""
    return [(OVERALL, parts), *((part.name, [part]) for part in parts)]


def counts_of(parts: Sequence[Part], runs: Sequence[Scorer], kept: Sequence[np.ndarray]) -> Row:
    """How many of some solutions have a reward by every training run, and how many have not."""
    n_scored = n_kept = 0
    for part, mask in zip(parts, kept, strict=True):
        n_kept += int(mask.sum())
        if all(run in part.rewards for run in runs):
            missing = np.any([np.isnan(part.rewards[run]) for run in runs], axis=0)
            n_scored += int((mask & ~missing).sum())
    return {"n_scored": n_scored, "n_missing": n_kept - n_scored}


def columns_of(scorer: Scorer) -> Row:
    """The columns that name a scorer."""
    return {"model": scorer.model, "aggregation": str(scorer.aggregation)}


def interval_columns(name: str, summary: Summary) -> Row:
    """A measure as three columns, whose names end like those of all intervals."""
    return {name: summary.value, f"{name}_low": summary.low, f"{name}_high": summary.high}
