"""Grids of accuracy against N, a line per method, for figures of one dataset and of several."""

from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from multirm.figures.accuracies import Accuracies, Point, category_names, method_names
from multirm.figures.marks import marks
from multirm.figures.measures import interval_text
from multirm.figures.panels import SHOWS, doublings, framed, grid, lines
from multirm.figures.titles import spoken
from multirm.tables.accuracy import Selection

_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("x:Q", title="N"),
    alt.Tooltip("value:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("questions:N", title="Questions"),
]


def accuracy_lines(
    accuracies: Accuracies,
    selection: Selection,
    ceiling: bool,
    said: Callable[[Sequence[Point]], Sequence[str]],
    as_title: Callable[[str], str] = spoken,
) -> alt.VConcatChart:
    """The figure, with the categories and methods in the order of the points.

    Args:
        selection: how the models select in it.
        ceiling: whether pass@N is drawn.
        said: the sentences below the title, for the points that are drawn.
        as_title: what a category is called above its panel.
    """
    methods = method_names(accuracies.points, ceiling)
    points = [point for point in accuracies.points if point.method in methods]
    categories = category_names(points)
    looks = {name: accuracies.styles[name] for name in methods}
    sizes = sorted({point.n for point in points})
    panel = lines(marks(methods, looks), lambda is_last: _x(sizes, methods, is_last), _TOOLTIP)
    rows = [_row(point) for point in points]
    return framed(
        f"{SHOWS[selection]} accuracy",
        accuracies.dataset,
        said(points),
        categories,
        looks,
        [grid(rows, categories, panel, "Accuracy (%)", as_title=as_title)] if rows else [],
        why="no accuracies to draw",
    )


def _x(sizes: Sequence[int], methods: Sequence[str], is_last: bool) -> alt.X:
    """The x axis: N, or the methods, where there is one N."""
    if len(sizes) > 1:
        return doublings(sizes, "N" if is_last else None)
    axis = alt.Axis(labels=False, ticks=False, title=f"N = {sizes[0]}" if is_last else None)
    return alt.X("method:N", scale=alt.Scale(domain=list(methods)), axis=axis)


def _row(point: Point) -> dict[str, Any]:
    return {
        "category": point.category,
        "method": point.method,
        "x": point.n,
        "value": point.accuracy,
        "low": point.low,
        "high": point.high,
        "interval": interval_text(point.low, point.high, digits=2),
        "questions": "unknown" if point.n_questions is None else point.n_questions,
    }
