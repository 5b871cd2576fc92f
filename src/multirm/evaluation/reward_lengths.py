"""How rewards of responses go with their length."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from multirm.evaluation import intervals, jackknife
from multirm.evaluation.judged_responses import Judged, Scored
from multirm.evaluation.pools_of_responses import ranks
from multirm.tables.accuracy import OVERALL
from multirm.tables.response_accuracy import Compared, LengthUnit

# Fewer say nothing of a correlation.
_FEWEST = 3


def correlation_rows(judged: Judged, model: Scored) -> Iterator[dict[str, Any]]:
    """Rows of the reward_length_correlations table of one model, of responses that are shown whole."""
    sections = np.array([row["section"] for row in judged.rows])
    is_whole = np.array([row["n_shown"] is None for row in judged.rows])
    groups = judged.groups(None)
    better, worse = (
        np.array(
            [pair[side] for group in groups for pair in _pairs(group.chosen, group.rejected)], int
        )
        for side in (0, 1)
    )
    lengths = {LengthUnit.CHARACTERS: judged.n_characters.astype(np.float64)}
    if not np.isnan(model.n_tokens).all():
        lengths[LengthUnit.TOKENS] = model.n_tokens
    for section in [OVERALL, *dict.fromkeys(sections.tolist())]:
        own = is_whole & ((sections == section) | (section == OVERALL))
        within = own[better] & own[worse]
        first, second = better[within], worse[within]
        for unit, length in lengths.items():
            differences = (
                model.rewards[first] - model.rewards[second],
                length[first] - length[second],
            )
            for compared, values, clusters in (
                (Compared.RESPONSES, (model.rewards[own], length[own]), judged.prompts[own]),
                (Compared.DIFFERENCES, differences, judged.prompts[first]),
            ):
                yield {
                    "section": section,
                    "length": unit,
                    "compared": compared,
                    **_correlations(*values, clusters),
                }


def _pairs(chosen: np.ndarray, rejected: np.ndarray) -> Iterator[tuple[int, int]]:
    for better in chosen.tolist():
        for worse in rejected.tolist():
            yield better, worse


def _correlations(rewards: np.ndarray, lengths: np.ndarray, clusters: np.ndarray) -> dict[str, Any]:
    known = ~np.isnan(rewards) & ~np.isnan(lengths)
    rewards, lengths, clusters = rewards[known], lengths[known], clusters[known]
    found: dict[str, Any] = {"n": int(known.sum())}
    for name, values in (
        ("pearson", (rewards, lengths)),
        ("spearman", (ranks(rewards), ranks(lengths))),
    ):
        numbers = correlation(*values, clusters)
        for end, value in zip(("", "_low", "_high"), numbers, strict=True):
            found[f"{name}{end}"] = None if math.isnan(value) else value
    return found


def correlation(x: np.ndarray, y: np.ndarray, clusters: np.ndarray) -> tuple[float, float, float]:
    """Pearson's correlation and its 95 % interval over clusters; NaN if undefined.

    The variance of Fisher's z comes from a jackknife over clusters.

    Args:
        x, y: float64 [items].
        clusters: int [items].
    """
    _, own = np.unique(clusters, return_inverse=True)
    if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return (math.nan,) * 3
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    groups = jackknife.grouped(own)
    sums = np.stack(
        [np.bincount(groups, each) for each in (np.ones_like(x), x, y, x * x, y * y, x * y)]
    )
    value = float(_pearson(sums.sum(axis=1)))
    with np.errstate(divide="ignore", invalid="ignore"):
        without = np.arctanh(_pearson(sums.sum(axis=1, keepdims=True) - sums))
        half = float(np.ravel(intervals.student(len(without) - 1))[0])
        half *= math.sqrt(jackknife.variance(without))
        middle = np.arctanh(value)
    if not math.isfinite(half) or not math.isfinite(middle):
        return value, math.nan, math.nan
    return value, float(np.tanh(middle - half)), float(np.tanh(middle + half))


def _pearson(sums: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))
    return np.asarray(np.clip(found, -1, 1))
