"""Panels of measures in percent, one per category: bars, or lines over a quantity."""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from multirm.figures import theme
from multirm.figures.accuracy_panels import COLUMNS, ticks_around
from multirm.figures.marks import Marks
from multirm.figures.measures import Row
from multirm.figures.titles import panel_title, spoken
from multirm.tables.accuracy import OVERALL

Panel = Callable[[alt.InlineData, alt.Y, bool], alt.LayerChart]
"""Draws a panel of some rows with a y axis; whether the panel has no other below it."""


def n_columns(categories: Sequence[str]) -> int:
    """How many panels stand in a row."""
    return max(1, min(COLUMNS, len(categories)))


def measure_row(row: Row, name: str) -> dict[str, Any]:
    """A row of a table as panels show it: the measure `name` and its interval in percent."""
    value, low, high = (
        None if row[key] is None else 100 * row[key]
        for key in (name, f"{name}_low", f"{name}_high")
    )
    interval = "none" if low is None or high is None else f"{low:.1f} to {high:.1f}"
    n = row["n_questions"] if "n_questions" in row else row["n_erroneous"] + row["n_correct"]
    return {
        **{key: row[key] for key in ("category", "method")},
        "value": value,
        "low": low,
        "high": high,
        "interval": interval,
        "n": n,
    }


def grid(
    rows: Sequence[Row], categories: Sequence[str], panel: Panel, y_title: str, from_zero: bool
) -> alt.ConcatChart:
    """The panels in rows of at most five; all have one y axis.

    Args:
        rows: as `measure_row` gives them; those without a value are left out.
        from_zero: whether the y axis begins at 0, as bars need it.
    """
    rows = [row for row in rows if row["value"] is not None]
    ends = [row[key] for row in rows for key in ("value", "low", "high") if row[key] is not None]
    lowest, highest = (min(ends), max(ends)) if ends else (0.0, 100.0)
    ticks = ticks_around(0.0 if from_zero else lowest, highest)
    columns = n_columns(categories)
    width = theme.panel_width(columns)
    drawn = []
    for place, category in enumerate(categories):
        own = [row for row in rows if row["category"] == category]
        is_first, is_last = place % columns == 0, place + columns >= len(categories)
        heading = panel_title(spoken(category), width, category == OVERALL, above_labels=is_first)
        y = _y(ticks, is_first, y_title)
        drawn.append(
            panel(alt.InlineData(values=own), y, is_last).properties(
                width=width, height=theme.PANEL_HEIGHT, title=heading
            )
        )
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    return alt.concat(*drawn, columns=columns, spacing=spacing, bounds="flush")


def bars(drawn: Marks, tooltip_title: str) -> Panel:
    """Panels with a bar per method, and its interval."""

    def panel(data: alt.InlineData, y: alt.Y, _: bool) -> alt.LayerChart:
        x = alt.X("method:N", scale=alt.Scale(domain=list(drawn.methods)), axis=None)
        base = alt.Chart(data).encode(x=x, y=y, tooltip=tooltip(tooltip_title))
        bar = base.mark_bar().encode(color=drawn.colour)
        return bar + intervals(base)

    return panel


def lines(drawn: Marks, x: Callable[[bool], alt.X], tooltip_title: str, x_title: str) -> Panel:
    """Panels with a line per method, and a band."""

    def panel(data: alt.InlineData, y: alt.Y, is_last: bool) -> alt.LayerChart:
        told = [*tooltip(tooltip_title), alt.Tooltip("x:Q", title=x_title)]
        base = alt.Chart(data).encode(x=x(is_last), y=y, color=drawn.colour, tooltip=told)
        within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
        band = within.mark_area(opacity=theme.BAND_OPACITY)
        line = base.mark_line().encode(strokeDash=drawn.dash)
        point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
        return band + line + point

    return panel


def intervals(base: alt.Chart) -> alt.Chart:
    """Thin lines over bars, from the low end of each interval to the high end."""
    within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    return within.mark_rule(color=theme.INK, strokeWidth=1)


def tooltip(measure: str) -> list[alt.Tooltip]:
    """Method, value, interval and count."""
    return [
        alt.Tooltip("method:N", title="Method"),
        alt.Tooltip("value:Q", title=f"{measure} (%)", format=".1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="n"),
    ]


def _y(ticks: Sequence[float], is_first: bool, title: str) -> alt.Y:
    return alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[ticks[0], ticks[-1]], nice=False, zero=False),
        axis=alt.Axis(
            values=list(ticks),
            tickCount=len(ticks),
            labelOverlap=False,
            format="~f",
            domain=False,
            ticks=False,
            labels=is_first,
            title=title if is_first else None,
        ),
    )
