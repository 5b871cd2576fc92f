"""How F1 depends on the threshold from which a reward counts as a verdict of correct."""

from collections.abc import Mapping

import numpy as np

from multirm.evaluation import jackknife
from multirm.evaluation.estimates import Estimate
from multirm.evaluation.methods import Scorer
from multirm.evaluation.outcome_metrics import THRESHOLD
from multirm.evaluation.pools import Category
from multirm.evaluation.step_metrics import LabelledSteps, judged_at
from multirm.reward_models.aggregate import aggregate_lists
from multirm.tables.rewards import Scale

THRESHOLDS = np.arange(1, 20) / 20
"""0.05, 0.10, … 0.95."""

USUAL = int(np.flatnonzero(THRESHOLDS == THRESHOLD)[0])
"""The place of 0.5 among them."""

OUTCOME_MEASURES = ("precision", "recall", "f1")
STEP_MEASURES = ("accuracy_erroneous", "accuracy_correct", "f1")


def outcome_estimate(category: Category, scorer: Scorer) -> Estimate | None:
    """Precision, recall and F1 of a scorer's rewards of a category at each threshold; None if there are none.

    As in `outcome_metrics`, a solution is predicted correct if its reward is at least the threshold.

    Returns:
        columns for each of `OUTCOME_MEASURES` at each of `THRESHOLDS`; None for scores, which no threshold fits.
    """
    is_probability = category.types[scorer.model].scale is Scale.PROBABILITY
    if not (is_probability and scorer.aggregation.is_probability and category.judged.any()):
        return None
    rewards = aggregate_lists(category.lists[scorer.model], scorer.aggregation)[category.judged]
    _, questions = np.unique(
        category.question_ids.astype(str)[category.judged], return_inverse=True
    )
    return of_rewards(rewards, category.correct[category.judged], questions)


def of_rewards(rewards: np.ndarray, correct: np.ndarray, questions: np.ndarray) -> Estimate:
    """`outcome_estimate` of arrays.

    Args:
        rewards: float64 [solutions]; NaN if missing.
        correct: bool [solutions].
        questions: int [solutions], from 0, all of them present.
    """
    scored = ~np.isnan(rewards)
    n_questions = int(questions.max()) + 1
    places = np.searchsorted(THRESHOLDS, rewards[scored], side="right")
    cells = (questions[scored] * (len(THRESHOLDS) + 1) + places) * 2 + correct[scored]
    size = n_questions * (len(THRESHOLDS) + 1) * 2
    counts = np.bincount(cells, minlength=size).reshape(n_questions, -1, 2)
    # From the k-th threshold on: rewards in a place after k.
    above = counts[:, ::-1].cumsum(axis=1)[:, -2::-1].astype(np.float64)
    fp, tp = above[..., 0], above[..., 1]
    right, every = (
        np.broadcast_to(own[:, None], tp.shape)
        for own in (counts[..., 1].sum(axis=1), counts.sum(axis=(1, 2)))
    )
    groups = _in_groups(np.stack([tp, fp, right, every]))
    weights = (tp + fp, right, tp + fp + right)
    n = {
        "n_questions": len(np.unique(questions[scored])),
        "n_scored": int(scored.sum()),
        "n_missing": int((~scored).sum()),
        "n_correct": int(correct[scored].sum()),
    }
    return Estimate(
        _outcome_measures(groups.sum(axis=1)),
        _outcome_measures(groups.sum(axis=1, keepdims=True) - groups),
        np.tile(groups[3] > 0, 3),
        np.concatenate([_sizes(each) for each in weights]),
        {name: np.full(3 * len(THRESHOLDS), count) for name, count in n.items()},
    )


def step_estimate(steps: LabelledSteps) -> Estimate:
    """ProcessBench's measures of step rewards at each threshold (see `step_metrics.ProcessBench`).

    Returns:
        columns for each of `STEP_MEASURES` at each of `THRESHOLDS`.
    """
    n_questions = int(steps.questions.max(initial=-1)) + 1
    erroneous = steps.first_error < np.diff(steps.offsets)
    states = []
    for threshold in THRESHOLDS:
        found, judged = judged_at(steps.rewards, steps.offsets, steps.first_error, threshold)
        cells = (steps.questions * 4 + 2 * erroneous + found)[judged]
        states.append(np.bincount(cells, minlength=4 * n_questions).reshape(n_questions, 4))
    # States, questions, thresholds.
    parts = np.stack(states, axis=-1).transpose(1, 0, 2).astype(np.float64)
    groups = _in_groups(parts)
    right, wrong = parts[0] + parts[1], parts[2] + parts[3]
    sizes = _sizes(wrong), _sizes(right)
    n = {
        "n_erroneous": wrong.sum(axis=0),
        "n_correct": right.sum(axis=0),
        "n_missing": len(erroneous) - parts.sum(axis=(0, 1)),
    }
    return Estimate(
        _step_measures(groups.sum(axis=1)),
        _step_measures(groups.sum(axis=1, keepdims=True) - groups),
        np.concatenate([groups[2:].any(axis=0), groups[:2].any(axis=0), groups.any(axis=0)], -1),
        np.concatenate([*sizes, np.minimum(*sizes)]),
        {name: np.tile(count, 3).astype(np.int64) for name, count in n.items()},
    )


def measured(names: tuple[str, ...], values: np.ndarray) -> Mapping[str, np.ndarray]:
    """The columns of an estimate by the measures' names, [thresholds] each."""
    return dict(zip(names, values.reshape(len(names), -1), strict=True))


def _in_groups(counts: np.ndarray) -> np.ndarray:
    """Counts of questions as those of the groups that the jackknife leaves out.

    Args:
        counts: float64 [kinds, questions, thresholds].

    Returns:
        float64 [kinds, groups, thresholds].
    """
    groups = jackknife.grouped(np.arange(counts.shape[1]))
    found = np.zeros((len(counts), int(groups.max(initial=-1)) + 1, counts.shape[2]))
    for kind, own in zip(found, counts, strict=True):
        np.add.at(kind, groups, own)
    return found


def _outcome_measures(counts: np.ndarray) -> np.ndarray:
    tp, fp, right = counts[:3]
    with np.errstate(invalid="ignore"):
        measures = tp / (tp + fp), tp / right, 2 * tp / (tp + fp + right)
    return np.concatenate(measures, axis=-1)


def _step_measures(counts: np.ndarray) -> np.ndarray:
    lost, kept, missed, hit = counts
    with np.errstate(invalid="ignore"):
        on_wrong, on_right = hit / (hit + missed), kept / (kept + lost)
        f1 = 2 * on_wrong * on_right / (on_wrong + on_right)
    f1 = np.where(on_wrong + on_right == 0, 0.0, f1)
    return np.concatenate([on_wrong, on_right, f1], axis=-1)


def _sizes(weights: np.ndarray) -> np.ndarray:
    """`jackknife.effective_size` at each threshold of weights [questions, thresholds]."""
    return np.array([jackknife.effective_size(column) for column in weights.T])
