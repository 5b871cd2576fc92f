"""Calibration: how many of the solutions with a reward are correct, a panel per reward model."""

from pathlib import Path
from typing import Any

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import Marks, marks, nothing
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.figures.sentences import sentences
from multirm.figures.titles import headroom, panel_title, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import OVERALL
from multirm.tables.schema import Row
from multirm.tables.verification import RELIABILITY

COLUMNS = 4

_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("x:Q", title="Mean reward", format=".3f"),
    alt.Tooltip("y:Q", title="Correct (%)", format=".1f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("n:Q", title="Solutions"),
]


@entry
def draw_calibration(
    reliability: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw the share of correct solutions against the reward, for each reward model and all categories together.

    Args:
        reliability: A reliability table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_measures(reliability, RELIABILITY, tables))
    write_figure(figure, output, __name__, {}, [reliability, *tables])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the reliability table; training runs have panels of their own."""
    rows = [row for row in measures.rows if row["category"] == OVERALL and row["count"]]
    methods = [name for name in measures.methods if any(row["method"] == name for row in rows)]
    columns = max(1, min(COLUMNS, len(methods)))
    width = theme.panel_width(columns)
    n_solutions = max((_count(rows, name) for name in methods), default=0)
    said = [
        f"{n_solutions} solutions, all categories together, in ten bins of rewards.",
        "On the grey line, as many are correct as the rewards say.",
        *sentences(measures, "without probabilities"),
    ]
    heading = title(
        "Calibration", measures.dataset, said, theme.row_width(columns) + theme.Y_AXIS_WIDTH
    )
    if not rows:
        return alt.vconcat(nothing("no probabilities to draw"), title=heading)
    drawn = marks(methods, measures.styles)
    panels = []
    for place, name in enumerate(methods):
        is_first, is_last = place % columns == 0, place + columns >= len(methods)
        own = [_point(row) for row in rows if row["method"] == name]
        panel = _panel(own, drawn, is_first, is_last)
        above = panel_title(name, width)
        panels.append(panel.properties(width=width, height=width, title=above))
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    grid = alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")
    return alt.vconcat(grid, title=heading)


def _count(rows: list[Row], method: str) -> int:
    return sum(row["count"] for row in rows if row["method"] == method)


def _panel(
    points: list[dict[str, Any]], drawn: Marks, is_first: bool, is_last: bool
) -> alt.LayerChart:
    x = alt.X(
        "x:Q",
        scale=alt.Scale(domain=[0, 1], nice=False),
        axis=alt.Axis(values=[0, 0.5, 1], format="~f", title="Reward" if is_last else None),
    )
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(
            values=[0, 25, 50, 75, 100],
            domain=False,
            ticks=False,
            labels=is_first,
            title="Correct (%)" if is_first else None,
        ),
    )
    ends = alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 100}])
    diagonal = alt.Chart(ends).mark_line(color=theme.AXIS, strokeWidth=1).encode(x=x, y=y)
    data = alt.InlineData(values=points)
    base = alt.Chart(data).encode(x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP)
    within = base.mark_rule(strokeWidth=1).encode(y="low:Q", y2="high:Q")
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    return diagonal + within + headroom(data) + point


def _point(row: Row) -> dict[str, Any]:
    share, low, high = (100 * row[f"share_correct{end}"] for end in ("", "_low", "_high"))
    return {
        "method": row["method"],
        "x": row["mean_reward"],
        "n": row["count"],
        "y": share,
        "low": low,
        "high": high,
        "interval": interval_text(low, high),
    }
