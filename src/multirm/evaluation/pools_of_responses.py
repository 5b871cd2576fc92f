"""PPE's measures of pools of right and wrong responses that are no means over comparisons."""

from collections.abc import Sequence

import numpy as np

from multirm.evaluation.response_points import Group


def roc_auc(groups: Sequence[Group], rewards: np.ndarray) -> float:
    """The area under the curve of all responses together: how often a right one's reward is above a wrong one's.

    Ties count a half. Responses to different prompts are compared, too. NaN without right or without wrong ones.
    """
    right, wrong = (
        np.concatenate([rewards[each] for each in sides] or [np.zeros(0)])
        for sides in ([g.chosen for g in groups], [g.rejected for g in groups])
    )
    if not right.size or not wrong.size:
        return float("nan")
    wrong = np.sort(wrong)
    below = np.searchsorted(wrong, right, "left") + np.searchsorted(wrong, right, "right")
    return float(below.mean() / 2 / len(wrong))


def spearman_in_prompts(groups: Sequence[Group], rewards: np.ndarray) -> float:
    """The mean over prompts of the rank correlation of rewards with being right, from -1 to 1.

    Prompts whose responses are all right, all wrong or all of one reward have none; NaN if all are such.
    """
    found = []
    for group in groups:
        own = np.r_[rewards[group.chosen], rewards[group.rejected]]
        is_right = np.arange(len(own)) < len(group.chosen)
        if len(np.unique(own)) > 1 and len(np.unique(is_right)) > 1:
            found.append(np.corrcoef(ranks(own), is_right)[0, 1])
    return float(np.mean(found)) if found else float("nan")


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, from 1; equal ones share the mean of theirs, float64 [values]."""
    ordered = np.sort(values)
    first = np.searchsorted(ordered, values, "left")
    last = np.searchsorted(ordered, values, "right")
    return np.asarray((first + 1 + last) / 2)
