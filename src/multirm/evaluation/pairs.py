"""Pairs of answers, one better than the other → how often a reward model scores the better one higher."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from multirm.evaluation import intervals
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, IntervalNote
from multirm.tables.pairs import PAIRS, PAIRWISE


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
        note: what the interval rests on besides the spread over pairs, if anything.
    """

    n_pairs: int
    n_right: int
    n_tied: int
    n_unscored: int
    accuracy: float
    low: float
    high: float
    note: IntervalNote | None


@entry
def evaluate_pairs(pairs: list[Path], output: OutputFile) -> None:
    """Evaluate reward models on pairs of answers: pairwise accuracy per category and over all pairs.

    The row Overall counts every pair the same, whatever its category.

    Args:
        pairs: Tables of pairs, as `multirm read-pairs` writes them.
        output: The table to write: a row per dataset, model and category.

    Raises:
        InputError: not tables of pairs, or a pair twice.
    """
    every = parquet.read_all(pairs, PAIRS).to_pylist()
    rows = []
    for dataset, model in dict.fromkeys((row["dataset"], row["model"]) for row in every):
        found = [row for row in every if (row["dataset"], row["model"]) == (dataset, model)]
        for name in [OVERALL, *sorted({row["category"] for row in found})]:
            own = [row for row in found if name in (OVERALL, row["category"])]
            rows.append({"dataset": dataset, "model": model, "category": name, **_columns(own)})
    parquet.write(output, PAIRWISE, rows, origin_of(__name__, {}, pairs))


def pairwise(chosen: np.ndarray, rejected: np.ndarray) -> Pairwise:
    """How often the better answer of a pair has the higher score.

    The interval is `intervals.of_shares`, over pairs.

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
        return Pairwise(*counts, math.nan, math.nan, math.nan, None)
    points = ((chosen > rejected) + (chosen == rejected) / 2)[scored]
    mean = intervals.mean_of({"": points[:, None]})
    low, high = intervals.of_shares(mean)
    return Pairwise(*counts, float(mean.value[0]), float(low[0]), float(high[0]), mean.notes[0])


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
