"""What best-of-N and the votes choose from a whole pool, and what ties with it.

Evaluation estimates the accuracy of a selection over all subsets of N solutions; this is its choice where N is the
size of the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multirm.reward_models.aggregate import VOTE_ROUNDING
from multirm.tables.accuracy import Selection


@dataclass(frozen=True)
class Choice:
    """What a selection chooses from a pool.

    Attributes:
        selection: `pass` is no choice.
        positions: the chosen solutions, in the pool's order: of best-of-N those with the highest reward, of a vote
            those that give the chosen answer, or any that ties. Empty if no solution has an answer to vote for.
        examples: of these, the first with each answer; without any if none has an answer.
        n_tied: how many choices tie: solutions of best-of-N, answers of a vote. 1 if it is clear, 0 if there is none.
        correct: the probability that the choice is correct, as ties are broken at random; None if that is not known.
        score: the highest reward, of best-of-N; None if no solution has one.
        vote_share: the part of all votes that the chosen answer has, or each that ties; None for best-of-N, without
            votes, and where votes are negative.
    """

    selection: Selection
    positions: Sequence[int]
    examples: Sequence[int]
    n_tied: int
    correct: float | None
    score: float | None
    vote_share: float | None


@dataclass(frozen=True)
class Pool:
    """The solutions to one question, in the order of their ids.

    Attributes:
        codes: int [K], equal if answers are equal; -1 for no answer.
        correct: bool [K]; a solution without an answer is not.
        is_judged: whether it is known which of them are correct.
    """

    codes: np.ndarray
    correct: np.ndarray
    is_judged: bool


def pool_of(answers: Sequence[str | None], correct: Sequence[bool | None]) -> Pool:
    """A pool of solutions.

    Args:
        answers: equal if they are equal strings; None for no answer.
        correct: of each solution; None if unknown.
    """
    known = dict.fromkeys(answer for answer in answers if answer is not None)
    place = {answer: code for code, answer in enumerate(known)}
    return Pool(
        np.array([-1 if answer is None else place[answer] for answer in answers], dtype=np.int64),
        np.array([bool(each) for each in correct], dtype=bool),
        all(each is not None for each in correct),
    )


def best_of_n(pool: Pool, weights: np.ndarray, scores: np.ndarray) -> Choice:
    """The solutions with the highest reward; all of them tie if none has one.

    Args:
        weights: float64 [K], what ranks the solutions; NaN for no reward.
        scores: float64 [K], their rewards.
    """
    ranked = np.where(np.isnan(weights), -np.inf, weights)
    chosen = np.flatnonzero(ranked == ranked.max())
    score = scores[chosen[0]]
    return Choice(
        Selection.BEST_OF_N,
        chosen.tolist(),
        _examples(pool, chosen),
        len(chosen),
        float(pool.correct[chosen].mean()) if pool.is_judged else None,
        None if np.isnan(score) else float(score),
        None,
    )


def weighted_vote(pool: Pool, weights: np.ndarray) -> Choice:
    """The answer with the highest sum of rewards; if no answered solution has a reward, all of them vote equally.

    Args:
        weights: float64 [K], the votes; NaN for no reward.
    """
    votes = np.where(pool.codes < 0, np.nan, weights)
    if np.isnan(votes).all():
        votes = np.where(pool.codes < 0, np.nan, 1.0)
    return _vote(pool, votes, Selection.WEIGHTED_VOTE)


def majority_vote(pool: Pool) -> Choice:
    """The most frequent answer."""
    return _vote(pool, np.where(pool.codes < 0, np.nan, 1.0), Selection.MAJORITY_VOTE)


def _vote(pool: Pool, votes: np.ndarray, selection: Selection) -> Choice:
    """The answer with the highest sum of votes; answers without a vote are not chosen."""
    cast = ~np.isnan(votes)
    if not cast.any():
        return Choice(selection, [], [], 0, 0.0 if pool.is_judged else None, None, None)
    codes, own = pool.codes[cast], votes[cast]
    totals = np.bincount(codes, own)
    voted = np.bincount(codes, minlength=len(totals)) > 0
    rounding = VOTE_ROUNDING * np.bincount(codes, np.abs(own)).max()
    most = totals[voted].max()
    top = np.flatnonzero(voted & (totals >= most - rounding))
    given = pool.codes >= 0
    n_right = np.bincount(pool.codes[given], pool.correct[given])
    # Solutions with the same answer are all correct or none is, unless outcome labels without answers say otherwise.
    shares = n_right / np.maximum(np.bincount(pool.codes[given]), 1)
    chosen = np.flatnonzero(np.isin(pool.codes, top))
    return Choice(
        selection,
        chosen.tolist(),
        _examples(pool, chosen),
        len(top),
        float(shares[top].mean()) if pool.is_judged else None,
        None,
        float(most / own.sum()) if (own >= 0).all() and own.sum() > 0 else None,
    )


def _examples(pool: Pool, chosen: np.ndarray) -> list[int]:
    """The first of the chosen solutions with each answer."""
    codes, first = np.unique(pool.codes[chosen], return_index=True)
    return sorted(chosen[first[codes >= 0]].tolist())
