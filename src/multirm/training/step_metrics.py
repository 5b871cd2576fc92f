"""How well predicted probabilities separate correct from incorrect steps: pure functions of arrays."""

import math

import numpy as np


def step_metrics(log_odds: np.ndarray, values: np.ndarray) -> dict[str, float | int | None]:
    """The validation measures of some steps; positive means correct, and is predicted from a probability of 0.5 on.

    All but the loss and the counts are from 0 to 1, and None, never 0, if undefined: a quotient of 0 and 0.

    Args:
        log_odds: float64 [steps], log(p / (1 - p)) of the probability p that a step is correct.
        values: float64 [steps], the targets from 0 to 1. From 0.5 on, a step counts as correct.

    Returns:
        n, n_positive: number of steps, and of correct ones.
        loss: mean cross-entropy against `values`, in nats.
        accuracy: (TP + TN) / n.
        precision, recall, f1: TP / (TP + FP), TP / (TP + FN) and 2 TP / (2 TP + FP + FN).
        npv, specificity, f1_negative: the same of the incorrect steps: TN / (TN + FN), TN / (TN + FP) and
            2 TN / (2 TN + FP + FN).
        roc_auc: as `roc_auc`.
    """
    correct, predicted = values >= 0.5, log_odds >= 0
    tp, tn = int((correct & predicted).sum()), int((~correct & ~predicted).sum())
    fp, fn = int((~correct & predicted).sum()), int((correct & ~predicted).sum())
    losses = values * np.logaddexp(0, -log_odds) + (1 - values) * np.logaddexp(0, log_odds)
    return {
        "n": len(values),
        "n_positive": tp + fn,
        "loss": math.fsum(losses) / len(values) if len(values) else None,
        "accuracy": _ratio(tp + tn, len(values)),
        "precision": _ratio(tp, tp + fp),
        "recall": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "f1_negative": _ratio(2 * tn, 2 * tn + fp + fn),
        "roc_auc": roc_auc(log_odds, correct),
    }


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """The probability that a positive has a higher score than a negative, ties counted as a half.

    It is the Mann-Whitney statistic, from midranks. None without positives or without negatives.

    Args:
        scores: float [items]; only their order matters.
        positive: bool [items].
    """
    n_positive = int(positive.sum())
    pairs = n_positive * (len(positive) - n_positive)
    if not pairs:
        return None
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    # The mean rank, from 1, of each group of equal scores.
    midranks = np.cumsum(sizes) - (sizes - 1) / 2
    above = math.fsum(midranks[group][positive]) - n_positive * (n_positive + 1) / 2
    return above / pairs


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
