"""The legend of figures by itself, for documents that show parts of them."""

from pathlib import Path

import altair as alt

from multirm.figures import marks
from multirm.figures.accuracies import Accuracies, method_names
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import Selection


@entry
def draw_legend(
    accuracy: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
    ceiling: bool = False,
) -> None:
    """Draw the methods' colours and marks, as they are in all figures.

    Args:
        accuracy: An accuracy table (.parquet) or accuracies in the published layout (.csv).
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
        ceiling: Also name pass@N, the share of questions with any correct solution.
    """
    check_formats(output)
    # Whatever selects, the methods are the same.
    tables = reward_models or []
    figure = chart(read_accuracies(accuracy, Selection.BEST_OF_N, tables), ceiling)
    write_figure(figure, output, __name__, {"ceiling": ceiling}, [accuracy, *tables])


def chart(accuracies: Accuracies, ceiling: bool) -> alt.LayerChart:
    """A figure that is nothing but a legend.

    Args:
        ceiling: whether pass@N is named.
    """
    methods = method_names(accuracies.points, ceiling)
    if not methods:
        return marks.nothing("no methods to name")
    drawn = marks.legend(methods, accuracies.styles)
    return drawn.properties(description=f"Colours and marks of methods on {accuracies.dataset}")
