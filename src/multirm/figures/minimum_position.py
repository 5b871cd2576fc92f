"""How often the last step of a solution has the lowest reward, bars per category."""

from collections.abc import Sequence
from pathlib import Path

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import (
    Panel,
    framed,
    grid,
    intervals,
    measure_row,
    measure_tooltip,
)
from multirm.figures.sentences import n_questions, over_categories, sentences
from multirm.figures.titles import headroom
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.f1 import MINIMUM_POSITIONS
from multirm.tables.schema import Row

PALE = 0.45


@entry
def draw_minimum_position(
    minimum_positions: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw the share of solutions whose last step has the lowest reward, of correct ones and of incorrect ones.

    Args:
        minimum_positions: A minimum_positions table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_measures(minimum_positions, MINIMUM_POSITIONS, tables))
    write_figure(figure, output, __name__, {}, [minimum_positions, *tables])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the minimum_positions table."""
    said = [
        f"{n_questions(measures)[:-1]}; solutions with at least two steps.",
        "Full bars: correct solutions; pale bars: incorrect ones; ticks: if the lowest step were random.",
        *over_categories(measures),
        *sentences(measures, "without step rewards", "share"),
    ]
    rows = [
        measure_row(
            row,
            "share",
            outcome="correct" if row["correct"] else "incorrect",
            chance=None if row["by_chance"] is None else 100 * row["by_chance"],
        )
        for row in measures.rows
    ]
    panel = _bars(marks(measures.methods, measures.styles))
    is_known = any(row["value"] is not None for row in rows)
    return framed(
        "Lowest reward at the last step",
        measures.dataset,
        said,
        measures.categories,
        measures.looks,
        [grid(rows, measures.categories, panel, "Solutions (%)", from_zero=True)]
        if is_known
        else [],
        why="no step rewards to draw",
    )


def _bars(drawn: Marks) -> Panel:
    """Panels with two bars per method."""

    def panel(rows: Sequence[Row], y: alt.Y, _: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        told = measure_tooltip("Share", alt.Tooltip("outcome:N", title="Solutions"))
        base = alt.Chart(data).encode(
            x=alt.X("method:N", scale=alt.Scale(domain=list(drawn.methods)), axis=None),
            xOffset=alt.XOffset("outcome:N", scale=alt.Scale(domain=["correct", "incorrect"])),
            y=y,
            tooltip=told,
        )
        opacity = alt.Opacity(
            "outcome:N",
            scale=alt.Scale(domain=["correct", "incorrect"], range=[1, PALE]),
            legend=None,
        )
        bar = base.mark_bar().encode(color=drawn.colour, opacity=opacity)
        tick = base.mark_tick(color=theme.INK, thickness=1.5, width=10).encode(y="chance:Q")
        return bar + intervals(base) + headroom(data) + tick

    return panel
