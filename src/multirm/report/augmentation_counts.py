"""Replies to requests for new steps → how many became variants, and which types of errors are where in them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from multirm.report.sheets import Row, Sheet, check_suffixes, in_words, write_sheets
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.augmentations import (
    AUGMENTATION_COUNTS,
    AUGMENTATIONS,
    N_PARTS,
    AugmentationKind,
    AugmentationReason,
    ErrorType,
)
from multirm.tables.solutions import SOLUTIONS


@entry
def tabulate_augmentation_counts(augmentations: list[Path], output: list[OutputFile]) -> None:
    """Count replies to requests for new steps: accepted and rejected, by type of error and by position.

    Args:
        augmentations: Tables of replies, as `augment-steps` writes them.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
    """
    check_suffixes(output)
    replies = parquet.read_all(augmentations, AUGMENTATIONS).to_pylist()
    rows = list(count(replies))
    origin = origin_of(__name__, {}, augmentations)
    write_sheets(output, AUGMENTATION_COUNTS, rows, sheets(rows), origin)


def count(replies: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Rows of the augmentation_counts table: for each dataset and kind all replies first, then those of each category.

    Each of these has a row for all types of errors, followed by one for each type that was asked for or given.
    """
    for dataset, kind in dict.fromkeys((row["variant_dataset"], row["kind"]) for row in replies):
        own = [row for row in replies if (row["variant_dataset"], row["kind"]) == (dataset, kind)]
        for category in (None, *dict.fromkeys(row["category"] for row in own)):
            some = [row for row in own if category in (None, row["category"])]
            key = {"dataset": dataset, "kind": kind, "category": category}
            yield {**key, "error_type": None, **_counts(some, some)}
            for error_type in ErrorType:
                asked = [row for row in some if row["asked_type"] == error_type]
                given = [row for row in some if row["error_type"] == error_type]
                if asked or any(row["reason"] is None for row in given):
                    yield {**key, "error_type": error_type, **_counts(asked, given)}


def part_of(step: int, n_steps: int) -> int:
    """In which of `N_PARTS` equal parts of a solution the middle of a step is."""
    return (2 * step + 1) * N_PARTS // (2 * n_steps)


def _counts(asked: Sequence[Row], given: Sequence[Row]) -> dict[str, Any]:
    """The counts of replies to some requests, and of the variants among those that name a type."""
    reasons = Counter(row["reason"] for row in asked)
    variants = [row for row in given if row["reason"] is None]
    parts = Counter(part_of(row["step"], row["n_steps"]) for row in variants)
    return {
        "n_solutions": len({tuple(row[name] for name in SOLUTIONS.key) for row in asked}),
        "n_requests": len(asked),
        **{f"n_{reason}": reasons[reason] for reason in AugmentationReason},
        "n_accepted": len(variants),
        "n_other_type": sum(row["error_type"] != row["asked_type"] for row in variants),
        "n_by_part": [parts[part] for part in range(N_PARTS)],
    }


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """For each dataset and kind a sheet of categories and, for counterfactuals, one of types of errors."""
    found = []
    for (dataset, kind), own in groupby(rows, lambda row: (row["dataset"], row["kind"])):
        of_pair = list(own)
        by_category = [row for row in of_pair if row["error_type"] is None]
        found.append(_sheet(f"{_SAYS[kind]} of {dataset}", "category", by_category))
        by_type = [row for row in of_pair if row["category"] is None and row["error_type"]]
        if by_type:
            title = f"{_SAYS[kind]} of {dataset}, by type of error"
            found.append(_sheet(title, "error_type", by_type))
    return found


_SAYS: Mapping[str, str] = {
    AugmentationKind.COUNTERFACTUAL: "Wrong steps in variants",
    AugmentationKind.REWRITE: "Rewritten steps in variants",
}


def _sheet(title: str, name: str, rows: Sequence[Row]) -> Sheet:
    reasons = [reason for reason in AugmentationReason if any(row[f"n_{reason}"] for row in rows)]
    columns = ["n_requests", *(f"n_{reason}" for reason in reasons), "n_accepted"]
    ends = [round(100 * part / N_PARTS) for part in range(N_PARTS + 1)]
    parts = [f"{low}–{high} %" for low, high in pairwise(ends)]
    header = [name.replace("_", " "), "requests", *map(in_words, reasons), "accepted"]
    notes = ["Percentages: where the new steps are in their solutions."]
    if name == "error_type":
        other = sum(row["n_other_type"] for row in rows)
        notes.append(
            "Requests and rejected replies by the type that was asked for, accepted ones by the type that they name: "
            f"{other:,} name another one."
        )
    return Sheet(
        f"{title}: requests, rejected for each reason, and accepted",
        [*header, *parts],
        [
            [
                "all" if row[name] is None else in_words(row[name]),
                *(f"{row[column]:,}" for column in columns),
                *(f"{n:,}" for n in row["n_by_part"]),
            ]
            for row in rows
        ],
        notes,
    )
