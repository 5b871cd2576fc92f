"""ProcessBench's F1 of finding the first incorrect step: bars per category, and how it depends on the threshold."""

from pathlib import Path

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measure_panels import bars, grid, lines, measure_row, n_columns
from multirm.figures.measures import (
    Measures,
    n_questions,
    over_categories,
    read_measures,
    sentences,
)
from multirm.figures.titles import spoken, title
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
    at = [row for row in measures.rows if row["threshold"] == 0.5]
    width = theme.row_width(n_columns(measures.categories))
    said = [
        "F1: the harmonic mean of the accuracies on solutions with and without an incorrect step.",
        "Predicted: the first step with a reward below the threshold, which is 0.5 in the bars.",
        *over_categories(measures),
        *sentences(measures, "without step rewards that are probabilities"),
    ]
    if at:
        counted = [f"{n_questions(measures, f'n_{kind}', kind)[:-1]}" for kind in KINDS]
        said.insert(0, f"{' and '.join(counted)} solutions.")
    heading = title("First incorrect step, F1", measures.dataset, said, width + theme.Y_AXIS_WIDTH)
    if not any(row["f1"] is not None for row in at):
        return alt.vconcat(nothing("no step rewards of labelled steps to draw"), title=heading)
    drawn = marks(measures.methods, measures.styles)
    rows = [measure_row(row, "f1") for row in at]
    return alt.vconcat(
        grid(rows, measures.categories, bars(drawn, "F1"), "F1 (%)", from_zero=True),
        _by_threshold(measures, drawn),
        legend(measures.methods, measures.styles, width),
        spacing=theme.LEGEND_GAP,
        title=heading,
    )


KINDS = ("erroneous", "correct")


def _by_threshold(measures: Measures, drawn: Marks) -> alt.ConcatChart:
    whole = measures.categories[0]
    rows = [
        {
            **measure_row(row, "f1"),
            "x": row["threshold"],
            "category": f"{spoken(whole)}, by threshold",
        }
        for row in measures.rows
        if row["category"] == whole
    ]

    def x(_: bool) -> alt.X:
        scale = alt.Scale(domain=[0, 1], nice=False)
        return alt.X("x:Q", scale=scale, axis=alt.Axis(title="Threshold", grid=False))

    panel = lines(drawn, x, "F1", "Threshold")
    return grid(rows, [rows[0]["category"]], panel, "F1 (%)", from_zero=True)
