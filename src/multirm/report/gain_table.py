"""Comparisons and groups of categories of one dataset → what each reward model gains over the majority vote, where."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from multirm.report.reward_table import WAYS, mark, scorers_of
from multirm.report.sheets import Row, Sheet, check_suffixes, in_words, write_sheets
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, IntervalNote, Selection
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS, Family
from multirm.tables.gain_table import GAIN_TABLE
from multirm.tables.headline import LEVEL
from multirm.tables.reward_model_rows import labels_in

_METHOD = ("dataset", "selection", "model", "aggregation", "n")


@entry
def tabulate_gain_table(
    comparisons: Path,
    category_groups: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Tabulate each model's gain over the majority vote at the largest N: overall, in groups and in categories.

    Args:
        comparisons: A table of comparisons of one dataset.
        category_groups: The table of groups of categories beside it.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
        reward_models: Tables of the reward models; without them, training runs are recognised by name.
    """
    check_suffixes(output)
    tables = reward_models or []
    compared = parquet.read(comparisons, COMPARISONS).to_pylist()
    labels = labels_in(compared, tables)
    groups = parquet.read(category_groups, CATEGORY_GROUPS).to_pylist()
    rows = table_rows(compared, groups, labels)
    origin = origin_of(__name__, {}, [comparisons, category_groups, *tables])
    write_sheets(output, GAIN_TABLE, rows, sheets(rows, labels), origin)


def table_rows(
    comparisons: Sequence[Row], groups: Sequence[Row], labels: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Rows of the gain_table table at the largest N: Overall, then groups, then categories.

    Args:
        comparisons: rows of the comparisons table of one dataset.
        groups: rows of its category_groups table.
        labels: the models that are shown.
    """
    largest = max((row["n"] for row in comparisons), default=0)
    with_vote = [
        {
            **_about(row, row["category"], is_group=False),
            **{name: row[name] for name in ("difference_low", "difference_high", "family", "note")},
        }
        for row in comparisons
        if row["other_selection"] == Selection.MAJORITY_VOTE
    ]
    grouped = [
        {
            **_about(row, row["group"], is_group=True),
            "difference_low": row["difference_low"],
            "difference_high": row["difference_high"],
            "family": None if row["p_holm"] is None else str(Family.EXPLORATORY),
            "note": row["difference_note"],
        }
        for row in groups
        if row["difference"] is not None
    ]
    overall = [row for row in with_vote if row["part"] == OVERALL]
    categories = [row for row in with_vote if row["part"] != OVERALL]
    return [
        row
        for row in [*overall, *grouped, *categories]
        if row["n"] == largest and row["model"] in labels
    ]


def _about(row: Row, part: str, is_group: bool) -> dict[str, Any]:
    kept = {name: row[name] for name in (*_METHOD, "difference", "p_holm")}
    return {"part": part, "is_group": is_group, **kept}


def sheets(rows: Sequence[Row], labels: Mapping[str, str]) -> list[Sheet]:
    """For each selection a sheet with a row per average and category, as many models beside each other as fit.

    Args:
        labels: what to call each model.
    """
    return [
        _sheet(
            [row for row in rows if row["selection"] == selection],
            way,
            part,
        )
        for selection, way in WAYS.items()
        for part in scorers_of(rows, selection, labels)
    ]


def _sheet(rows: Sequence[Row], way: str, columns: Mapping[str, tuple[str | None, ...]]) -> Sheet:
    cells = {(row["part"], row["model"], row["aggregation"]): row for row in rows}
    parts = dict.fromkeys(row["part"] for row in rows)
    found = [[cells.get((part, *scorer)) for scorer in columns.values()] for part in parts]
    return Sheet(
        f"Gain of {way} over the majority vote on {rows[0]['dataset']} in points, N = {rows[0]['n']}",
        ["mean over or category", *columns],
        [[in_words(part), *map(_cell, line)] for part, line in zip(parts, found, strict=True)],
        _notes([row for line in found for row in line if row]),
    )


def _cell(row: Row | None) -> str:
    """A gain with its mark and its interval; a dash where there is none."""
    if row is None:
        return "–"
    interval = (
        ""
        if row["difference_low"] is None
        else f" [{row['difference_low']:+.1f}, {row['difference_high']:+.1f}]"
    )
    return f"{row['difference']:+.1f}{mark(row)}{interval}".replace("-", "−")


def _notes(rows: Sequence[Row]) -> list[str]:
    """What the intervals and marks of some rows mean, as far as they occur."""
    said = []
    if any(row["difference_low"] is not None for row in rows):
        said.append("In brackets: 95 % intervals, paired over questions.")
    meanings = [IntervalNote(row["note"]).meaning for row in rows if row["note"]]
    said += [f"{each[0].upper()}{each[1:]}." for each in dict.fromkeys(meanings)]
    marks = {mark(row) for row in rows}
    if "*" in marks:
        said.append(f"*: p < {LEVEL}, corrected in the primary family.")
    if "†" in marks:
        said.append(
            f"†: p < {LEVEL}, corrected among the tests of its group or category and selection alone, a hint."
        )
    return said
