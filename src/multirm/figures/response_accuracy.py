"""How often reward models prefer the better response: bars per section of a benchmark, and overall."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt

from multirm.figures.marks import marks
from multirm.figures.measures import Measures, in_order
from multirm.figures.panels import bars, framed, grid, measure_tooltip
from multirm.figures.response_measures import read_accuracies, said_of
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.schema import Row


@entry
def draw_response_accuracy(response_accuracy: Path, output: list[OutputFile]) -> None:
    """Draw each reward model's accuracy in the sections of a benchmark, beside preferring longer responses.

    Args:
        response_accuracy: A response_accuracy table, as `evaluate-responses` writes it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    figure = chart(*read_accuracies(response_accuracy))
    write_figure(figure, output, __name__, {}, [response_accuracy])


def chart(measures: Measures, rows: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows as `accuracies` makes them."""
    own = [row for row in rows if row["n_shown"] is None]
    categories = in_order(row["category"] for row in own)
    methods = [name for name in measures.styles if name in {row["method"] for row in own}]
    looks = {name: measures.styles[name] for name in methods}
    panel = bars(marks(methods, looks), measure_tooltip("Accuracy"))
    return framed(
        "Accuracy",
        measures.dataset,
        said_of(own),
        categories,
        looks,
        [grid(own, categories, panel, "Accuracy (%)", from_zero=True)] if own else [],
        why="no accuracies to draw",
    )
