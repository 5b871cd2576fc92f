"""The section *Overview* of the page: the answer for each data set, in sentences and in numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

from multirm.report.page.scorers import labels_of
from multirm.tables.accuracy import OVERALL, Estimator, IntervalNote
from multirm.tables.headline_sentences import headline_sentences
from multirm.tables.schema import Row

Scorers = Mapping[str, Sequence[Mapping[str, Any]]]


def overview_payload(
    accuracy: Sequence[Row], headline: Sequence[Row], scorers: Scorers
) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        accuracy: rows of the accuracy table, of all data sets.
        headline: rows of the headline table, of all data sets.
        scorers: of each data set, as from `scorers_of`.

    Returns:
        `datasets`: for each, its name, number of questions, categories, the sentences of its headline, and its rows.
    """
    return {"datasets": [_of_dataset(name, accuracy, headline, scorers) for name in scorers]}


def _of_dataset(
    name: str, accuracy: Sequence[Row], headline: Sequence[Row], scorers: Scorers
) -> dict[str, Any]:
    own = [row for row in headline if row["dataset"] == name]
    rows = [row for row in accuracy if row["dataset"] == name]
    overall = [row for row in rows if row["category"] == OVERALL]
    return {
        "name": name,
        "n_questions": max((row["n_questions"] for row in overall), default=None),
        "categories": sorted({row["category"] for row in rows} - {OVERALL}),
        "estimators": [each for each in Estimator if any(r["estimator"] == each for r in rows)],
        "sentences": headline_sentences(own, labels_of(scorers[name])),
        "scorers": scorers[name],
        "rows": [dict(row) for row in own],
        "notes": {row["note"]: IntervalNote(row["note"]).meaning for row in own if row["note"]},
    }
