"""Entry point `evaluate_pairs`: how often a reward model gives the better of two answers the higher score."""

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
    """The results of a set of pairs.

    Attributes:
        n_pairs: number of pairs.
        n_right: pairs whose better answer has the higher score.
        n_tied: pairs with equal scores.
        n_unscored: pairs with a missing score.
        accuracy: fraction of scored pairs that are right, in [0, 1], ties counted as a half; NaN if no pair is scored.
        low, high: its 95 % interval over pairs.
        note: what the interval rests on besides the variance over pairs, if anything.
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

    The row Overall weights all pairs equally, whatever their category.

    Args:
        pairs: Tables of pairs, as written by `multirm read-pairs`.
        output: The table to write: a row per dataset, model and category.

    Raises:
        InputError: a file is not a table of pairs, or a pair is given twice.
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

    The interval is computed by `intervals.of_shares`, over pairs.

    Args:
        chosen: the scores of the better answers, float64 [pairs]; NaN if missing.
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
    """The columns of a set of pairs, in percent; null if undefined."""
    scores = [
        np.array([row[name] for row in rows], dtype=np.float64)
        for name in ("score_chosen", "score_rejected")
    ]
    found = pairwise(*scores)._asdict()
    for name in ("accuracy", "low", "high"):
        found[name] = None if math.isnan(found[name]) else 100 * found[name]
    return found
