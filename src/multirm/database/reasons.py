"""Why a selection chooses what it does from a pool: what else could have been chosen, and what each is worth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from multirm.database.choices import Choice, Pool, best_of_n, majority_vote, weighted_vote
from multirm.tables.accuracy import Aggregation, Selection

NO_ANSWER = -1


class Scorer(NamedTuple):
    """The source of a solution's reward: a reward model and an aggregation of its list of rewards."""

    model: str
    aggregation: Aggregation


class Basis(StrEnum):
    """What a choice rests on."""

    REWARDS = "rewards"
    """The highest reward, or sum of rewards."""
    COUNTS = "counts"
    """The number of solutions that give an answer: the majority vote."""
    NO_REWARDS = "no_rewards"
    """No solution that could be chosen has a reward: all of them are as good, or vote equally."""
    NO_ANSWERS = "no_answers"
    """No solution gives an answer, so that there is nothing to vote for."""


@dataclass(frozen=True)
class Candidate:
    """What can be chosen.

    Attributes:
        answer: the code of an answer; `NO_ANSWER` for a solution without one.
        solutions: positions in the pool: one for best-of-N, all that give the answer for a vote.
        worth: the solution's weight, or the answer's sum of weights; None without any.
    """

    answer: int
    solutions: tuple[int, ...]
    worth: float | None


@dataclass(frozen=True)
class ExplainedChoice:
    """What a selection chooses from a pool, and why.

    Attributes:
        scorer: whose rewards it uses; None for the majority vote.
        basis: what the choice rests on.
        candidates: from the best to the worst; the first `choice.n_tied` are chosen with the same probability.
    """

    choice: Choice
    scorer: Scorer | None
    basis: Basis
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> tuple[Candidate, ...]:
        """The candidates that are tied for the first place."""
        return self.candidates[: self.choice.n_tied]

    @property
    def answers(self) -> frozenset[int]:
        """The codes of the answers that it may choose; `NO_ANSWER` for none."""
        return frozenset(candidate.answer for candidate in self.chosen)


def explained_choices(
    pool: Pool,
    complete: np.ndarray,
    scores: Mapping[Scorer, np.ndarray],
    weights: Mapping[Scorer, np.ndarray],
) -> list[ExplainedChoice]:
    """What the majority vote, and each scorer by best-of-N and by its weighted vote, chooses from a pool, and why.

    Args:
        complete: bool [K]; others are samples that are no solutions.
        scores: the reward of each solution, float64 [K] for each scorer; NaN if missing.
        weights: what ranks the solutions and what they vote with, likewise.
    """
    ones = np.ones(len(pool.codes))
    return [
        _of_vote(pool, majority_vote(pool), None, ones),
        *(_of_best(pool, complete, each, weights[each], scores[each]) for each in weights),
        *(_of_vote(pool, weighted_vote(pool, own), each, own) for each, own in weights.items()),
    ]


def _of_best(
    pool: Pool, complete: np.ndarray, scorer: Scorer, weights: np.ndarray, scores: np.ndarray
) -> ExplainedChoice:
    has_reward = ~np.isnan(weights)
    ranked = weights
    if not has_reward.any():
        # A solution without a reward is better than a sample that is no solution.
        ranked = np.where(complete, 0.0, np.nan)
    choice = best_of_n(pool, ranked, scores)
    order = np.lexsort((np.where(np.isnan(ranked), np.inf, -ranked), ~_among(pool, choice)))
    candidates = tuple(
        Candidate(
            int(pool.codes[place]),
            (int(place),),
            float(weights[place]) if has_reward[place] else None,
        )
        for place in order
    )
    basis = Basis.REWARDS if has_reward.any() else Basis.NO_REWARDS
    return ExplainedChoice(choice, scorer, basis, candidates)


def _of_vote(
    pool: Pool, choice: Choice, scorer: Scorer | None, weights: np.ndarray
) -> ExplainedChoice:
    answered = pool.codes != NO_ANSWER
    if not answered.any():
        return ExplainedChoice(choice, scorer, Basis.NO_ANSWERS, ())
    basis = Basis.REWARDS if scorer else Basis.COUNTS
    if np.isnan(weights[answered]).all():
        basis, weights = Basis.NO_REWARDS, np.ones(len(weights))
    chosen = set(pool.codes[choice.positions].tolist())
    candidates = [
        _voted(pool, code, weights) for code in dict.fromkeys(pool.codes[answered].tolist())
    ]

    def place(candidate: Candidate) -> tuple[bool, float]:
        # Those that are tied keep the order of the pool, whatever the rounding errors of their sums.
        is_chosen = candidate.answer in chosen
        worth = -np.inf if candidate.worth is None else candidate.worth
        return not is_chosen, 0.0 if is_chosen else -worth

    return ExplainedChoice(choice, scorer, basis, tuple(sorted(candidates, key=place)))


def _voted(pool: Pool, code: int, weights: np.ndarray) -> Candidate:
    own = pool.codes == code
    votes = weights[own & ~np.isnan(weights)]
    places = tuple(np.flatnonzero(own).tolist())
    return Candidate(code, places, float(votes.sum()) if len(votes) else None)


def _among(pool: Pool, choice: Choice) -> np.ndarray:
    chosen = np.zeros(len(pool.codes), dtype=bool)
    chosen[list(choice.positions)] = True
    return chosen


class Trait(StrEnum):
    """What makes a question worth looking at."""

    DISAGREE = "disagree"
    """Best-of-N by different reward models chooses different answers."""
    ONLY_ONE_RIGHT = "only_one_right"
    """Best-of-N by a single one of several reward models is right."""
    AGAINST_VOTE = "against_vote"
    """Best-of-N by some reward model is right where the majority vote is wrong."""
    TIED = "tied"
    """A selection's choice is a tie between different answers."""
    RECOVERY = "recovery"
    """Some solution has an incorrect step and a correct answer."""
    TRUNCATED = "truncated"
    """A reward model could not read some solution whole, or a critique was cut off."""
    MISSING = "missing"
    """A reward is missing."""


def traits_of_choices(found: Sequence[ExplainedChoice]) -> set[Trait]:
    """The traits that follow from what selections choose."""
    best = [each for each in found if each.choice.selection is Selection.BEST_OF_N]
    right = [each for each in best if each.choice.correct == 1]
    wrong = [each for each in best if each.choice.correct == 0]
    right_models = {each.scorer.model for each in right if each.scorer}
    wrong_models = {each.scorer.model for each in wrong if each.scorer}
    traits = {
        Trait.DISAGREE: len({each.answers for each in best}) > 1,
        Trait.ONLY_ONE_RIGHT: len(right_models) == 1
        and len(wrong_models - right_models) > 0
        and len(right) + len(wrong) == len(best),
        Trait.AGAINST_VOTE: bool(right)
        and any(
            each.choice.correct == 0
            for each in found
            if each.choice.selection is Selection.MAJORITY_VOTE
        ),
        Trait.TIED: any(len(each.answers) > 1 for each in found),
    }
    return {trait for trait, holds in traits.items() if holds}
