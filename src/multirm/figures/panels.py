"""Panels side by side, one per category, with one y axis in percent: lines over a quantity, or bars of methods."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measures import Measures, interval_text
from multirm.figures.titles import headroom, panel_title, spoken, title
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.schema import Row

COLUMNS = 5

SHOWS = {Selection.BEST_OF_N: "Best-of-N", Selection.WEIGHTED_VOTE: "Weighted vote"}
"""What the y axis shows with each selection."""

Panel = Callable[[Sequence[Row], alt.Y, bool], alt.LayerChart]
"""Draws a panel of some rows with a y axis; whether the panel has no other below it."""

# Of the y axis, in percent.
_STEPS, _MOST_STEPS, _FEWEST_STEPS = (5, 10, 20), 6, 4


def n_columns(categories: Sequence[str]) -> int:
    """How many panels stand in a row."""
    return max(1, min(COLUMNS, len(categories)))


def framed(
    shows: str,
    dataset: str,
    said: Sequence[str],
    categories: Sequence[str],
    looks: Mapping[str, Style],
    grids: Sequence[alt.ConcatChart],
    why: str,
) -> alt.VConcatChart:
    """A figure of grids above each other, with a title above them and a legend below.

    Args:
        shows: what is drawn, such as `Best-of-N accuracy`.
        said: sentences below the title.
        categories: those of the widest grid.
        looks: the styles of the methods that are drawn.
        grids: as `grid` draws them.
        why: why there are no grids, if there are none.
    """
    width = theme.row_width(n_columns(categories))
    heading = title(shows, dataset, said, width + theme.Y_AXIS_WIDTH)
    if not grids:
        return alt.vconcat(nothing(why), title=heading)
    key = legend(list(looks), looks, width)
    return alt.vconcat(*grids, key, spacing=theme.LEGEND_GAP, title=heading)


def grid(
    rows: Sequence[Row],
    categories: Sequence[str],
    panel: Panel,
    y_title: str,
    from_zero: bool = False,
    as_title: Callable[[str], str] = spoken,
) -> alt.ConcatChart:
    """The panels in rows of at most five; all have one y axis.

    Args:
        rows: with category, value, low and high, such as `measure_row` gives them; those without a value are left
            out.
        from_zero: whether the y axis begins at 0, as bars need it.
        as_title: what a category is called above its panel.
    """
    rows = [row for row in rows if row["value"] is not None]
    ticks = ticks_of(rows, from_zero)
    columns = n_columns(categories)
    width = theme.panel_width(columns)
    drawn = []
    for place, category in enumerate(categories):
        own = [row for row in rows if row["category"] == category]
        is_first, is_last = place % columns == 0, place + columns >= len(categories)
        heading = panel_title(as_title(category), width, category == OVERALL)
        drawn.append(
            panel(own, y_axis(ticks, is_first, y_title), is_last).properties(
                width=width, height=theme.PANEL_HEIGHT, title=heading
            )
        )
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    return alt.concat(*drawn, columns=columns, spacing=spacing, bounds="flush")


def lines(drawn: Marks, x: Callable[[bool], alt.X], tooltip: Sequence[alt.Tooltip]) -> Panel:
    """Panels with a line per method over the field x, and bands.

    Args:
        x: the x axis; whether the panel has no other below it.
    """

    def panel(rows: Sequence[Row], y: alt.Y, is_last: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        base = alt.Chart(data).encode(x=x(is_last), y=y, color=drawn.colour, tooltip=list(tooltip))
        within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
        # An area needs two points.
        is_band = len({row["x"] for row in rows}) > 1
        band = within.mark_area(opacity=drawn.band_opacity) if is_band else within.mark_rule()
        line = base.mark_line().encode(strokeDash=drawn.dash)
        point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
        return band + line + headroom(data) + point

    return panel


def bars(drawn: Marks, tooltip: Sequence[alt.Tooltip]) -> Panel:
    """Panels with a bar per method, and its interval."""

    def panel(rows: Sequence[Row], y: alt.Y, _: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        x = alt.X("method:N", scale=alt.Scale(domain=list(drawn.methods)), axis=None)
        base = alt.Chart(data).encode(x=x, y=y, tooltip=list(tooltip))
        return base.mark_bar().encode(color=drawn.colour) + intervals(base) + headroom(data)

    return panel


def f1_bars(measures: Measures) -> list[alt.ConcatChart]:
    """Bars of F1 at the threshold 0.5; none if no model has an F1."""
    rows = [measure_row(row, "f1") for row in measures.rows if row["threshold"] == 0.5]
    if all(row["value"] is None for row in rows):
        return []
    panel = bars(marks(measures.methods, measures.styles), measure_tooltip("F1"))
    return [grid(rows, measures.categories, panel, "F1 (%)", from_zero=True)]


def intervals(base: alt.Chart) -> alt.Chart:
    """Thin lines over bars, from the low end of each interval to the high end."""
    within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    return within.mark_rule(color=theme.INK, strokeWidth=1)


def measure_row(row: Row, name: str, **columns: Any) -> dict[str, Any]:
    """A row of a table as panels show it: the measure `name` and its interval in percent, and further columns."""
    value, low, high = (
        None if row[key] is None else 100 * row[key]
        for key in (name, f"{name}_low", f"{name}_high")
    )
    n = row["n_questions"] if "n_questions" in row else row["n_erroneous"] + row["n_correct"]
    return {
        **{key: row[key] for key in ("category", "method")},
        "value": value,
        "low": low,
        "high": high,
        "interval": interval_text(low, high),
        "n": n,
        **columns,
    }


def measure_tooltip(measure: str, *more: alt.Tooltip) -> list[alt.Tooltip]:
    """Method, value, interval and count, as `measure_row` gives them, and more."""
    return [
        alt.Tooltip("method:N", title="Method"),
        alt.Tooltip("value:Q", title=f"{measure} (%)", format=".1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="n"),
        *more,
    ]


def doublings(sizes: Sequence[int], x_title: str | None) -> alt.X:
    """An x axis on which each doubling is as long, with a tick at each size."""
    axis = alt.Axis(
        values=list(sizes),
        tickCount=len(sizes),
        format="d",
        grid=False,
        labelOverlap=True,
        title=x_title,
    )
    return alt.X("x:Q", scale=alt.Scale(type="log", base=2, nice=False, padding=6), axis=axis)


def y_axis(ticks: Sequence[float], is_first: bool, y_title: str) -> alt.Y:
    """The y axis that panels side by side share, in percent, with labels in the first of a row."""
    return alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[ticks[0], ticks[-1]], nice=False, zero=False),
        axis=alt.Axis(
            values=list(ticks),
            tickCount=len(ticks),
            format="~f",
            domain=False,
            ticks=False,
            labels=is_first,
            labelOverlap=False,
            title=y_title if is_first else None,
        ),
    )


def ticks_of(rows: Sequence[Row], from_zero: bool = False) -> list[float]:
    """The ticks of a y axis in percent: the ends are around every value and interval."""
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    lowest, highest = (min(ends), max(ends)) if ends else (0.0, 100.0)
    lowest = 0.0 if from_zero else lowest
    step = next(step for step in _STEPS if highest - lowest <= _MOST_STEPS * step)
    low, high = math.floor(lowest / step), math.ceil(highest / step)
    while high - low < _FEWEST_STEPS:
        low, high = max(low - 1, 0), min(high + 1, 100 // step)
    return [float(step * place) for place in range(low, high + 1)]
