"""Sentences below the titles of figures: over what, with what uncertainty, and what is missing."""

from collections.abc import Iterable

from multirm.charts.scorers import Rows
from multirm.figures.measures import Measures
from multirm.tables.accuracy import OVERALL, IntervalNote
from multirm.tables.schema import Row


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
        said.append(f"95 % intervals over questions{and_seeds(measures.has_means)}.")
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


def and_seeds(has_means: bool) -> str:
    """What intervals over questions are also over, if some are of means over training runs."""
    return " and, for means over training runs, seeds" if has_means else ""


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


def sizes(groups: Rows) -> str:
    """How many solutions and questions a figure is over, from rows of the solution_groups table."""
    return f"{_overall(groups, 'n_solutions')} solutions to {questions_of(groups)} questions."


def questions_of(groups: Rows) -> int:
    """How many questions a figure is over, from rows of the solution_groups table."""
    return _overall(groups, "n_questions")


def _overall(groups: Rows, count: str) -> int:
    every = [row for row in groups if row["category"] == OVERALL and row["group"] == "all"]
    return sum(row[count] for row in every)
