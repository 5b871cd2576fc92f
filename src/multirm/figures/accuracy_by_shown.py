"""How often reward models prefer the better response, of which they see the first characters only."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt

from multirm.figures.marks import marks
from multirm.figures.measures import Measures, in_order
from multirm.figures.panels import framed, grid, lines, measure_tooltip
from multirm.figures.response_measures import read_accuracies, said_of
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.schema import Row


@entry
def draw_accuracy_by_shown(response_accuracy: Path, output: list[OutputFile]) -> None:
    """Draw accuracy against how much of each response the reward models saw, by section of a benchmark.

    Args:
        response_accuracy: A response_accuracy table of responses with truncated variants.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    figure = chart(*read_accuracies(response_accuracy))
    write_figure(figure, output, __name__, {}, [response_accuracy])


def chart(measures: Measures, rows: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows as `accuracies` makes them."""
    sizes = sorted({row["n_shown"] for row in rows} - {None})
    if not sizes:
        rows = []
    whole = 2 * sizes[-1] if sizes else 0
    points = [{**row, "x": row["n_shown"] or whole} for row in rows]
    categories = in_order(row["category"] for row in points)
    methods = [name for name in measures.styles if name in {row["method"] for row in points}]
    looks = {name: measures.styles[name] for name in methods}
    tooltip = measure_tooltip("Accuracy", alt.Tooltip("n_shown:Q", title="Characters shown"))
    panel = lines(marks(methods, looks), lambda is_last: _x([*sizes, whole], is_last), tooltip)
    return framed(
        "Accuracy by characters shown",
        measures.dataset,
        [*said_of(points), "Responses are cut after so many characters; all: whole responses."],
        categories,
        looks,
        [grid(points, categories, panel, "Accuracy (%)")] if points else [],
        why="no truncated responses to draw",
    )


def _x(places: Sequence[int], is_last: bool) -> alt.X:
    """An x axis on which each doubling is as long, and the last place means whole responses."""
    axis = alt.Axis(
        values=list(places),
        labelExpr=f"datum.value == {places[-1]} ? 'all' : datum.value",
        grid=False,
        labelOverlap=True,
        title="Characters" if is_last else None,
    )
    return alt.X("x:Q", scale=alt.Scale(type="log", base=2, nice=False, padding=6), axis=axis)
