"""The section *Accuracy* of the page: accuracies in every way they were estimated, and gains over the majority vote."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from multirm.charts.palette import CEILING, MAJORITY_VOTE, VOTES
from multirm.report.page.searches import searches_payload
from multirm.tables.accuracy import (
    ALL_QUESTIONS,
    OVERALL,
    Estimator,
    IntervalNote,
    Selection,
)
from multirm.tables.schema import Row

Scorers = Mapping[str, Sequence[Mapping[str, Any]]]

TABLES = (
    *("accuracy", "accuracy_over_seeds", "critique_counts", "category_groups"),
    "comparisons",
)
"""The tables of selections that the section shows."""

ACCURACY_COLUMNS = (
    *("category", "estimator", "selection", "scorer", "n", "n_critiques"),
    *("accuracy", "low", "high", "std", "n_questions", "note"),
)
GAIN_COLUMNS = (
    *("category", "selection", "scorer", "n"),
    *("difference", "low", "high", "p_holm", "family", "note"),
)


def accuracy_payload(tables: Mapping[str, Sequence[Row]], scorers: Scorers) -> dict[str, Any]:
    """What the section shows, ready for JSON.

    Args:
        tables: rows of `TABLES`, and of search_accuracy and search_gains, of all data sets; any may be missing.
        scorers: of each data set, as from `scorers_of`.

    Returns:
        `datasets`: for each, its `name`, `categories`, `groups` of categories, `scorers`, and rows of `accuracies` and
        of `gains`; `accuracy_columns` and `gain_columns`: the names of their columns, of which `scorer` is a position
        in `scorers`, or null for what needs no reward model; `votes`: how that is drawn; `notes`: what an interval's
        note means; `searches`, as from `searches_payload`.
    """
    return {
        "datasets": [_of_dataset(name, tables, own) for name, own in scorers.items()],
        "accuracy_columns": ACCURACY_COLUMNS,
        "gain_columns": GAIN_COLUMNS,
        "votes": {
            selection: {"label": name, **asdict(VOTES[name])}
            for selection, name in (
                (Selection.MAJORITY_VOTE, MAJORITY_VOTE),
                (Selection.PASS, CEILING),
            )
        },
        "notes": {str(note): note.meaning for note in IntervalNote},
        "searches": searches_payload(
            tables.get("search_accuracy", ()), tables.get("search_gains", ())
        ),
    }


def _of_dataset(
    name: str, tables: Mapping[str, Sequence[Row]], scorers: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    own = {
        table: [row for row in tables.get(table, ()) if row["dataset"] == name] for table in TABLES
    }
    places: dict[tuple[str | None, str | None], int | None] = {(None, None): None}
    places |= {(each["model"], each["aggregation"]): place for place, each in enumerate(scorers)}
    accuracies = [
        row | {"scorer": places[scorer]}
        for row in _accuracies(own)
        if (scorer := (row["model"], row["aggregation"])) in places
    ]
    gains = [
        row | {"scorer": places[scorer]}
        for row in _gains(own)
        if (scorer := (row["model"], row["aggregation"])) in places
    ]
    groups = list(dict.fromkeys(row["group"] for row in own.get("category_groups", ())))
    found = dict.fromkeys(row["category"] for row in accuracies)
    means = [each for each in (OVERALL, ALL_QUESTIONS) if each in found]
    # VersaPRM's protocol has groups among its categories.
    groups = [each for each in groups if each in found]
    return {
        "name": name,
        "categories": [*means, *groups, *(each for each in found if each not in (*means, *groups))],
        "groups": groups,
        "scorers": list(scorers),
        "accuracies": [[row[column] for column in ACCURACY_COLUMNS] for row in accuracies],
        "gains": [[row[column] for column in GAIN_COLUMNS] for row in gains],
    }


def _accuracies(tables: Mapping[str, Sequence[Row]]) -> Iterator[dict[str, Any]]:
    for row in tables.get("accuracy", ()):
        yield _accuracy(row) | {"std": row["std"]}
    for row in tables.get("accuracy_over_seeds", ()):
        # Extremes, which are no interval.
        yield {
            **_accuracy({**row, "accuracy_low": row["minimum_over_seeds"]}),
            "high": row["maximum_over_seeds"],
            "estimator": str(Estimator.VERSAPRM),
        }
    for row in tables.get("critique_counts", ()):
        yield _accuracy(row) | {"n_critiques": row["n_critiques"]}
    for row in tables.get("category_groups", ()):
        yield _accuracy(row) | {"category": row["group"]}


def _accuracy(row: Row) -> dict[str, Any]:
    """A row of `ACCURACY_COLUMNS` by the exact estimator, and its model, from any table of accuracies."""
    return {
        **{name: row[name] for name in ("model", "aggregation", "selection", "n", "accuracy")},
        "category": row.get("category"),
        "estimator": row.get("estimator", str(Estimator.EXACT)),
        "n_critiques": None,
        "low": row["accuracy_low"],
        "high": row.get("accuracy_high"),
        "std": None,
        "n_questions": row.get("n_questions"),
        "note": row.get("note"),
    }


def _gains(tables: Mapping[str, Sequence[Row]]) -> Iterator[dict[str, Any]]:
    for row in tables.get("comparisons", ()):
        if row["other_selection"] == Selection.MAJORITY_VOTE:
            yield {
                **_gain(row),
                **{name: row[name] for name in ("category", "family", "note")},
            }
    for row in tables.get("category_groups", ()):
        if row["difference"] is not None:
            yield {
                **_gain(row),
                "category": row["group"],
                "family": None if row["p_holm"] is None else "exploratory",
                "note": row["difference_note"],
            }


def _gain(row: Row) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("model", "aggregation", "selection", "n", "difference")},
        "low": row["difference_low"],
        "high": row["difference_high"],
        "p_holm": row["p_holm"],
    }
