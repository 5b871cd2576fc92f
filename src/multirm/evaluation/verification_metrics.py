"""Rewards and outcome labels → how well rewards tell correct solutions from incorrect ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

THRESHOLD = 0.5
N_BINS = 10


@dataclass(frozen=True)
class ReliabilityBin:
    """The solutions whose reward is in [low, high), or in [low, 1] in the last bin.

    Attributes:
        count: how many there are.
        mean_reward: of these, from `low` to `high`; None where there are none.
        share_correct: of these, from 0 to 1; None where there are none.
    """

    low: float
    high: float
    count: int
    mean_reward: float | None
    share_correct: float | None


@dataclass(frozen=True)
class OutcomeMetrics:
    """Rewards as predictions of the outcome; "positive" is correct, and predicted so from 0.5 on.

    With TP, FP, FN and TN counting the solutions that have a reward. Everything is from 0 to 1,
    and None, never 0, where it is not defined. All but the counts and the two areas are None also
    where the rewards are no probabilities, and then `reliability` is empty.

    Attributes:
        n_scored: solutions with a reward; nothing else is about any other.
        n_missing: solutions without.
        n_correct: solutions with a reward that are correct.
        precision: TP / (TP + FP); None where none is predicted correct.
        recall: TP / (TP + FN); None where none is correct.
        specificity: TN / (TN + FP); None where none is incorrect.
        f1: 2 TP / (2 TP + FP + FN); None where none is correct or predicted so. It is 0 where some
            are and TP is 0, though precision or recall may be None there.
        roc_auc: see `ranking_areas`; None where all or none are correct.
        pr_auc: see `ranking_areas`; None where none is correct.
        brier: mean of (reward - outcome)² (Brier 1950, for the one event "correct"); less is better.
        ece: expected calibration error, Σ over bins of count / n_scored · |share_correct -
            mean_reward| (Guo et al. 2017, arXiv 1706.04599), over 10 bins of equal width.
        reliability: those bins, from 0 to 1, empty ones too.
    """

    n_scored: int
    n_missing: int
    n_correct: int
    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None
    roc_auc: float | None
    pr_auc: float | None
    brier: float | None
    ece: float | None
    reliability: Sequence[ReliabilityBin]


def outcome_metrics(
    rewards: np.ndarray, outcomes: np.ndarray, probabilities: bool = True
) -> OutcomeMetrics:
    """Measure one model's rewards against the outcomes of the same solutions.

    Args:
        rewards: float64 [solutions]; NaN where missing, and left out there.
        outcomes: bool or 0 and 1 [solutions], whether each is correct.
        probabilities: whether the rewards are on the scale of a probability, as
            `Aggregation.is_probability` says of an aggregation's. A reward below 0 or above 1
            shows that they are not.
    """
    scored = ~np.isnan(rewards)
    rewards, correct = rewards[scored], outcomes[scored].astype(bool)
    probabilities = probabilities and bool(((rewards >= 0) & (rewards <= 1)).all())
    predicted = rewards >= THRESHOLD
    tp, fp = int((predicted & correct).sum()), int((predicted & ~correct).sum())
    fn, tn = int((~predicted & correct).sum()), int((~predicted & ~correct).sum())
    roc_auc, pr_auc = ranking_areas(rewards, correct)
    bins = _reliability(rewards, correct) if probabilities else []
    return OutcomeMetrics(
        n_scored=len(rewards),
        n_missing=len(scored) - len(rewards),
        n_correct=tp + fn,
        precision=_ratio(tp, tp + fp) if probabilities else None,
        recall=_ratio(tp, tp + fn) if probabilities else None,
        specificity=_ratio(tn, tn + fp) if probabilities else None,
        f1=_ratio(2 * tp, 2 * tp + fp + fn) if probabilities else None,
        roc_auc=roc_auc,
        pr_auc=pr_auc,
        brier=brier(rewards, correct) if probabilities else None,
        ece=_calibration_error(bins),
        reliability=bins,
    )


def ranking_areas(rewards: np.ndarray, correct: np.ndarray) -> tuple[float | None, float | None]:
    """The areas under the ROC curve and under the precision-recall curve; both 0 to 1.

    ROC-AUC is the chance that a random correct one has a greater reward than a random incorrect
    one, a tie counting half (Mann-Whitney U over the number of pairs): 0.5 where all rewards are
    equal; None where all or none are correct.

    PR-AUC is average precision, Σ_k (R_k - R_(k-1)) · P_k over the distinct rewards k from the
    greatest on, where P_k and R_k are precision and recall if rewards of at least k predict correct:
    tied ones enter together, and nothing is interpolated (the step curve of Manning, Raghavan and
    Schütze, Introduction to Information Retrieval, 8.4). A random order has the share of correct
    ones. None where none is correct.

    Args:
        rewards: float64 [any number]; none missing.
        correct: bool, of the same length.
    """
    n_correct = int(correct.sum())
    if n_correct == 0:
        return None, None
    order = np.argsort(-rewards)
    descending = rewards[order]
    # Sums up to each last one of its equals: as many as there are distinct rewards.
    last = np.flatnonzero(np.r_[descending[1:] != descending[:-1], True])
    above = np.cumsum(correct[order])[last]
    gained = np.diff(above, prepend=0)
    average_precision = float((gained * (above / (last + 1))).sum() / n_correct)
    n_incorrect = len(rewards) - n_correct
    if n_incorrect == 0:
        return None, average_precision
    # Against each incorrect one, the correct ones above its group win, and those in it half. In
    # whole numbers, so that 0.5 is 0.5.
    incorrect = np.diff(last + 1 - above, prepend=0)
    won_twice = int((incorrect * (2 * above - gained)).sum())
    return won_twice / (2 * n_correct * n_incorrect), average_precision


def brier(rewards: np.ndarray, correct: np.ndarray) -> float | None:
    """Mean squared difference of reward and label, 0 to 1; None of nothing. None may be missing."""
    return float(np.square(rewards - correct).mean()) if len(rewards) else None


def _reliability(rewards: np.ndarray, correct: np.ndarray) -> list[ReliabilityBin]:
    edges = np.arange(N_BINS + 1) / N_BINS
    # Compared with the edges themselves: ten times a reward may be rounded onto the next one.
    bins = np.searchsorted(edges[1:-1], rewards, side="right")
    counts = np.bincount(bins, minlength=N_BINS)
    totals = np.bincount(bins, rewards, minlength=N_BINS)
    n_correct = np.bincount(bins, correct, minlength=N_BINS)
    return [
        ReliabilityBin(
            low=float(edges[k]),
            high=float(edges[k + 1]),
            count=int(counts[k]),
            mean_reward=_ratio(totals[k], counts[k]),
            share_correct=_ratio(n_correct[k], counts[k]),
        )
        for k in range(N_BINS)
    ]


def _calibration_error(bins: Sequence[ReliabilityBin]) -> float | None:
    gaps = [
        row.count * abs(row.share_correct - row.mean_reward)
        for row in bins
        if row.share_correct is not None and row.mean_reward is not None
    ]
    return _ratio(sum(gaps), sum(row.count for row in bins))


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
