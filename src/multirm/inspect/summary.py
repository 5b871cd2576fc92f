"""Accuracy tables → the most important numbers, as lines for the terminal."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm.running.arguments import entry
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL, IntervalNote, Selection
from multirm.tables.reward_model_rows import describe, labels_of_shown

# A model and its aggregation.
Scorer = tuple[str | None, str | None]


@entry
def summarise_study(accuracy: list[Path], reward_models: list[Path] | None = None) -> None:
    """Print each dataset's overall accuracies at the largest N, one line per reward model.

    Args:
        accuracy: Accuracy tables, as `multirm evaluate` writes them.
        reward_models: Tables of these reward models; without them, training runs are recognised by name.
    """
    parts = [summarise(parquet.read(path, ACCURACY), reward_models or []) for path in accuracy]
    sys.stdout.write("\n\n".join("\n".join(lines) for lines in parts) + "\n")


def summarise(accuracy: pa.Table, reward_models: Sequence[Path] = ()) -> list[str]:
    """One dataset's table as lines of text: percentages with 95 % intervals over questions where known, else ± the
    standard deviation over runs. Stars refer to lines below the table, which say what an interval is based on
    besides the spread over questions, or why there is none.

    A model with several training runs has one line, for their mean, whose interval is over training seeds as well.
    """
    rows = [row for row in accuracy.to_pylist() if row["category"] == OVERALL]
    if not rows:
        return ["no accuracies"]
    largest = max(row["n"] for row in rows)
    cells = {(row["selection"], (row["model"], row["aggregation"]), row["n"]): row for row in rows}
    names = [str(row["model"]) for row in rows if row["model"]]
    shown = labels_of_shown(describe(names, rows[0]["dataset"], reward_models))
    scorers = [scorer for scorer in dict.fromkeys(key[1] for key in cells) if scorer[0] in shown]
    models = [model for model, _ in scorers]
    nothing = (None, None)
    notes: list[str] = []

    def cell(selection: Selection, scorer: Scorer = nothing, n: int = largest) -> str:
        # Rows may be missing from a table that somebody has edited.
        row = cells.get((selection, scorer, n))
        if row is None:
            return ""
        if row["note"] is None:
            return _shown(row)
        if row["note"] not in notes:
            notes.append(row["note"])
        return _shown(row) + "*" * (1 + notes.index(row["note"]))

    def name(scorer: Scorer) -> str:
        model, aggregation = scorer
        called = shown[model] if model else "(none)"
        return f"{called} {aggregation}" if models.count(model) > 1 else called

    header = [
        "reward model",
        f"best-of-{largest}",
        "weighted vote",
        "majority vote",
        f"pass@{largest}",
    ]
    body = [
        [
            name(scorer),
            cell(Selection.BEST_OF_N, scorer) if scorer[0] else "",
            cell(Selection.WEIGHTED_VOTE, scorer) if scorer[0] else "",
            cell(Selection.MAJORITY_VOTE),
            cell(Selection.PASS),
        ]
        for scorer in scorers or [nothing]
    ]
    n_categories = len(set(accuracy["category"].to_pylist())) - 1
    scope = "1 category" if n_categories == 1 else f"mean of {n_categories} categories"
    title = f"{rows[0]['dataset']}: accuracy in %, {rows[0]['n_questions']} questions, {scope}"
    lines = [title, *_aligned([header, *body])]
    if (Selection.PASS, nothing, 1) in cells:
        lines.append(f"expected accuracy of one solution (N = 1): {cell(Selection.PASS, n=1)}")
    return lines + [
        f"{'*' * place} {IntervalNote(note).meaning}" for place, note in enumerate(notes, 1)
    ]


def _shown(row: Mapping[str, Any]) -> str:
    if row["low"] is not None:
        return f"{row['accuracy']:.2f} [{row['low']:.1f}, {row['high']:.1f}]"
    if row["std"] is not None:
        return f"{row['accuracy']:.2f} ± {row['std']:.2f}"
    return f"{row['accuracy']:.2f}"


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
