"""How well step rewards separate correct from incorrect steps and find the first error, from step labels.

Lists of steps are concatenated, as in `aggregate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multirm.evaluation import jackknife
from multirm.evaluation.outcome_metrics import THRESHOLD, Bounds, share_interval, with_intervals
from multirm.tables.rewards import Scale


@dataclass(frozen=True)
class StepScores:
    """Rewards as predictions of step labels; positive means correct.

    Attributes:
        n_scored: steps with a reward; all other attributes except `n_missing` are about these.
        n_missing: steps without a reward.
        n_correct: scored steps that are correct.
        roc_auc: 0 to 1; None if all or none are correct.
        pr_auc: average precision, 0 to 1; None if none is correct.
        brier: mean of (reward - label)², 0 to 1; None if no step has a reward.
        intervals, on_one_question: as in `OutcomeMetrics`.
    """

    n_scored: int
    n_missing: int
    n_correct: int
    roc_auc: float | None
    pr_auc: float | None
    brier: float | None
    intervals: Bounds
    on_one_question: Sequence[str]


@dataclass(frozen=True)
class ProcessBench:
    """ProcessBench's measure of finding the first error (Zheng et al. 2024, arXiv 2412.06559).

    The prediction is the first step whose reward is below the threshold, or no error. The threshold is 0.5 for every
    model and dataset. ProcessBench tunes the threshold of each model on its GSM8K subset, so the numbers in its paper
    are not exactly comparable.

    Attributes:
        n_erroneous: judged solutions with an incorrect step.
        n_correct: judged solutions without one.
        n_missing: solutions left out, because a step up to the predicted one has no reward, or because there are
            no steps.
        accuracy_erroneous: fraction of erroneous solutions whose first error is predicted; None if there are none.
        accuracy_correct: fraction of correct solutions for which no error is predicted; None if there are none.
        f1: harmonic mean of the two, 0 if either is 0; None if either is None.
        intervals, on_one_question: as in `OutcomeMetrics`.
    """

    n_erroneous: int
    n_correct: int
    n_missing: int
    accuracy_erroneous: float | None
    accuracy_correct: float | None
    f1: float | None
    intervals: Bounds
    on_one_question: Sequence[str]


@dataclass(frozen=True)
class StepMetrics:
    """How well step rewards agree with step labels.

    Attributes:
        to_first_error: over the steps up to and including the first incorrect one, which process reward models are
            trained on.
        all_steps: over all steps; those after the first incorrect one count as incorrect.
        process_bench: whether the first incorrect step is found.
    """

    to_first_error: StepScores
    all_steps: StepScores
    process_bench: ProcessBench


@dataclass(frozen=True)
class LabelledSteps:
    """Step rewards of labelled solutions.

    Attributes:
        rewards: float64 [total], one per step; NaN if missing.
        labels: 0 and 1 [total].
        offsets: the start of each solution's steps, from 0, and the end of the last one's, int [solutions + 1].
        questions: the question of each solution, int [solutions], from 0. Those of labelled solutions that have no
            fitting rewards are counted, too, so that they are the same for all models.
    """

    rewards: np.ndarray
    labels: np.ndarray
    offsets: np.ndarray
    questions: np.ndarray

    @property
    def first_error(self) -> np.ndarray:
        """The 0-based index of each solution's first incorrect step, its length if there is none."""
        return _first(self.labels == 0, self.offsets)


