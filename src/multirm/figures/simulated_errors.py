"""A panel of simulated log-errors by number of steps, with the bounds that theorems set them."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import altair as alt

from multirm.charts.palette import Style, style_of_kind
from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import interval_of
from multirm.figures.titles import headroom, panel_title
from multirm.tables.log_errors import BoundKind, Case
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row

_WIDTH, HEIGHT = 220, 220

# How the cases are called, and how those of one kind are told apart.
_CASES = {
    Case.BIASED: ("dPRM prod, biased", Kind.DPRM, 0),
    Case.CORRELATED: ("dPRM prod, correlated", Kind.DPRM, 1),
    Case.INDEPENDENT: ("dPRM prod, independent", Kind.DPRM, 2),
    Case.ANTICORRELATED: ("dPRM prod, anti-correlated", Kind.DPRM, 3),
    Case.LOWEST: ("dPRM min, independent", Kind.DPRM, 4),
    Case.AVERAGE: ("dPRM mean, independent", Kind.DPRM, 5),
    Case.ONE_CRITIQUE: ("gPRM, 1 critique", Kind.GPRM, 0),
    Case.TEN_CRITIQUES: ("gPRM, 10 critiques", Kind.GPRM, 1),
    Case.MANY_CRITIQUES: ("gPRM, 1,000 critiques", Kind.GPRM, 2),
    Case.OUTCOME: ("dORM and gORM", Kind.DORM, 0),
}
_BOUNDS = {BoundKind.LOWER: "at least", BoundKind.UPPER: "at most"}
_TOOLTIP = [
    alt.Tooltip("method:N", title="Simulated"),
    alt.Tooltip("steps:Q", title="Steps"),
    alt.Tooltip("rms:Q", title="Log-error", format=".3f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("bound:N", title="Bound"),
    alt.Tooltip("n:Q", title="Simulated solutions"),
]


def panel(rows: Sequence[Row]) -> alt.LayerChart:
    """Root mean square log-errors against the number of steps, a line per case, named at its end.

    Args:
        rows: of the log_error_simulation table, at least one.
    """
    looks: dict[str, Style] = {
        name: style_of_kind(kind, rank) for name, kind, rank in _CASES.values()
    }
    drawn = marks(list(looks), looks)
    values = [_value(row) for row in rows]
    layers = [_bounds(values), *_lines(values, drawn), _names(values, drawn)]
    return alt.LayerChart(layer=layers).properties(
        width=_WIDTH, height=HEIGHT, title=panel_title("Simulated", _WIDTH, bold=True)
    )


def _value(row: Row) -> dict[str, Any]:
    bound = row["bound"]
    return {
        "method": _CASES[Case(row["case"])][0],
        "steps": row["n_steps"],
        "rms": row["rms"],
        "low": row["rms_low"],
        "high": row["rms_high"],
        "interval": interval_of(row, "rms", digits=3),
        "limit": bound,
        "bound": "none"
        if bound is None
        else f"{_BOUNDS[BoundKind(row['bound_kind'])]} {bound:.3f}",
        "n": row["n_simulated"],
    }


def _axes(values: Sequence[Mapping[str, Any]], y: str) -> dict[str, Any]:
    steps = sorted({value["steps"] for value in values})
    return {
        "x": alt.X(
            "steps:Q",
            scale=alt.Scale(domain=[0, steps[-1]], nice=False),
            axis=alt.Axis(title="Number of steps T", tickCount=4, grid=False),
        ),
        "y": alt.Y(
            f"{y}:Q",
            scale=alt.Scale(domainMin=0),
            axis=alt.Axis(title="RMS log-error (nats)", tickCount=5, domain=False, ticks=False),
        ),
    }


def _lines(values: Sequence[Mapping[str, Any]], drawn: Marks) -> list[alt.Chart]:
    data = alt.InlineData(values=list(values))
    base = alt.Chart(data).encode(**_axes(values, "rms"), color=drawn.colour, tooltip=_TOOLTIP)
    error = base.mark_rule().encode(y="low:Q", y2="high:Q")
    line = base.mark_line().encode(strokeDash=drawn.dash)
    point = base.mark_point(size=14).encode(fill=drawn.fill, shape=drawn.shape)
    return [error, line, headroom(data), point]


def _bounds(values: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A thin line for each case that a theorem bounds."""
    data = alt.InlineData(values=[value for value in values if value["limit"] is not None])
    lines = alt.Chart(data).mark_line(color=theme.AXIS, strokeWidth=1, strokeDash=[1, 2])
    return lines.encode(**_axes(values, "limit"), detail="method:N")


def _names(values: Sequence[Mapping[str, Any]], drawn: Marks) -> alt.Chart:
    """The name of each line at its end, those of near lines below each other."""
    last = max(value["steps"] for value in values)
    ends = {value["method"]: value["rms"] for value in values if value["steps"] == last}
    top = max(value["rms"] for value in values)
    line = theme.SMALL * theme.LINE_HEIGHT * top / HEIGHT
    placed = apart(sorted(ends.values()), line)
    names = sorted(ends, key=lambda name: ends[name])
    rows = [
        {"method": name, "steps": last, "rms": y} for name, y in zip(names, placed, strict=True)
    ]
    text = alt.Chart(alt.InlineData(values=rows)).mark_text(align="left", dx=6)
    return text.encode(**_axes(values, "rms"), text="method:N", color=drawn.colour)


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Ascending values, moved up as far as needed to be a gap apart."""
    found = list(values)
    for lower, upper in pairwise(range(len(found))):
        found[upper] = max(found[upper], found[lower] + gap)
    return found
