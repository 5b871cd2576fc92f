"""How well rewards separate correct from incorrect solutions, with intervals, from rewards and outcome labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import intervals, jackknife

THRESHOLD = 0.5
N_BINS = 10

# Measures that depend only on the order of rewards, so they apply to any scale.
RANKING = ("roc_auc", "pr_auc")

Bounds = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class ReliabilityBin:
    """The solutions whose reward is in [reward_low, reward_high), or in [reward_low, 1] in the last bin.

    Attributes:
        count: number of solutions.
        mean_reward: their mean reward, from `reward_low` to `reward_high`; None if there are none.
        share_correct: the fraction of correct ones, from 0 to 1; None if there are none.
        share_correct_low, share_correct_high: its 95 % interval over questions.
    """

    reward_low: float
    reward_high: float
    count: int
    mean_reward: float | None
    share_correct: float | None
    share_correct_low: float | None
    share_correct_high: float | None


@dataclass(frozen=True)
class OutcomeMetrics:
    """Rewards as predictions of the outcome; positive means correct, and is predicted from 0.5 on.

    TP, FP, FN and TN count solutions with a reward. All measures are from 0 to 1, and None, never 0, if undefined. All
    except the counts and the two areas are also None if rewards are not probabilities; `reliability` is then empty.

    Attributes:
        n_questions: questions with a scored solution.
        n_scored: solutions with a reward; all other attributes except `n_missing` are about these.
        n_missing: solutions without a reward.
        n_correct: scored solutions that are correct.
        precision: TP / (TP + FP); None if none is predicted correct.
        recall: TP / (TP + FN); None if none is correct.
        specificity: TN / (TN + FP); None if none is incorrect.
        f1: 2 TP / (2 TP + FP + FN); None if none is correct or predicted correct. It is 0 if some are and TP is 0,
            even if precision or recall is None.
        roc_auc, pr_auc: see `measures_of`; roc_auc is None if all or none are correct, pr_auc if none is.
        brier: mean of (reward - outcome)² (Brier 1950, for the single event "correct"); lower is better.
        ece: expected calibration error, Σ over bins of count / n_scored · |share_correct - mean_reward| (Guo et al.
            2017, arXiv 1706.04599), with 10 bins of equal width. Biased upwards, the more the fewer questions there
            are, since chance also causes gaps.
        ece_null: the expectation of `ece` if rewards were perfectly calibrated, so that gaps were due to chance.
        ece_debiased: Σ over bins of √(gap² - its variance), with 0 for negative differences: approximately `ece`
            with infinitely many questions. For perfect calibration, it is 0.43 of `ece_null`.
        intervals: 95 % intervals over questions of the defined measures. The interval of `ece` is for its value with
            infinitely many questions; its lower end assumes the largest possible contribution of chance.
        on_one_question: the measures whose interval rests only on the bound of their variance, because they are
            undefined without one of the questions.
        reliability: the bins, from 0 to 1, including empty ones.
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
        rewards: float64 [solutions]; missing ones are NaN, and left out.
        outcomes: bool or 0 and 1 [solutions], whether each is correct.
        questions: the question of each solution, sortable values [solutions].
        probabilities: whether the rewards are probabilities, from 0 to 1.
        ranks: float64 [solutions], with the order of rewards but without underflow; by default the rewards.
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
        bins = reliability(rewards, correct, questions)
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
    """The defined measures, their 95 % intervals over questions, and those that rest on one question.

    Args:
        rewards, ranks: float64 [items]; none missing.
        correct: bool [items].
        questions: int [items], from 0 without gaps.
        names: the measures to compute; by default all.
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
    """Measures of how rewards separate correct from incorrect items, from counts per distinct reward.

    ROC-AUC is the probability that a random correct item has a higher reward than a random incorrect one, ties counted
    as a half (Mann-Whitney U divided by the number of pairs): 0.5 if all rewards are equal; undefined if all or none
    are correct.

    PR-AUC is average precision, Σ_k (R_k - R_(k-1)) · P_k over the distinct rewards k in decreasing order, where P_k
    and R_k are precision and recall if rewards of at least k predict correct: ties enter together, without
    interpolation (the step curve of Manning, Raghavan and Schütze, Introduction to Information Retrieval, 8.4). A
    random order gives the fraction of correct items. Undefined if none is correct.

    Args:
        rewards: float64 [rewards], in decreasing order.
        right, wrong: float64 [..., rewards], the numbers of correct and incorrect items, whole numbers.

    Returns:
        float64 [...] for each of `MEASURES`, from 0 to 1; NaN if undefined.
    """
    every = right + wrong
    n_right, n_wrong = right.sum(axis=-1), wrong.sum(axis=-1)
    predicted = rewards >= THRESHOLD
    tp, fp = right[..., predicted].sum(axis=-1), wrong[..., predicted].sum(axis=-1)
    above = right.cumsum(axis=-1)
    # For each incorrect item, correct items above it win, and tied ones count as a half; in whole numbers, to be exact.
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
    """`ece`, `ece_null` and `ece_debiased` of `OutcomeMetrics`, for at least one solution.

    A bin's gap is a sum over questions, so its variance is estimated from the contributions of questions; with a
    single question, it is the squared gap.
    """
    gaps = _gaps(rewards, correct, questions)
    gap = gaps.sum(axis=0)
    n_questions = len(gaps)
    spread = np.square(gaps - gap / n_questions).sum(axis=0) * n_questions / max(n_questions - 1, 1)
    variance = spread if n_questions > 1 else np.square(gap)
    return {
        "ece": float(np.abs(gap).sum()),
        # The expectation of |x| for normal x with this variance.
        "ece_null": float(np.sqrt(2 * variance / np.pi).sum()),
        "ece_debiased": float(np.sqrt(np.maximum(np.square(gap) - variance, 0)).sum()),
    }


def _interval_of_ece(
    found: Mapping[str, float | None],
    rewards: np.ndarray,
    correct: np.ndarray,
    questions: np.ndarray,
) -> tuple[float, float]:
    """From `ece` minus the largest possible contribution of chance, to `ece` without any, plus the margins of error.

    `ece_debiased` subtracts too much for badly calibrated rewards, so the upper end does not start from it.
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
    """Each owner's contribution to each bin's fraction correct minus mean reward, float64 [owners, bins]."""
    places = owners * N_BINS + _bins(rewards)
    size = (int(owners.max()) + 1) * N_BINS
    gaps = np.bincount(places, (correct - rewards) / len(rewards), minlength=size)
    return gaps.reshape(-1, N_BINS)


