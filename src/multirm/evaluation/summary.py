"""Accuracy tables → the few numbers a person wants first, as lines for the terminal."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm import tables
from multirm.vocabulary import OVERALL, Selection


def summarise_study(accuracy: list[Path]) -> None:
    """Print each dataset's overall accuracies at the largest N, a line per reward model.

    Args:
        accuracy: Accuracy tables, as `multirm evaluate` writes them.
    """
    parts = [summarise(tables.read(path, tables.ACCURACY)) for path in accuracy]
    sys.stdout.write("\n\n".join("\n".join(lines) for lines in parts) + "\n")


def summarise(accuracy: pa.Table) -> list[str]:
    """One dataset's table as lines of text; percent, ± the standard deviation over runs.

    A number without ± is exact: the expectation over all subpools of its size.
    """
    rows = [row for row in accuracy.to_pylist() if row["category"] == OVERALL]
    if not rows:
        return ["no accuracies"]
    largest = max(row["n"] for row in rows)
    cells = {(row["selection"], row["model"], row["n"]): row for row in rows}
    models = list(dict.fromkeys(row["model"] for row in rows if row["model"] is not None))

    def cell(selection: Selection, model: str | None = None, n: int = largest) -> str:
        return _shown(cells[selection, model, n])

    header = [
        "reward model",
        f"best-of-{largest}",
        "weighted vote",
        "majority vote",
        f"pass@{largest}",
    ]
    body = [
        [
            model or "(none)",
            cell(Selection.BEST_OF_N, model) if model else "",
            cell(Selection.WEIGHTED_VOTE, model) if model else "",
            cell(Selection.MAJORITY_VOTE),
            cell(Selection.PASS),
        ]
        for model in models or [None]
    ]
    n_categories = len(set(accuracy["category"].to_pylist())) - 1
    scope = "1 category" if n_categories == 1 else f"mean of {n_categories} categories"
    title = f"{rows[0]['dataset']}: accuracy in %, {rows[0]['n_questions']} questions, {scope}"
    lines = [title, *_aligned([header, *body])]
    if (Selection.PASS, None, 1) in cells:
        lines.append(f"expected accuracy of one solution (N = 1): {cell(Selection.PASS, n=1)}")
    return lines


def _shown(row: Mapping[str, Any]) -> str:
    if row["exact"] is not None:
        return f"{row['exact']:.2f}"
    return f"{row['accuracy_mean']:.2f} ± {row['accuracy_std']:.2f}"


def _aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Columns of equal width, the first one flush left and the rest flush right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if position == 0 else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]
