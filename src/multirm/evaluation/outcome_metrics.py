"""Rewards and outcome labels → how well rewards tell correct solutions from incorrect ones, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import intervals, jackknife

THRESHOLD = 0.5
N_BINS = 10

# Measures of the order of the rewards alone, whatever their scale.
RANKING = ("roc_auc", "pr_auc")

Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class ReliabilityBin:
    """The solutions whose reward is in [low, high), or in [low, 1] in the last bin.

    Attributes:
        count: how many there are.
        mean_reward: of these, from `low` to `high`; None where there are none.
        share_correct: of these, from 0 to 1; None where there are none.
        share_low, share_high: its 95 % interval over questions.
    """

    low: float
    high: float
    count: int
    mean_reward: float | None
    share_correct: float | None
    share_low: float | None
    share_high: float | None


@dataclass(frozen=True)
class OutcomeMetrics:
    """Rewards as predictions of the outcome; "positive" is correct, and predicted so from 0.5 on.

    With TP, FP, FN and TN counting the solutions that have a reward. Everything is from 0 to 1,
    and None, never 0, where it is not defined. All but the counts and the two areas are None also
    where the rewards are no probabilities, and then `reliability` is empty.

    Attributes:
        n_questions: questions with a solution that has a reward.
        n_scored: solutions with a reward; nothing else is about any other.
        n_missing: solutions without.
        n_correct: solutions with a reward that are correct.
        precision: TP / (TP + FP); None where none is predicted correct.
        recall: TP / (TP + FN); None where none is correct.
        specificity: TN / (TN + FP); None where none is incorrect.
        f1: 2 TP / (2 TP + FP + FN); None where none is correct or predicted so. It is 0 where some
            are and TP is 0, though precision or recall may be None there.
        roc_auc, pr_auc: see `measures_of`; None where all or none are correct, pr_auc where none is.
        brier: mean of (reward - outcome)² (Brier 1950, for the one event "correct"); less is better.
        ece: expected calibration error, Σ over bins of count / n_scored · |share_correct -
            mean_reward| (Guo et al. 2017, arXiv 1706.04599), over 10 bins of equal width. It is too
            large, the more the fewer questions there are, since also chance makes gaps.
        ece_null: what `ece` would be on the average if rewards were calibrated perfectly and gaps
            were chance alone.
        ece_debiased: Σ over bins of √(gap² - its variance), 0 where that is negative: about what
            `ece` would be with endless questions. For perfect calibration it is half of `ece_null`.
        intervals: 95 % intervals over questions of the measures that are there. The one of `ece` is
            of what it would be with endless questions; it starts where all that could be chance is.
        on_one_question: the measures whose interval rests on the bound of their variance alone, as
            they are not defined without one of the questions.
        reliability: those bins, from 0 to 1, empty ones too.
    """

    n_questions: int
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
    ece_null: float | None
    ece_debiased: float | None
    intervals: Bounds
    on_one_question: Sequence[str]
    reliability: Sequence[ReliabilityBin]


def outcome_metrics(
    rewards: np.ndarray,
    outcomes: np.ndarray,
    questions: np.ndarray,
    probabilities: bool = True,
    ranks: np.ndarray | None = None,
) -> OutcomeMetrics:
    """Measure one model's rewards against the outcomes of the same solutions.

    Args:
        rewards: float64 [solutions]; NaN where missing, and left out there.
        outcomes: bool or 0 and 1 [solutions], whether each is correct.
        questions: which question each is a solution to: anything that can be sorted [solutions].
        probabilities: whether the rewards are probabilities: then they are from 0 to 1.
        ranks: float64 [solutions], what orders them like the rewards but without underflow; the
            rewards unless given.
    """
    scored = ~np.isnan(rewards)
    rewards, correct = rewards[scored], outcomes[scored].astype(bool)
    ranks = rewards if ranks is None else ranks[scored]
    _, questions = np.unique(questions[scored], return_inverse=True)
    found, bounds, alone = with_intervals(
        rewards, ranks, correct, questions, None if probabilities else RANKING
    )
    calibration: dict[str, float | None] = dict.fromkeys(("ece", "ece_null", "ece_debiased"))
    bins: list[ReliabilityBin] = []
    if probabilities:
        bins = _reliability(rewards, correct, questions)
        if len(rewards):
            calibration |= calibration_error(rewards, correct, questions)
            bounds["ece"] = _interval_of_ece(calibration, rewards, correct, questions)
    return OutcomeMetrics(
        n_questions=int(questions.max(initial=-1)) + 1,
        n_scored=len(rewards),
        n_missing=len(scored) - len(rewards),
        n_correct=int(correct.sum()),
        **{name: found.get(name) for name in MEASURES},
        **calibration,
        intervals=bounds,
        on_one_question=alone,
        reliability=bins,
    )


MEASURES = ("precision", "recall", "specificity", "f1", "roc_auc", "pr_auc", "brier")


def with_intervals(
    rewards: np.ndarray,
    ranks: np.ndarray,
    correct: np.ndarray,
    questions: np.ndarray,
    names: Sequence[str] | None = None,
) -> tuple[dict[str, float], dict[str, tuple[float, float]], list[str]]:
    """The measures that are defined, their 95 % intervals over questions, and which rest on one question.

    Args:
        rewards, ranks: float64 [items]; none missing.
        correct: bool [items].
        questions: int [items], from 0, every one of them there.
        names: of the measures to take; all of them unless given.
    """
    if not len(rewards):
        return {}, {}, []
    _, first, places = np.unique(-ranks, return_index=True, return_inverse=True)
    distinct = rewards[first]

    def measure(counts: np.ndarray) -> dict[str, np.ndarray]:
        wrong, right = counts[..., : len(distinct)], counts[..., len(distinct) :]
        every = measures_of(distinct, right, wrong)
        return {name: every[name] for name in names or MEASURES}

    items = places + len(distinct) * correct
    size = 2 * len(distinct)
    whole = measure(np.bincount(items, minlength=size).astype(np.float64))
    without = jackknife.without_each(measure, items, jackknife.grouped(questions), size)
    sizes = _sizes(rewards, correct, questions)
    found, bounds, alone = {}, {}, []
    for name, value in whole.items():
        if np.isnan(value):
            continue
        found[name] = float(value)
        low, high, known = jackknife.interval(found[name], without[name], sizes[name])
        bounds[name] = low, high
        if not known:
            alone.append(name)
    return found, bounds, alone


def measures_of(rewards: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> dict[str, np.ndarray]:
    """Measures of how rewards tell the correct from the incorrect, from how many there are of each reward.

    ROC-AUC is the chance that a random correct one has a greater reward than a random incorrect
    one, a tie counting half (Mann-Whitney U over the number of pairs): 0.5 where all rewards are
    equal; not defined where all or none are correct.

    PR-AUC is average precision, Σ_k (R_k - R_(k-1)) · P_k over the distinct rewards k from the
    greatest on, where P_k and R_k are precision and recall if rewards of at least k predict correct:
    tied ones enter together, and nothing is interpolated (the step curve of Manning, Raghavan and
    Schütze, Introduction to Information Retrieval, 8.4). A random order has the share of correct
    ones. Not defined where none is correct.

    Args:
        rewards: float64 [rewards], from the greatest to the least.
        right, wrong: float64 [..., rewards], whole numbers.

    Returns:
        float64 [...] for each of `MEASURES`, from 0 to 1; NaN where it is not defined.
    """
    every = right + wrong
    n_right, n_wrong = right.sum(axis=-1), wrong.sum(axis=-1)
    predicted = rewards >= THRESHOLD
    tp, fp = right[..., predicted].sum(axis=-1), wrong[..., predicted].sum(axis=-1)
    above = right.cumsum(axis=-1)
    # Against each incorrect one, the correct ones above it win, and those that are tied with it
    # half. In whole numbers, so that 0.5 is 0.5.
    won_twice = (wrong * (2 * above - right)).sum(axis=-1)
    gained = right * above / np.maximum(every.cumsum(axis=-1), 1)
    squares = right @ np.square(rewards - 1) + wrong @ np.square(rewards)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "precision": tp / (tp + fp),
            "recall": tp / n_right,
            "specificity": (n_wrong - fp) / n_wrong,
            "f1": 2 * tp / (tp + fp + n_right),
            "roc_auc": won_twice / (2 * n_right * n_wrong),
            "pr_auc": gained.sum(axis=-1) / n_right,
            "brier": squares / (n_right + n_wrong),
        }


def calibration_error(
    rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray
) -> dict[str, float]:
    """`ece`, `ece_null` and `ece_debiased` of `OutcomeMetrics`, of at least one solution.

    A bin's gap is a sum over questions, so its variance is known from what each question adds to it;
    from one question it is as large as the gap can be of one.
    """
    gaps = _gaps(rewards, correct, questions)
    gap = gaps.sum(axis=0)
    n_questions = len(gaps)
    spread = np.square(gaps - gap / n_questions).sum(axis=0) * n_questions / max(n_questions - 1, 1)
    variance = spread if n_questions > 1 else np.square(gap)
    return {
        "ece": float(np.abs(gap).sum()),
        # The mean of |x| where x is normal with this variance.
        "ece_null": float(np.sqrt(2 * variance / np.pi).sum()),
        "ece_debiased": float(np.sqrt(np.maximum(np.square(gap) - variance, 0)).sum()),
    }


def _interval_of_ece(
    found: Mapping[str, float | None],
    rewards: np.ndarray,
    correct: np.ndarray,
    questions: np.ndarray,
) -> tuple[float, float]:
    """From what is left if all that can be chance is taken off `ece`, to where nothing is chance.

    `ece_debiased` takes off too much where calibration is off, and so is no place to reach up from.
    """
    ece, null = (found[name] or 0.0 for name in ("ece", "ece_null"))
    groups = jackknife.grouped(questions)
    gaps = _gaps(rewards, correct, groups)
    counts = np.bincount(groups)
    left = len(rewards) - counts
    if not left.all():
        return 0.0, 1.0
    without = np.abs(gaps.sum(axis=0) - gaps).sum(axis=1) * len(rewards) / left
    error = np.sqrt(jackknife.variance(without))
    half = float(intervals.student(len(without) - 1) * error)
    return max(0.0, ece - null - half), min(1.0, ece + half)


def _gaps(rewards: np.ndarray, correct: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """What each owner adds to each bin's share correct less its mean reward, float64 [owners, bins]."""
    places = owners * N_BINS + _bins(rewards)
    size = (int(owners.max()) + 1) * N_BINS
    gaps = np.bincount(places, (correct - rewards) / len(rewards), minlength=size)
    return gaps.reshape(-1, N_BINS)