def _sizes(rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray) -> dict[str, float]:
    """The equivalent number of equally weighted questions behind each measure."""
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
        # At most the number of independent items of the rarer kind (Birnbaum & Klose 1957).
        "roc_auc": both,
        "pr_auc": both,
        "brier": size(np.ones(len(rewards))),
    }


def _bins(rewards: np.ndarray) -> np.ndarray:
    # Compared with the edges themselves, because ten times a reward may be rounded up to the next edge.
    edges = np.arange(N_BINS + 1) / N_BINS
    return np.searchsorted(edges[1:-1], rewards, side="right")


def reliability(
    rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray
) -> list[ReliabilityBin]:
    """The bins of equal width from 0 to 1, empty ones too.

    Args:
        rewards: float64 [solutions], from 0 to 1; none missing.
        correct: bool [solutions].
        questions: the question of each solution [solutions].
    """
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
                reward_low=k / N_BINS,
                reward_high=(k + 1) / N_BINS,
                count=int(counts[k]),
                mean_reward=_ratio(totals[k], counts[k]),
                share_correct=_ratio(n_correct[k], counts[k]),
                share_correct_low=low,
                share_correct_high=high,
            )
        )
    return found


def share_interval(
    correct: np.ndarray, questions: np.ndarray
) -> tuple[float, float] | tuple[None, None]:
    """The 95 % interval over questions of the fraction of correct items; None without items.

    Args:
        correct: bool [items].
        questions: [items], the question that each belongs to.
    """
    if not len(correct):
        return None, None
    _, questions = np.unique(questions, return_inverse=True)
    counts, right = np.bincount(questions), np.bincount(questions, correct)
    value = right.sum() / counts.sum()
    n_questions = len(counts)
    # Linearized: each question's deviation from its expected number of correct items.
    extra = np.square(right - value * counts).sum() / counts.sum() ** 2
    variance = extra * n_questions / (n_questions - 1) if n_questions > 1 else np.nan
    size = jackknife.effective_size(counts)
    df = np.array([max(n_questions - 1, 1)])
    low, high = intervals.of_share(np.array([value]), np.array([variance]), df, size, least=size)
    return float(low[0]), float(high[0])


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole else None
