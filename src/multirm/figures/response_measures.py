"""Numbers about responses as figures show them, with the labels and styles of reward models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multirm.charts.palette import Style
from multirm.errors import escaped
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.tables.accuracy import OVERALL
from multirm.tables.response_accuracy import RESPONSE_ACCURACY, Level
from multirm.tables.schema import Row

CHOSEN = {"Chosen": Style("#1B7A9E", "circle"), "Rejected": Style("#CC8400", "triangle-up", (6, 3))}
"""How the better and the worse responses are drawn."""

# The Ties of RewardBench 2 have a published score, and no published accuracy.
_MEASURES = ("accuracy", "score")


def accuracies(measures: Measures) -> list[dict[str, Any]]:
    """Published accuracies of sections, and overall first, as panels show them; those that are undefined are left out.

    Args:
        measures: of the response_accuracy table.
    """
    rows = [
        row
        for row in measures.rows
        if row["is_published"]
        and row["measure"] in _MEASURES
        and row["level"] in (Level.SECTION, Level.OVERALL)
        and row["value"] is not None
    ]
    return [
        {
            "category": OVERALL if row["level"] == Level.OVERALL else escaped(row["name"]),
            "method": row["method"],
            "n_shown": row["n_shown"],
            "value": row["value"],
            "low": row["value_low"],
            "high": row["value_high"],
            "interval": interval_text(row["value_low"], row["value_high"]),
            "n": row["n_prompts"],
            "n_missing": row["n_missing"],
        }
        for row in rows
    ]


def read_accuracies(path: Path) -> tuple[Measures, list[dict[str, Any]]]:
    """A response_accuracy table, and what `accuracies` makes of it."""
    measures = read_measures(path, RESPONSE_ACCURACY)
    return measures, accuracies(measures)


def said_of(rows: Sequence[Row]) -> list[str]:
    """Sentences about accuracies: over how many prompts, with what uncertainty, and what is missing."""
    if not rows:
        return []
    sections = {row["category"] for row in rows} - {OVERALL}
    most = {name: max(row["n"] for row in rows if row["category"] == name) for name in sections}
    said = [f"{sum(most.values()):,} prompts. 95 % intervals over prompts."]
    missing = {
        name: max(row["n_missing"] for row in rows if row["method"] == name)
        for name in dict.fromkeys(row["method"] for row in rows)
    }
    said += [
        f"{name}: up to {n} prompts of a part left out without a reward."
        for name, n in missing.items()
        if n
    ]
    return said