def _sizes(rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray) -> dict[str, float]:
    """How many questions of equal weight each measure is from."""
    predicted = rewards >= THRESHOLD

    def size(weights: np.ndarray) -> float:
        return jackknife.effective_size(np.bincount(questions, weights))

    right, wrong = size(correct), size(~correct)
    both = min(right, wrong) if wrong else right
    return {
        "precision": size(predicted),
        "recall": right,
        "specificity": wrong,
        "f1": size(predicted.astype(np.float64) + correct),
        # No more than with so many independent ones of the rarer kind (Birnbaum & Klose 1957).
        "roc_auc": both,
        "pr_auc": both,
        "brier": size(np.ones(len(rewards))),
    }


def _bins(rewards: np.ndarray) -> np.ndarray:
    # Compared with the edges themselves: ten times a reward may be rounded onto the next one.
    edges = np.arange(N_BINS + 1) / N_BINS
    return np.searchsorted(edges[1:-1], rewards, side="right")


def _reliability(
    rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray
) -> list[ReliabilityBin]:
    bins = _bins(rewards)
    counts = np.bincount(bins, minlength=N_BINS)
    totals = np.bincount(bins, rewards, minlength=N_BINS)
    n_correct = np.bincount(bins, correct, minlength=N_BINS)
    found = []
    for k in range(N_BINS):
        inside = bins == k
        low, high = share_interval(correct[inside], questions[inside])
        found.append(
            ReliabilityBin(
                low=k / N_BINS,
                high=(k + 1) / N_BINS,
                count=int(counts[k]),
                mean_reward=_ratio(totals[k], counts[k]),
                share_correct=_ratio(n_correct[k], counts[k]),
                share_low=low,
                share_high=high,
            )
        )
    return found


def share_interval(
    correct: np.ndarray, questions: np.ndarray
) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval over questions of the share that are correct; None of nothing.

    Args:
        correct: bool [items].
        questions: [items], which question each belongs to.
    """
    if not len(correct):
        return None, None
    _, questions = np.unique(questions, return_inverse=True)
    counts, right = np.bincount(questions), np.bincount(questions, correct)
    value = right.sum() / counts.sum()
    n_questions = len(counts)
    # Linearized: how much more than its part each question has.
    extra = np.square(right - value * counts).sum() / counts.sum() ** 2
    variance = extra * n_questions / (n_questions - 1) if n_questions > 1 else np.nan
    size = jackknife.effective_size(counts)
    df = np.array([max(n_questions - 1, 1)])
    low, high = intervals.of_share(np.array([value]), np.array([variance]), df, size, least=size)
    return float(low[0]), float(high[0])


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