def step_metrics(
    rewards: np.ndarray,
    labels: np.ndarray,
    offsets: np.ndarray,
    questions: np.ndarray,
    scale: Scale = Scale.PROBABILITY,
) -> StepMetrics:
    """Measure one model's step rewards against the labels of the same steps.

    Scores have neither a Brier score nor a threshold for incorrect steps, so these measures are then None.

    Args:
        rewards: float64 [total], one per step; NaN if missing.
        labels: bool or 0 and 1 [total]. Labels after a solution's first 0 count as 0 (`labels.after_first_error`).
        offsets: the start of each solution's steps, and the end of the last one's, int [solutions + 1].
        questions: the question of each solution, sortable values [solutions].
        scale: what kind of number a reward is; probabilities are from 0 to 1.
    """
    _, questions = np.unique(questions, return_inverse=True)
    rewards, labels = rewards[offsets[0] : offsets[-1]], labels[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    first_error = _first(labels == 0, offsets)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    places = np.arange(len(rewards)) - offsets[:-1][owners]
    correct = places < first_error[owners]
    reached = places <= first_error[owners]
    return StepMetrics(
        to_first_error=_scores(
            rewards[reached], correct[reached], questions[owners[reached]], scale
        ),
        all_steps=_scores(rewards, correct, questions[owners], scale),
        process_bench=_process_bench(rewards, offsets, first_error, questions, scale),
    )


def _first(flags: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The 0-based index of each list's first flag; the list's length if it has none."""
    flagged = np.append(np.flatnonzero(flags), len(flags))
    following = flagged[np.searchsorted(flagged, offsets[:-1])]
    return np.asarray(np.minimum(following, offsets[1:]) - offsets[:-1])


def _scores(
    rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray, scale: Scale
) -> StepScores:
    scored = ~np.isnan(rewards)
    n_missing = len(scored) - int(scored.sum())
    rewards, correct = rewards[scored], correct[scored]
    _, questions = np.unique(questions[scored], return_inverse=True)
    names = ("roc_auc", "pr_auc") + ("brier",) * (scale is Scale.PROBABILITY)
    found, bounds, alone = with_intervals(rewards, rewards, correct, questions, names)
    return StepScores(
        n_scored=len(rewards),
        n_missing=n_missing,
        n_correct=int(correct.sum()),
        **{name: found.get(name) for name in ("roc_auc", "pr_auc", "brier")},
        intervals=bounds,
        on_one_question=alone,
    )


def _process_bench(
    rewards: np.ndarray,
    offsets: np.ndarray,
    first_error: np.ndarray,
    questions: np.ndarray,
    scale: Scale,
) -> ProcessBench:
    lengths = np.diff(offsets)
    if scale is Scale.SCORE:
        erroneous = int((first_error < lengths).sum())
        return ProcessBench(erroneous, len(lengths) - erroneous, 0, None, None, None, {}, [])
    found, judged = judged_at(rewards, offsets, first_error, THRESHOLD)
    found = found[judged]
    erroneous = (first_error < lengths)[judged]
    _, questions = np.unique(questions[judged], return_inverse=True)
    accuracies = [_share(found, among) for among in (erroneous, ~erroneous)]
    f1 = _harmonic_mean(*accuracies)
    bounds: dict[str, tuple[float, float]] = {}
    alone = []
    for name, among in (("accuracy_erroneous", erroneous), ("accuracy_correct", ~erroneous)):
        low, high = share_interval(found[among], questions[among])
        if low is not None and high is not None:
            bounds[name] = low, high
            if len(np.unique(questions[among])) == 1:
                alone.append(name)
    if f1 is not None:
        low, high, known = _interval_of_f1(f1, found, erroneous, questions)
        bounds["f1"] = low, high
        if not known:
            alone.append("f1")
    return ProcessBench(
        n_erroneous=int(erroneous.sum()),
        n_correct=int((~erroneous).sum()),
        n_missing=len(judged) - int(judged.sum()),
        accuracy_erroneous=accuracies[0],
        accuracy_correct=accuracies[1],
        f1=f1,
        intervals=bounds,
        on_one_question=alone,
    )


def judged_at(
    rewards: np.ndarray, offsets: np.ndarray, first_error: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Whether the prediction at a threshold is the first error, and which solutions can be judged, bool [solutions].

    A solution cannot be judged without steps, or if a reward is missing up to the predicted step.

    Args:
        first_error: the 0-based index of each solution's first incorrect step, its length if there is none.
    """
    lengths = np.diff(offsets)
    predicted = _first(rewards < threshold, offsets)
    missing = _first(np.isnan(rewards), offsets)
    judged = ((missing > predicted) | (missing == lengths)) & (lengths > 0)
    # Without an error, both are the length of the list.
    return predicted == first_error, judged


def _interval_of_f1(
    f1: float, found: np.ndarray, erroneous: np.ndarray, questions: np.ndarray
) -> tuple[float, float, bool]:
    """The result of `jackknife.interval`."""

    def measure(counts: np.ndarray) -> dict[str, np.ndarray]:
        lost, kept, missed, hit = np.moveaxis(counts, -1, 0)
        with np.errstate(invalid="ignore"):
            shares = kept / (kept + lost), hit / (hit + missed)
            mean = 2 * shares[0] * shares[1] / (shares[0] + shares[1])
        return {"f1": np.where(shares[0] + shares[1] == 0, 0.0, mean)}

    items = 2 * erroneous + found
    without = jackknife.without_each(measure, items, jackknife.grouped(questions), 4)
    size = min(
        jackknife.effective_size(np.bincount(questions, among)) for among in (erroneous, ~erroneous)
    )
    return jackknife.interval(f1, without["f1"], size)


def _share(flags: np.ndarray, among: np.ndarray) -> float | None:
    return float(flags[among].mean()) if among.any() else None


def _harmonic_mean(a: float | None, b: float | None) -> float | None:
    if a is None or b is None:
        return None
    return 2 * a * b / (a + b) if a + b else 0.0
