"""Pairs of answers, one better than the other → how often a reward model scores the better one higher."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from multirm import tables
from multirm.provenance import origin_of
from multirm.vocabulary import OVERALL

# Of the normal distribution, for an interval that covers 95 %.
_Z = 1.959963984540054


class Pairwise(NamedTuple):
    """How a set of pairs came out.

    Attributes:
        n_pairs: all of them.
        n_right: the better answer has the higher score.
        n_tied: both have the same score.
        n_unscored: a score is missing.
        accuracy: the part of the scored pairs that are right, in [0, 1], ties counted as a half; NaN
            where no pair is scored.
        low, high: its 95 % interval over pairs.
    """

    n_pairs: int
    n_right: int
    n_tied: int
    n_unscored: int
    accuracy: float
    low: float
    high: float


def evaluate_pairs(pairs: list[Path], output: Path) -> None:
    """Evaluate reward models on pairs of answers: pairwise accuracy per category and over all pairs.

    The row Overall counts every pair the same, whatever its category.

    Args:
        pairs: Tables of pairs, as `multirm read-pairs` writes them.
        output: The table to write: a row per dataset, model and category.

    Raises:
        InputError: not tables of pairs, or a pair twice.
    """
    every = tables.read_all(pairs, tables.PAIRS).to_pylist()
    rows = []
    for dataset, model in dict.fromkeys((row["dataset"], row["model"]) for row in every):
        found = [row for row in every if (row["dataset"], row["model"]) == (dataset, model)]
        for name in [OVERALL, *sorted({row["category"] for row in found})]:
            own = [row for row in found if name in (OVERALL, row["category"])]
            rows.append({"dataset": dataset, "model": model, "category": name, **_columns(own)})
    tables.write(output, tables.PAIRWISE, rows, origin_of(__name__, {}, pairs))


def pairwise(chosen: np.ndarray, rejected: np.ndarray) -> Pairwise:
    """How often the better answer of a pair has the higher score.

    The interval is Wilson's (1927), which keeps within [0, 1] and has a width even where all pairs
    are right; with ties, whose half points vary less than right and wrong do, it is a little too wide.

    Args:
        chosen: the scores of the better answers, float64 [pairs]; NaN where missing.
        rejected: those of the others, likewise.
    """
    scored = ~(np.isnan(chosen) | np.isnan(rejected))
    n = int(scored.sum())
    right = int((chosen > rejected)[scored].sum())
    tied = int((chosen == rejected)[scored].sum())
    counts = (len(chosen), right, tied, len(chosen) - n)
    if not n:
        return Pairwise(*counts, math.nan, math.nan, math.nan)
    accuracy = (right + tied / 2) / n
    scale = 1 + _Z**2 / n
    middle = (accuracy + _Z**2 / (2 * n)) / scale
    half = _Z / scale * math.sqrt(accuracy * (1 - accuracy) / n + _Z**2 / (4 * n**2))
    return Pairwise(*counts, accuracy, max(middle - half, 0.0), min(middle + half, 1.0))


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of a set of pairs, with percentages; null where there is nothing to say."""
    scores = [
        np.array([row[name] for row in rows], dtype=np.float64)
        for name in ("score_chosen", "score_rejected")
    ]
    found = pairwise(*scores)._asdict()
    for name in ("accuracy", "low", "high"):
        found[name] = None if math.isnan(found[name]) else 100 * found[name]
    return found
