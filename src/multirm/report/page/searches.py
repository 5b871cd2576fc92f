"""Accuracies of searches for the section *Accuracy* of the page, beside what best-of-N has at the same cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from multirm.tables.accuracy import OVERALL
from multirm.tables.schema import Row
from multirm.tables.search_accuracy import SearchMeasure

COLUMNS = (
    *("category", "measure", "search", "method", "n", "accuracy", "low", "high", "n_questions"),
    *("tokens", "baseline", "baseline_n", "is_matched", "difference", "difference_low"),
    *("difference_high", "note"),
)

MEASURES = {
    SearchMeasure.BEST: "the solution with the highest reward",
    SearchMeasure.WEIGHTED: "a vote weighted by rewards",
    SearchMeasure.MAJORITY: "the majority vote",
    SearchMeasure.COVERED: "any finished solution (the ceiling)",
}


def searches_payload(accuracies: Sequence[Row], gains: Sequence[Row]) -> dict[str, Any]:
    """What is shown of searches, ready for JSON.

    Args:
        accuracies: rows of the search_accuracy table, of all data sets.
        gains: rows of the search_gains table; a search without any, such as best-of-N itself, has no gain.

    Returns:
        `columns`; `measures`: what each measure counts as right, in words; `datasets`: for each, its `name`, its
        `categories`, its `measures`, and `rows`. `tokens` are what the policy draws for a question, in the mean; `n` is
        null for a search as it ran, else the number of solutions that were drawn from those of best-of-N.
    """
    key = ("dataset", "category", "search", "measure")
    gained = {tuple(row[name] for name in key): row for row in gains}
    datasets = dict.fromkeys(row["dataset"] for row in accuracies)
    return {
        "columns": COLUMNS,
        "measures": {str(measure): words for measure, words in MEASURES.items()},
        "datasets": [
            _of_dataset(
                name,
                [
                    (row, gained.get(tuple(row[each] for each in key), {}))
                    for row in accuracies
                    if row["dataset"] == name
                ],
            )
            for name in datasets
        ],
    }


def _of_dataset(name: str, rows: Sequence[tuple[Row, Mapping[str, Any]]]) -> dict[str, Any]:
    categories = dict.fromkeys(row["category"] for row, _ in rows)
    found = {row["measure"] for row, _ in rows}
    return {
        "name": name,
        "categories": sorted(categories, key=lambda each: each != OVERALL),
        "measures": [str(measure) for measure in MEASURES if measure in found],
        "rows": [[_row(row, gain)[column] for column in COLUMNS] for row, gain in rows],
    }


def _row(row: Row, gain: Mapping[str, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in ("category", "measure", "search", "method", "n")}
    # Gains are those of whole searches.
    of_whole = gain if row["n"] is None else {}
    compared = ("baseline", "baseline_n", "is_matched", "difference", "difference_low")
    return {
        **own,
        "accuracy": row["accuracy"],
        "low": row["accuracy_low"],
        "high": row["accuracy_high"],
        "n_questions": row["n_questions"],
        "tokens": row["policy_generated"],
        **{name: of_whole.get(name) for name in (*compared, "difference_high")},
        "note": of_whole.get("note"),
    }
