"""Measures of reward models from evaluation tables, with the labels and styles of the models."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.errors import escaped
from multirm.figures.palette import Style, styles
from multirm.figures.scorers import labels_and_styles
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, IntervalNote
from multirm.tables.reward_model_rows import describe, labels_of_shown, read_rows
from multirm.tables.schema import Schema

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Measures:
    """Rows of one table.

    Attributes:
        dataset: what they are of.
        rows: in the order of the table, each with the label of its model as `method`; of a model with a mean over
            training runs, only the mean's.
        styles: of every method.
        missing: the labels of the models that the table has no rows of.
        has_means: whether some are means over training runs.
    """

    dataset: str
    rows: Sequence[Row]
    styles: Mapping[str, Style]
    missing: Sequence[str] = ()
    has_means: bool = False

    @property
    def methods(self) -> list[str]:
        """In the order of the study."""
        found = {row["method"] for row in self.rows}
        return [name for name in self.styles if name in found]

    @property
    def categories(self) -> list[str]:
        """Overall first; a lone category is the whole by itself."""
        names = list(dict.fromkeys(row["category"] for row in self.rows))
        others = [name for name in names if name != OVERALL]
        return others if len(others) == 1 else names


def read_measures(path: Path, schema: Schema, tables: Sequence[Path]) -> Measures:
    """The rows of a table, with what its models look like.

    Args:
        tables: of reward models; without any, names tell what is a run of what.
    """
    rows = parquet.read(path, schema).to_pylist()
    for row in rows:
        row.setdefault("aggregation", None)
    dataset = rows[0]["dataset"] if rows else ""
    models = describe((row["model"] for row in rows), dataset, tables)
    known = read_rows(dataset, tables) if tables else models
    labels = labels_and_styles(rows, models, styles(known))
    named = [
        {**row, "category": escaped(row["category"]), "method": labels[key][0]}
        for row in rows
        if (key := (row["model"], row["aggregation"])) in labels
    ]
    order = [each.model for each in known]
    ordered = sorted(labels.items(), key=lambda item: order.index(item[0][0]))
    have = {each.run_of for each in models}
    missing = [
        escaped(label)
        for model, label in labels_of_shown(known).items()
        if next(each.run_of for each in known if each.model == model) not in have
    ]
    return Measures(
        escaped(dataset or path.parent.name),
        named,
        dict(label for _, label in ordered),
        missing,
        any(each.is_mean for each in models),
    )


def over_categories(measures: Measures) -> list[str]:
    """Over how many categories the measures are, if there are several."""
    n_categories = len(measures.categories) - (OVERALL in measures.categories)
    if n_categories < 2:
        return []
    overall = " Overall: each counts the same." if OVERALL in measures.categories else ""
    return [f"{n_categories} categories.{overall}"]


def sentences(measures: Measures, why_missing: str, measure: str = "f1") -> list[str]:
    """What the intervals of measures are, what is missing, and why.

    Args:
        why_missing: such as `without probabilities`.
        measure: the one that is drawn, whose notes count.
    """
    said = []
    if measures.rows:
        seeds = " and, for means over training runs, seeds" if measures.has_means else ""
        said.append(f"95 % intervals over questions{seeds}.")
    notes = {note for row in measures.rows for note in notes_of(row, measure)}
    if IntervalNote.ONE_QUESTION in notes:
        said.append("Where one question shows no spread, the interval allows for the largest.")
    if IntervalNote.UNDEFINED_WITHOUT_ONE_QUESTION in notes:
        said.append(
            "If undefined without one question, its interval allows for the largest spread."
        )
    if leaves_out_categories(notes):
        said.append("Overall leaves out categories in which it is undefined.")
    if measures.missing:
        said.append(f"Not shown, {why_missing}: {', '.join(measures.missing)}.")
    return said


def leaves_out_categories(notes: Iterable[str]) -> bool:
    """Whether one of some notes says so of an average, as in `3 of 4 categories`."""
    return any(note.endswith(" categories") for note in notes)


def notes_of(row: Row, measure: str) -> list[str]:
    """The notes of a row on a measure; they look like `one_question: recall, f1; 3 of 4 categories: recall`."""
    clauses = [clause.partition(": ") for clause in (row.get("note") or "").split("; ")]
    return [note for note, _, names in clauses if measure in names.split(", ")]


def n_questions(measures: Measures, name: str = "n_questions", of: str = "questions") -> str:
    """Over how many questions, or other items, the measures are: the most that any model has."""
    counts: dict[str, int] = {}
    for row in measures.rows:
        if row["category"] != OVERALL:
            counts[row["category"]] = max(counts.get(row["category"], 0), row[name])
    return f"{sum(counts.values())} {of}."
