"""Accuracies and comparisons of one dataset → the accuracy of each reward model in each category, with marks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.report.sheets import Row, Sheet, check_suffixes, in_parts, in_words, write_sheets
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, IntervalNote, Selection
from multirm.tables.comparisons import COMPARISONS, Family
from multirm.tables.headline import LEVEL
from multirm.tables.reward_model_rows import labels_in
from multirm.tables.reward_table import REWARD_TABLE

_MARKS = {Family.PRIMARY: "*", Family.EXPLORATORY: "†"}
_METHOD = ("category", "selection", "model", "aggregation", "n")


@entry
def tabulate_reward_table(
    accuracy: Path,
    comparisons: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Tabulate each model's accuracy per category at the largest N, with intervals and marks of significance.

    Args:
        accuracy: An accuracy table of one dataset.
        comparisons: The table of comparisons beside it.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
        reward_models: Tables of the reward models; without them, training runs are recognised by name.
    """
    check_suffixes(output)
    tables = reward_models or []
    accuracies = parquet.read(accuracy, ACCURACY).to_pylist()
    labels = labels_in(accuracies, tables)
    differences = parquet.read(comparisons, COMPARISONS).to_pylist()
    rows = table_rows(accuracies, differences, labels)
    origin = origin_of(__name__, {}, [accuracy, comparisons, *tables])
    write_sheets(output, REWARD_TABLE, rows, sheets(rows, labels), origin)


def table_rows(
    accuracies: Sequence[Row], comparisons: Sequence[Row], labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of the reward_table table: the largest N, of votes and of the models that are shown.

    Args:
        accuracies: rows of the accuracy table of one dataset.
        comparisons: rows of its comparisons table.
        labels: the models that are shown.
    """
    largest = max((row["n"] for row in accuracies), default=0)
    with_vote = {
        tuple(row[name] for name in _METHOD): row
        for row in comparisons
        if row["other_selection"] == Selection.MAJORITY_VOTE
    }
    kept = ("dataset", *_METHOD, "accuracy", "accuracy_low", "accuracy_high", "n_questions", "note")
    return [
        {name: row[name] for name in kept}
        | _differences(with_vote.get(tuple(row[name] for name in _METHOD)))
        for row in accuracies
        if row["n"] == largest and (row["model"] is None or row["model"] in labels)
    ]


def _differences(comparison: Row | None) -> dict[str, Any]:
    found = comparison or {}
    return {
        "difference": found.get("difference"),
        "difference_low": found.get("difference_low"),
        "difference_high": found.get("difference_high"),
        "p_holm": found.get("p_holm"),
        "family": found.get("family"),
    }


def sheets(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Sheet]:
    """For each selection a sheet with a row per category, as many models beside each other as fit.

    Args:
        labels: what to call each model.
    """
    if rows and not labels:
        return [_sheet(rows, "majority votes", {})]
    return [
        _sheet(rows, way, {name: _of(rows, selection, scorer) for name, scorer in part.items()})
        for selection, way in WAYS.items()
        for part in scorers_of(rows, selection, labels)
    ]


WAYS = {Selection.BEST_OF_N: "best-of-N", Selection.WEIGHTED_VOTE: "weighted votes"}

_Scorer = tuple[str | None, str | None]


def scorers_of(
    rows: Sequence[Row], selection: Selection, labels: Mapping[str, str]
) -> Iterator[dict[str, _Scorer]]:
    """Models with their aggregations, by what to call them, as many at a time as fit."""
    scorers = list(
        dict.fromkeys(
            (row["model"], row["aggregation"]) for row in rows if row["selection"] == selection
        )
    )
    models = [model for model, _ in scorers]
    names = {
        f"{labels[model]} {way}" if models.count(model) > 1 else labels[model]: (model, way)
        for model, way in scorers
    }
    for part in in_parts(list(names)):
        yield {name: names[name] for name in part}


def _of(rows: Sequence[Row], selection: Selection, scorer: _Scorer) -> dict[str, Row]:
    """The rows of a method, by category."""
    key = (selection, *scorer)
    return {
        row["category"]: row
        for row in rows
        if (row["selection"], row["model"], row["aggregation"]) == key
    }


def _sheet(rows: Sequence[Row], way: str, columns: Mapping[str, Mapping[str, Row]]) -> Sheet:
    columns = {"majority vote": _of(rows, Selection.MAJORITY_VOTE, (None, None)), **columns}
    categories = dict.fromkeys(row["category"] for row in rows)
    lines = [
        [in_words(category), *(_cell(column.get(category)) for column in columns.values())]
        for category in categories
    ]
    shown = [row for column in columns.values() for row in column.values()]
    return Sheet(
        f"Accuracy in % of {way} on {rows[0]['dataset']}, N = {rows[0]['n']}",
        ["category", *columns],
        lines,
        _notes(shown),
    )


def _cell(row: Row | None) -> str:
    """An accuracy with its mark and its interval; a dash where there is none."""
    if row is None:
        return "–"
    interval = (
        ""
        if row["accuracy_low"] is None
        else f" [{row['accuracy_low']:.1f}, {row['accuracy_high']:.1f}]"
    )
    return f"{row['accuracy']:.1f}{mark(row)}{interval}"


def mark(row: Row) -> str:
    """`*` where a difference from the majority vote is shown, `†` where the test is exploratory, else nothing."""
    is_small = row["p_holm"] is not None and row["p_holm"] < LEVEL
    return _MARKS[Family(row["family"])] if is_small else ""


def _notes(rows: Sequence[Row]) -> list[str]:
    """What the intervals and marks of some rows mean, as far as they occur."""
    said = [f"{max(row['n_questions'] for row in rows):,} questions."]
    if any(row["accuracy_low"] is not None for row in rows):
        said.append("In brackets: 95 % intervals over questions.")
    meanings = [IntervalNote(row["note"]).meaning for row in rows if row["note"]]
    said += [f"{each[0].upper()}{each[1:]}." for each in dict.fromkeys(meanings)]
    marks = {mark(row) for row in rows}
    if "*" in marks:
        said.append(
            f"*: differs from the majority vote, p < {LEVEL} corrected in the primary family."
        )
    if "†" in marks:
        said.append(
            f"†: p < {LEVEL} corrected among the tests of its category and selection alone, a hint."
        )
    return said
