"""The legend of the main figure by itself, for documents that show parts of the figure."""

from pathlib import Path

import altair as alt

from multirm.figures.accuracies import read_accuracies
from multirm.figures.accuracy_grid import (
    check_formats,
    drawn_methods,
    in_our_style,
    method_marks,
    write_figure,
)
from multirm.running.arguments import OutputFile, entry
from multirm.running.provenance import origin_of, to_text
from multirm.tables.accuracy import Selection


@entry
def draw_legend(accuracy: Path, output: list[OutputFile], ceiling: bool = False) -> None:
    """Draw the methods' colours and shapes, as they are in the figures of the same accuracies.

    Args:
        accuracy: An accuracy table (.parquet) or accuracies in the published layout (.csv).
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        ceiling: Also name pass@N, the share of questions with any correct solution.
    """
    check_formats(output)
    # Whatever selects, the methods are the same.
    methods = drawn_methods(read_accuracies(accuracy, Selection.BEST_OF_N), ceiling)
    origin = origin_of(__name__, {"ceiling": ceiling}, [accuracy])
    write_figure(legend(methods), output, to_text("figure legend", origin))


def legend(methods: list[str]) -> alt.Chart:
    """A figure of which nothing is to be seen but its legend."""
    colour, shape = method_marks(methods)
    points = alt.InlineData(values=[{"method": method} for method in methods])
    return in_our_style(
        alt.Chart(points)
        .mark_point(filled=True, size=0)
        .encode(color=colour, shape=shape)
        .properties(width=1, height=1)
    )
