"""Tables of an evaluation → its answer and the most important numbers, as lines for the terminal."""

import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from multirm.errors import escaped
from multirm.running.arguments import entry
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL, IntervalNote, Selection
from multirm.tables.headline import HEADLINE
from multirm.tables.headline_sentences import headline_sentences
from multirm.tables.reward_model_rows import labels_in

# A model and its aggregation.
Scorer = tuple[str | None, str | None]

Row = Mapping[str, Any]

_WIDTH = 100


@entry
def summarise_study(
    accuracy: list[Path],
    reward_models: list[Path] | None = None,
    headline: list[Path] | None = None,
) -> None:
    """Print which reward models beat the majority vote on each dataset, and overall accuracies at the largest N.

    Args:
        accuracy: Accuracy tables, as `multirm evaluate` writes them.
        reward_models: Tables of these reward models; without them, training runs are recognised by name.
        headline: Headline tables of the same datasets, written beside them. Without them, only accuracies are
            printed.
    """
    answers = parquet.read_all(headline or [], HEADLINE)
    parts = [
        summarise(parquet.read(path, ACCURACY), reward_models or [], answers) for path in accuracy
    ]
    sys.stdout.write("\n\n".join("\n".join(map(_printable, lines)) for lines in parts) + "\n")


def summarise(
    accuracy: pa.Table,
    reward_models: Sequence[Path] = (),
    headline: pa.Table | None = None,
) -> list[str]:
    """One dataset's tables as lines of text: sentences of the headline, then percentages with 95 % intervals over
    questions where known, else ± the standard deviation over runs. Stars refer to lines at the end, which say what an
    interval is based on besides the spread over questions, or why there is none.

    A model with several training runs has one line, for their mean, whose interval is over training seeds as well.

    Args:
        headline: rows of other datasets are ignored.
    """
    rows = [row for row in accuracy.to_pylist() if row["category"] == OVERALL]
    if not rows:
        return ["no accuracies"]
    dataset = rows[0]["dataset"]
    labels = labels_in(rows, reward_models)
    n_categories = len(set(accuracy["category"].to_pylist())) - 1
    scope = "1 category" if n_categories == 1 else f"mean of {n_categories} categories"
    answers = headline.to_pylist() if headline else []
    own = [row for row in answers if row["dataset"] == dataset]
    return [
        f"{dataset}: {rows[0]['n_questions']} questions, {scope}",
        *map(_wrapped, headline_sentences(own, labels)),
        *_numbers(rows, labels),
    ]


def _wrapped(sentence: str) -> str:
    """A sentence in lines, none of which ends inside `p = 0.06`."""
    together = sentence.replace(" = ", "\xa0=\xa0").replace(" < ", "\xa0<\xa0")
    lines = textwrap.fill(together, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\xa0", " ")


def _numbers(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """Accuracies at the largest N: a line for each reward model, and one for what needs none."""
    largest = max(row["n"] for row in rows)
    cells = {(row["selection"], (row["model"], row["aggregation"]), row["n"]): row for row in rows}
    scorers = [scorer for scorer in dict.fromkeys(key[1] for key in cells) if scorer[0] in labels]
    models = [model for model, _ in scorers]
    notes: list[str] = []

    def cell(selection: Selection, scorer: Scorer = (None, None), n: int = largest) -> str:
        # Rows may be missing from a table that somebody has edited.
        row = cells.get((selection, scorer, n))
        return _shown(row, notes) if row else ""

    def name(scorer: Scorer) -> str:
        model, aggregation = scorer
        label = labels[str(model)]
        return f"{label} {aggregation}" if models.count(model) > 1 else label

    body = [
        [name(each), cell(Selection.BEST_OF_N, each), cell(Selection.WEIGHTED_VOTE, each)]
        for each in scorers
    ]
    header = ["accuracy in %", f"best-of-{largest}", "weighted vote"]
    lines = _aligned([header, *body]) if body else []
    lines += _without_rewards(cell, largest)
    return lines + [
        f"{'*' * place} {IntervalNote(note).meaning}" for place, note in enumerate(notes, 1)
    ]


def _without_rewards(cell: Callable[..., str], largest: int) -> list[str]:
    """The line about the majority vote and what bounds every selection, as far as they are known."""
    known = {
        "majority vote": cell(Selection.MAJORITY_VOTE),
        f"pass@{largest}": cell(Selection.PASS),
        "one solution": cell(Selection.PASS, n=1),
    }
    said = [f"{name} {value}" for name, value in known.items() if value]
    return [f"without a reward model: {', '.join(said)}"] if said else []


def _shown(row: Row, notes: list[str]) -> str:
    """An accuracy with its interval, and stars that refer to its note, which is added to the notes."""
    text = f"{row['accuracy']:.2f}"
    if row["accuracy_low"] is not None:
        text += f" [{row['accuracy_low']:.1f}, {row['accuracy_high']:.1f}]"
    elif row["std"] is not None:
        text += f" ± {row['std']:.2f}"
    if row["note"] is None:
        return text
    if row["note"] not in notes:
        notes.append(row["note"])
    return text + "*" * (1 + notes.index(row["note"]))


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


def _printable(lines: str) -> str:
    """Lines without control characters, which names from others' tables may have."""
    return "\n".join(map(escaped, lines.split("\n")))
