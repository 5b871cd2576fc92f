"""The main figure: accuracy against N, a panel per category, a line per method."""

from pathlib import Path

import altair as alt

from multirm.figures import theme
from multirm.figures.accuracies import Accuracies, method_names, sentences
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.accuracy_panels import SHOWS, grid, n_columns
from multirm.figures.marks import legend, marks, nothing
from multirm.figures.titles import title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import Selection


@entry
def draw_accuracy_grid(
    accuracy: Path,
    selection: Selection,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
    ceiling: bool = False,
) -> None:
    """Draw accuracy against N for each category, with one line per reward model.

    Args:
        accuracy: An accuracy table (.parquet) or accuracies in the published layout (.csv).
        selection: How the models select: best_of_n or weighted_vote.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
        ceiling: Also draw pass@N, the share of questions with any correct solution.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_accuracies(accuracy, selection, tables), selection, ceiling)
    parameters = {"selection": str(selection), "ceiling": ceiling}
    write_figure(figure, output, __name__, parameters, [accuracy, *tables])


def chart(accuracies: Accuracies, selection: Selection, ceiling: bool) -> alt.VConcatChart:
    """The figure, with the categories and methods in the order of the points.

    Args:
        selection: how the models select in it.
        ceiling: whether pass@N is drawn.
    """
    methods = method_names(accuracies.points, ceiling)
    points = [point for point in accuracies.points if point.method in methods]
    width = theme.row_width(n_columns(points))
    heading = title(
        f"{SHOWS[selection]} accuracy",
        accuracies.dataset,
        sentences(accuracies, points),
        width + theme.Y_AXIS_WIDTH,
    )
    if not points:
        return alt.vconcat(nothing("no accuracies to draw"), title=heading)
    key = legend(methods, accuracies.styles, width)
    return alt.vconcat(
        grid(points, marks(methods, accuracies.styles)),
        key,
        spacing=theme.LEGEND_GAP,
        title=heading,
    )
