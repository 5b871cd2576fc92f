"""How often a right solution has a higher reward than a wrong one to the same question.

Unlike the area under the ROC curve, which also compares solutions to different questions, this asks what a selection
from a pool asks, and how often an original beats its corruption.
"""

from dataclasses import dataclass

import numpy as np

from multirm.evaluation import jackknife


@dataclass(frozen=True)
class PairAccuracy:
    """Pairs of a right and a wrong solution to one question, both with a reward.

    Attributes:
        n_pairs: how many there are.
        value: the share in which the right one has the higher reward, ties counted as a half; None without pairs.
        interval: its 95 % interval over questions, which are sampled with all their pairs; None without pairs.
        rests_on_one_question: as in `OutcomeMetrics.on_one_question`.
    """

    n_pairs: int
    value: float | None
    interval: tuple[float, float] | None
    rests_on_one_question: bool


def pair_accuracy(ranks: np.ndarray, correct: np.ndarray, questions: np.ndarray) -> PairAccuracy:
    """The accuracy on all pairs, each of the same weight.

    Args:
        ranks: float64 [solutions], with the order of rewards; those that are missing are NaN, and left out.
        correct: bool [solutions].
        questions: the question of each solution, sortable values [solutions].
    """
    scored = ~np.isnan(ranks)
    _, owners = np.unique(questions[scored], return_inverse=True)
    n_pairs, wins = _of_questions(ranks[scored], correct[scored].astype(bool), owners)
    total = n_pairs.sum()
    if not total:
        return PairAccuracy(0, None, None, False)
    with_pairs = n_pairs > 0
    n_pairs, wins = n_pairs[with_pairs], wins[with_pairs]
    groups = jackknife.grouped(np.arange(len(n_pairs)))
    left, kept = total - np.bincount(groups, n_pairs), wins.sum() - np.bincount(groups, wins)
    without = np.divide(kept, left, out=np.full(len(left), np.nan), where=left > 0)
    value = float(wins.sum() / total)
    low, high, known = jackknife.interval(value, without, jackknife.effective_size(n_pairs))
    return PairAccuracy(int(total), value, (low, high), not known)


def _of_questions(
    ranks: np.ndarray, correct: np.ndarray, owners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The number of pairs of each question, and that of those that the right solution wins, float64 [questions].

    Args:
        owners: int [solutions], from 0 without gaps.
    """
    if not len(ranks):
        return np.zeros(0), np.zeros(0)
    order = np.lexsort((-ranks, owners))
    ranks, correct, owners = ranks[order], correct[order], owners[order]
    # Solutions to a question with equal rewards stand together, the highest reward first.
    starts = np.flatnonzero(np.r_[True, (np.diff(owners) > 0) | (np.diff(ranks) != 0)])
    right, wrong = (np.add.reduceat(own.astype(np.int64), starts) for own in (correct, ~correct))
    cell_owners = owners[starts]
    n_right, n_wrong = (np.bincount(cell_owners, own) for own in (right, wrong))
    above = right.cumsum() - right - (n_right.cumsum() - n_right)[cell_owners]
    return n_right * n_wrong, np.bincount(cell_owners, wrong * (above + right / 2))
