"""Outcome F1 against the number of critiques per solution, a panel per category."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.figures.marks import marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import (
    doublings,
    framed,
    grid,
    lines,
    measure_row,
    measure_tooltip,
)
from multirm.figures.sentences import n_questions, over_categories, sentences
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.f1 import F1_BY_CRITIQUES, THRESHOLDS


@entry
def draw_f1_by_critiques(
    f1_by_critiques: Path,
    thresholds: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw outcome F1 against the number of critiques; models without critiques are level lines.

    Args:
        f1_by_critiques: A table of that name.
        thresholds: The thresholds table of the same dataset.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(
        read_measures(f1_by_critiques, F1_BY_CRITIQUES, tables),
        read_measures(thresholds, THRESHOLDS, tables),
    )
    write_figure(figure, output, __name__, {}, [f1_by_critiques, thresholds, *tables])


def chart(by_critiques: Measures, every: Measures) -> alt.VConcatChart:
    """The figure.

    Args:
        by_critiques: rows of the f1_by_critiques table.
        every: rows of the thresholds table, which also has the models without critiques.
    """
    sizes = sorted({row["n_critiques"] for row in by_critiques.rows})
    said = [
        n_questions(every),
        "A solution is predicted correct from a mean reward of 0.5 on, averaged over random choices of M critiques.",
        "Level lines: models without critiques.",
        *over_categories(every),
        *sentences(every, "without probabilities"),
    ]
    rows = [measure_row(row, "f1", x=row["n_critiques"]) for row in by_critiques.rows]
    grids = []
    if any(row["value"] is not None for row in rows):
        rows += _level(by_critiques, every, sizes)
        panel = lines(
            marks(every.methods, every.styles),
            lambda is_last: doublings(sizes, "M" if is_last else None),
            measure_tooltip("F1", alt.Tooltip("x:Q", title="M")),
        )
        grids = [grid(rows, every.categories, panel, "F1 (%)")]
    return framed(
        "Outcome F1 by number of critiques M",
        every.dataset,
        said,
        every.categories,
        every.looks,
        grids,
        why="no model has several critiques of a solution",
    )


def _level(by_critiques: Measures, every: Measures, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Rows at both ends of the x axis for the models without critiques."""
    return [
        measure_row(row, "f1", x=size)
        for row in every.rows
        if row["threshold"] == 0.5 and row["method"] not in by_critiques.methods
        for size in dict.fromkeys((sizes[0], sizes[-1]))
    ]
