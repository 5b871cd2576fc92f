"""ProcessBench's F1 of finding the first incorrect step: bars per category, and how it depends on the threshold."""

from pathlib import Path

import altair as alt

from multirm.figures.marks import marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import (
    f1_bars,
    framed,
    grid,
    lines,
    measure_row,
    measure_tooltip,
)
from multirm.figures.sentences import n_questions, over_categories, sentences
from multirm.figures.titles import spoken
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.f1 import STEP_THRESHOLDS


@entry
def draw_process_bench(
    step_thresholds: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw each reward model's ProcessBench F1 per category at the threshold 0.5, and overall at all thresholds.

    Args:
        step_thresholds: A step_thresholds table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_measures(step_thresholds, STEP_THRESHOLDS, tables))
    write_figure(figure, output, __name__, {}, [step_thresholds, *tables])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the step_thresholds table."""
    said = [
        "F1: the harmonic mean of the accuracies on solutions with and without an incorrect step.",
        "Predicted: the first step with a reward below the threshold, which is 0.5 in the bars.",
        *over_categories(measures),
        *sentences(measures, "without step rewards that are probabilities"),
    ]
    if measures.rows:
        counted = [n_questions(measures, f"n_{kind}", kind)[:-1] for kind in KINDS]
        said.insert(0, f"{' and '.join(counted)} solutions.")
    grids = f1_bars(measures)
    return framed(
        "First incorrect step, F1",
        measures.dataset,
        said,
        measures.categories,
        measures.looks,
        [*grids, _by_threshold(measures)] if grids else [],
        why="no step rewards of labelled steps to draw",
    )


KINDS = ("erroneous", "correct")


def _by_threshold(measures: Measures) -> alt.ConcatChart:
    whole = measures.categories[0]
    name = f"{spoken(whole)}, by threshold"
    rows = [
        measure_row(row, "f1", x=row["threshold"], category=name)
        for row in measures.rows
        if row["category"] == whole
    ]

    def x(_: bool) -> alt.X:
        scale = alt.Scale(domain=[0, 1], nice=False)
        return alt.X("x:Q", scale=scale, axis=alt.Axis(title="Threshold", grid=False))

    tooltip = measure_tooltip("F1", alt.Tooltip("x:Q", title="Threshold"))
    panel = lines(marks(measures.methods, measures.styles), x, tooltip)
    return grid(rows, [name], panel, "F1 (%)", from_zero=True)
