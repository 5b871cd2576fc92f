"""Solutions → what each dataset and category consists of."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb

from multirm.report.sheets import Row, Sheet, check_suffixes, in_words, write_sheets
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.dataset_statistics import DATASET_STATISTICS
from multirm.tables.solutions import SOLUTIONS_IF_ANY
from multirm.tables.sql import literals, reading, without_wildcards

# Datasets and categories in the order of their files, the whole dataset first.
_COUNTS = """
    SELECT
        dataset,
        category,
        count(DISTINCT (category, question_id)) AS n_questions,
        count(*) AS n_solutions,
        sum(len(steps)) AS n_steps,
        count(outcome) AS n_judged,
        count(*) FILTER (outcome = 1) AS n_correct,
        count(step_labels) AS n_labelled,
        coalesce(sum(list_sum(step_labels)), 0) AS n_correct_steps,
        coalesce(sum(len(step_labels) - list_sum(step_labels)), 0) AS n_incorrect_steps,
        count(*) FILTER (outcome = 1 AND list_min(step_labels) = 0) AS n_recoveries
    FROM (
        SELECT *, min(place) OVER (PARTITION BY dataset) AS first
        FROM (SELECT *, list_position($files, file) AS place FROM {source})
    )
    GROUP BY GROUPING SETS ((dataset, first), (dataset, first, category))
    ORDER BY first, grouping(category) DESC, min(place), category
"""


@entry
@reading("--solutions")
def tabulate_dataset_statistics(solutions: list[Path], output: list[OutputFile]) -> None:
    """Count each dataset's questions, solutions, steps, labels and recoveries, by category.

    Correct is what the outcome labels call so; solutions without one are not counted in the share that is correct.

    Args:
        solutions: Tables of solutions.
        output: Files to write; each suffix says the format: .parquet, .tex, .md or .csv.
    """
    check_suffixes(output)
    rows = count(solutions)
    origin = origin_of(__name__, {}, solutions)
    write_sheets(output, DATASET_STATISTICS, rows, sheets(rows), origin)


def count(solutions: Sequence[Path]) -> list[dict[str, Any]]:
    """Rows of the dataset_statistics table: for each dataset the whole first, then its categories.

    Raises:
        InputError: not tables of solutions.
    """
    for path in solutions:
        parquet.check_readable(path, SOLUTIONS_IF_ANY)
    names = list(map(without_wildcards, solutions))
    source = f"read_parquet({literals(names)}, union_by_name = true, hive_partitioning = false, filename = 'file')"
    files = {"files": list(map(str, solutions))}
    query = _COUNTS.format(source=source)
    found = duckdb.connect().sql(query, params=files).to_arrow_table()
    return [
        {name: row[name] for name in DATASET_STATISTICS.columns.names} for row in found.to_pylist()
    ]


def sheets(rows: Sequence[Row]) -> list[Sheet]:
    """A sheet for each dataset."""
    return [
        _sheet(dataset, list(own)) for dataset, own in groupby(rows, lambda row: row["dataset"])
    ]


_HEADER = (
    *("category", "questions", "solutions", "per question", "steps per solution"),
    *("correct, %", "correct steps", "incorrect steps", "recoveries"),
)


def _sheet(dataset: str, rows: Sequence[Row]) -> Sheet:
    whole = rows[0]
    notes = ["Recoveries are correct solutions with an incorrect step."]
    unjudged = whole["n_solutions"] - whole["n_judged"]
    unlabelled = whole["n_solutions"] - whole["n_labelled"]
    if unjudged:
        notes.append(f"{unjudged:,} solutions have no outcome label and are not in the share.")
    if unlabelled:
        notes.append(f"{unlabelled:,} solutions have no step labels.")
    return Sheet(f"Solutions of {dataset}", _HEADER, list(map(_cells, rows)), notes)


def _cells(row: Row) -> list[str]:
    name = "all" if row["category"] is None else in_words(row["category"])
    counts = [f"{row[f'n_{each}']:,}" for each in ("questions", "solutions")]
    means = [
        f"{row['n_solutions'] / row['n_questions']:.1f}",
        f"{row['n_steps'] / row['n_solutions']:.1f}",
        f"{100 * row['n_correct'] / row['n_judged']:.1f}" if row["n_judged"] else "–",
    ]
    labels = [
        f"{row[f'n_{each}']:,}" if row["n_labelled"] else "–"
        for each in ("correct_steps", "incorrect_steps", "recoveries")
    ]
    return [name, *counts, *means, *labels]
