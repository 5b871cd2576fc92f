"""The main figure: accuracy against N, a panel per category, a line per method."""

from pathlib import Path

import altair as alt

from multirm.figures.accuracies import Accuracies, sentences
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.accuracy_lines import accuracy_lines
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
    """The figure: a panel for each category; `ceiling` adds pass@N."""
    return accuracy_lines(
        accuracies, selection, ceiling, lambda points: sentences(accuracies, points)
    )
