"""Counts of critiques → how many filtering kept, and why it left out the others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multirm.errors import InputError, shown
from multirm.report.sheets import Row, Sheet, check_suffixes, in_words, write_sheets
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUE_CHECKS, FILTERING, DropReason

_COUNTS = ("n_critiques", *(f"n_{reason}" for reason in DropReason))
_COUNTS += ("n_kept", "n_kept_yes", "n_kept_no")


@entry
def tabulate_filtering(checks: list[Place], output: list[OutputFile]) -> None:
    """Tabulate how many critiques filtering kept, and how many it left out for each reason.

    Args:
        checks: SET=PATH: counts of a set of critiques, as `check-critiques` writes them.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
    """
    check_suffixes(output)
    named = [_named(each) for each in checks]
    rows = [
        row
        for name, path in named
        for row in with_totals(name, parquet.read(path, CRITIQUE_CHECKS).to_pylist())
    ]
    origin = origin_of(__name__, {}, [path for _, path in named])
    write_sheets(output, FILTERING, rows, sheets(rows), origin)


def _named(pair: str) -> tuple[str, Path]:
    name, _, path = pair.partition("=")
    if not name or not path:
        raise InputError("--checks", expected="SET=PATH", found=shown(pair))
    return name, Path(path)


def with_totals(name: str, checks: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows of the filtering table for a set: for each dataset and kind its total first, then its categories."""
    groups = dict.fromkeys((row["dataset"], row["kind"]) for row in checks)
    found = []
    for dataset, kind in groups:
        own = [row for row in checks if (row["dataset"], row["kind"]) == (dataset, kind)]
        total = {column: sum(row[column] for row in own) for column in _COUNTS}
        key = {"critiques": name, "dataset": dataset, "kind": kind}
        found.append({**key, "category": None, **total})
        found += [
            {**key, "category": row["category"], **{column: row[column] for column in _COUNTS}}
            for row in own
        ]
    return found


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """A sheet for each set and kind, with a column for each reason that occurs in it."""
    groups = dict.fromkeys((row["critiques"], row["dataset"], row["kind"]) for row in rows)
    return [
        _sheet(
            *group,
            [row for row in rows if (row["critiques"], row["dataset"], row["kind"]) == group],
        )
        for group in groups
    ]


def _sheet(name: str, dataset: str, kind: str, rows: Sequence[Row]) -> Sheet:
    reasons = [reason for reason in DropReason if any(row[f"n_{reason}"] for row in rows)]
    columns = ["n_critiques", *(f"n_{reason}" for reason in reasons)]
    columns += ["n_kept", "n_kept_yes", "n_kept_no"]
    return Sheet(
        f"{kind} critiques of {name}, about {dataset}: generated, left out for each reason, and kept",
        ["category", "generated", *map(in_words, reasons), "kept", "of them Yes", "of them No"],
        [
            [
                "all" if row["category"] is None else in_words(row["category"]),
                *(f"{row[column]:,}" for column in columns),
            ]
            for row in rows
        ],
    )
