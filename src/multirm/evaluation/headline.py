"""The answer of an evaluation: each reward model against the majority vote, Overall at the largest N."""

from collections.abc import Mapping, Sequence
from typing import Any

from multirm.evaluation.inputs import Row
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.comparisons import Family
from multirm.tables.headline import LEVEL, Verdict

_KEPT = (
    *("selection", "model", "aggregation", "n"),
    *("difference", "difference_low", "difference_high", "p_holm", "note"),
)


def headline_rows(comparisons: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The headline table, in the order of the comparisons.

    Args:
        comparisons: rows of the comparisons table of one dataset.
    """
    overall = [row for row in comparisons if row["category"] == OVERALL]
    largest = max((row["n"] for row in overall), default=0)
    n_tests = sum(row["family"] == Family.PRIMARY for row in overall)
    return [
        {**{name: row[name] for name in _KEPT}, "n_tests": n_tests, "verdict": verdict(row)}
        for row in overall
        if row["n"] == largest and row["other_selection"] == Selection.MAJORITY_VOTE
    ]


def verdict(comparison: Mapping[str, Any]) -> Verdict:
    """What a row of the comparisons table says of its method against the other."""
    p = comparison["p_holm"]
    if p is None:
        return Verdict.UNTESTED
    if p >= LEVEL:
        return Verdict.NOT_SHOWN
    return Verdict.BETTER if comparison["difference"] > 0 else Verdict.WORSE
