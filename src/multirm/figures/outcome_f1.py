"""F1 of verdicts on whole solutions, bars per category."""

from pathlib import Path

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import legend, marks, nothing
from multirm.figures.measure_panels import bars, grid, measure_row, n_columns
from multirm.figures.measures import (
    Measures,
    n_questions,
    over_categories,
    read_measures,
    sentences,
)
from multirm.figures.titles import title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.f1 import THRESHOLDS


@entry
def draw_outcome_f1(
    thresholds: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw each reward model's outcome F1 per category, at the threshold 0.5.

    Args:
        thresholds: A thresholds table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_measures(thresholds, THRESHOLDS, tables))
    write_figure(figure, output, __name__, {}, [thresholds, *tables])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the thresholds table."""
    at = [row for row in measures.rows if row["threshold"] == 0.5]
    width = theme.row_width(n_columns(measures.categories))
    said = [n_questions(measures), "A solution is predicted correct from a reward of 0.5 on."]
    said += over_categories(measures) + sentences(measures, "without probabilities")
    heading = title("Outcome F1", measures.dataset, said, width + theme.Y_AXIS_WIDTH)
    if not any(row["f1"] is not None for row in at):
        return alt.vconcat(nothing("no F1 to draw"), title=heading)
    rows = [measure_row(row, "f1") for row in at]
    drawn = marks(measures.methods, measures.styles)
    return alt.vconcat(
        grid(rows, measures.categories, bars(drawn, "F1"), "F1 (%)", from_zero=True),
        legend(measures.methods, measures.styles, width),
        spacing=theme.LEGEND_GAP,
        title=heading,
    )
