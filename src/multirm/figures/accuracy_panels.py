"""Panels of accuracy against N, a line per method, for every figure of accuracies."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from multirm.figures import theme
from multirm.figures.accuracies import Point, category_names
from multirm.figures.marks import Marks
from multirm.figures.titles import headroom, panel_title, spoken
from multirm.tables.accuracy import OVERALL, Selection

COLUMNS = 5

SHOWS = {Selection.BEST_OF_N: "Best-of-N", Selection.WEIGHTED_VOTE: "Weighted vote"}
"""What the y axis shows with each selection."""

# Of the y axis, in percent.
_STEPS, _MOST_STEPS, _FEWEST_STEPS = (5, 10, 20), 6, 4

_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("n:Q", title="N"),
    alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("questions:N", title="Questions"),
]


def grid(
    points: Sequence[Point], drawn: Marks, as_title: Callable[[str], str] = spoken
) -> alt.ConcatChart:
    """The panels in rows of at most five; all have one y axis.

    Args:
        points: at least one.
        drawn: the encodings of their methods.
        as_title: what a category is called above its panel.
    """
    columns = n_columns(points)
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    return alt.concat(
        *_panels(points, drawn, columns, as_title), columns=columns, spacing=spacing, bounds="flush"
    )


def n_columns(points: Sequence[Point]) -> int:
    """How many panels stand in a row."""
    return max(1, min(COLUMNS, len(category_names(points))))


def _panels(
    points: Sequence[Point], drawn: Marks, columns: int, as_title: Callable[[str], str]
) -> list[alt.LayerChart]:
    sizes = sorted({point.n for point in points})
    ticks = y_ticks(points)
    categories = category_names(points)
    width = theme.panel_width(columns)
    panels = []
    for place, category in enumerate(categories):
        own = [point for point in points if point.category == category]
        is_first, is_last = place % columns == 0, place + columns >= len(categories)
        heading = panel_title(as_title(category), width, category == OVERALL)
        panel = _panel(own, drawn, _x(sizes, drawn.methods, is_last), y_axis(ticks, is_first))
        panels.append(panel.properties(width=width, height=theme.PANEL_HEIGHT, title=heading))
    return panels


def _panel(points: Sequence[Point], drawn: Marks, x: alt.X, y: alt.Y) -> alt.LayerChart:
    rows = alt.InlineData(values=[_row(point) for point in points])
    base = alt.Chart(rows).encode(x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP)
    within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    # An area needs two points.
    is_band = len({point.n for point in points}) > 1
    band = within.mark_area(opacity=theme.BAND_OPACITY) if is_band else within.mark_rule()
    line = base.mark_line().encode(strokeDash=drawn.dash)
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    return band + line + headroom(rows) + point


def _x(sizes: Sequence[int], methods: Sequence[str], is_last: bool) -> alt.X:
    """The x axis: N, on a scale on which each doubling is as long; the methods, where there is one N."""
    if len(sizes) == 1:
        axis = alt.Axis(labels=False, ticks=False, title=f"N = {sizes[0]}" if is_last else None)
        return alt.X("method:N", scale=alt.Scale(domain=list(methods)), axis=axis)
    axis = alt.Axis(
        values=sizes,
        tickCount=len(sizes),
        format="d",
        grid=False,
        labelOverlap=True,
        title="N" if is_last else None,
    )
    return alt.X("n:Q", scale=alt.Scale(type="log", base=2, nice=False, padding=6), axis=axis)


def y_axis(ticks: Sequence[float], is_first: bool) -> alt.Y:
    """The y axis that panels side by side share: accuracy in percent, with labels in the first of a row."""
    title_ = "Accuracy (%)" if is_first else None
    return alt.Y(
        "accuracy:Q",
        scale=alt.Scale(domain=[ticks[0], ticks[-1]], nice=False, zero=False),
        axis=alt.Axis(
            values=ticks,
            tickCount=len(ticks),
            format="~f",
            domain=False,
            ticks=False,
            labels=is_first,
            labelOverlap=False,
            title=title_,
        ),
    )


def y_ticks(points: Sequence[Point]) -> list[float]:
    """The ticks of the y axis that all panels share, in percent: the ends are around every point and interval."""
    ends = [
        value
        for point in points
        for value in (point.accuracy, point.low, point.high)
        if value is not None
    ]
    return ticks_around(min(ends), max(ends))


def ticks_around(lowest: float, highest: float) -> list[float]:
    """Ticks in percent from below the lowest value to above the highest one."""
    step = next(step for step in _STEPS if highest - lowest <= _MOST_STEPS * step)
    low, high = math.floor(lowest / step), math.ceil(highest / step)
    while high - low < _FEWEST_STEPS:
        low, high = max(low - 1, 0), min(high + 1, 100 // step)
    return [float(step * place) for place in range(low, high + 1)]


def _row(point: Point) -> dict[str, Any]:
    known = point.low is not None and point.high is not None
    return {
        "method": point.method,
        "n": point.n,
        "accuracy": point.accuracy,
        "low": point.low,
        "high": point.high,
        "interval": f"{point.low:.2f} to {point.high:.2f}" if known else "none",
        "questions": "unknown" if point.n_questions is None else point.n_questions,
    }
