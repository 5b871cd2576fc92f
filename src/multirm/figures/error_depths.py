"""How rewards tell right from wrong solutions by the depth of the first error, and how errors add up."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import Measures, interval_of, read_measures
from multirm.figures.panels import framed, grid, lines, measure_row, measure_tooltip
from multirm.figures.sentences import over_categories, sentences
from multirm.figures.titles import headroom, panel_title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.error_depths import ERROR_DEPTHS, ERROR_PERSISTENCE
from multirm.tables.schema import Row

_HEIGHT = 150

_TOOLTIP = [
    alt.Tooltip("method:N", title="Reward model"),
    alt.Tooltip("depth:N", title="First incorrect step"),
    alt.Tooltip("sum:Q", title="Sum of errors", format=".3f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("predicted:Q", title="By Theorem 1", format=".3f"),
]


@entry
def draw_error_depths(
    error_depths: Path,
    error_persistence: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw how often right solutions have higher rewards than wrong ones, by where the first error is.

    Args:
        error_depths: An error_depths table.
        error_persistence: The error_persistence table made with it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(
        read_measures(error_depths, ERROR_DEPTHS, tables),
        read_measures(error_persistence, ERROR_PERSISTENCE, tables),
    )
    inputs = [error_depths, error_persistence, *tables]
    write_figure(figure, output, __name__, {}, inputs)


def chart(depths: Measures, carried: Measures) -> alt.VConcatChart:
    """The figure: a panel of accuracies for each category, and below, sums of errors over all of them.

    Args:
        depths: rows of the error_depths table.
        carried: rows of the error_persistence table.
    """
    drawn = marks(depths.methods, depths.styles)
    rows = [measure_row(row, "accuracy", x=_depth(row), depth=_depth(row)) for row in depths.rows]
    order = list(dict.fromkeys(map(_depth, sorted(depths.rows, key=_place))))
    tooltip = measure_tooltip("Accuracy", alt.Tooltip("depth:N", title="First incorrect step"))
    panel = lines(drawn, lambda is_last: _x(order, is_last), tooltip)
    grids = [
        grid(
            rows,
            depths.categories,
            panel,
            "Accuracy (%)",
        )
    ]
    if sums := _sums(depths):
        grids.append(_sum_panel(sums, order, drawn))
    return framed(
        "Right against wrong solutions by the first error",
        depths.dataset,
        [*_said(depths, bool(sums)), *_carried(carried)],
        depths.categories,
        depths.looks,
        grids if rows else [],
        why="no wrong solutions with step labels to draw",
    )


def _place(row: Row) -> int:
    return int(row["depth_low"])


def _depth(row: Row) -> str:
    """A range of steps in words."""
    low, high = row["depth_low"], row["depth_high"]
    return str(low) if low == high else f"{low}–{high}"


def _x(order: Sequence[str], is_last: bool) -> alt.X:
    axis = alt.Axis(title="First incorrect step" if is_last else None, labelAngle=0)
    return alt.X("x:O", scale=alt.Scale(domain=list(order)), axis=axis)


def _sums(depths: Measures) -> list[dict[str, Any]]:
    """The sums of errors over all categories, of models with a reward per step."""
    return [
        {
            "method": row["method"],
            "x": _depth(row),
            "depth": _depth(row),
            "sum": row["total_error"],
            "low": row["total_error_low"],
            "high": row["total_error_high"],
            "interval": interval_of(row, "total_error", digits=3),
            "predicted": row["predicted"],
        }
        for row in _once_per_model(depths)
        if row["total_error"] is not None
    ]


def _once_per_model(measures: Measures) -> list[Row]:
    """The rows over all categories, of each model those of its first aggregation: errors are of steps, before any."""
    category = measures.categories[0] if measures.categories else None
    rows = [row for row in measures.rows if row["category"] == category]
    first: dict[str, str] = {}
    for row in rows:
        first.setdefault(row["model"], row["method"])
    return [row for row in rows if row["method"] == first[row["model"]]]


def _sum_panel(
    rows: Sequence[dict[str, Any]], order: Sequence[str], drawn: Marks
) -> alt.ConcatChart:
    width = theme.panel_width(2)
    data = alt.InlineData(values=list(rows))
    axis = alt.Axis(title="Sum of errors", tickCount=5, domain=False, ticks=False)
    base = alt.Chart(data).encode(
        x=_x(order, is_last=True),
        y=alt.Y("sum:Q", axis=axis, scale=alt.Scale(zero=True)),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    known = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    by_theorem = base.transform_filter("isValid(datum.predicted)").encode(y="predicted:Q")
    panel = (
        by_theorem.mark_line(strokeDash=[2, 3])
        + known.mark_rule(strokeWidth=1)
        + headroom(data)
        + base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    ).properties(width=width, height=_HEIGHT, title=panel_title("Sums of errors, measured", width))
    return alt.concat(panel, columns=1, bounds="flush")


def _said(depths: Measures, has_sums: bool) -> list[str]:
    if not depths.rows:
        return []
    below = (
        "Below: sums over a solution of what its rewards lack to those of right ones, from the first error on;"
        " dotted: by Theorem 1 with the first model's α."
    )
    if len(depths.methods) > len({row["model"] for row in depths.rows}):
        below += " They depend on no aggregation: a model's have the mark of its first."
    return [
        "Pairs of a right and a wrong solution to one question; ties count as a half.",
        *over_categories(depths),
        *([below] if has_sums else []),
        *sentences(depths, "without rewards", "accuracy"),
    ]


def _carried(carried: Measures) -> list[str]:
    """α and β of each model."""
    parts = []
    for row in _once_per_model(carried):
        if row["alpha"] is not None:
            model = row["method"].removesuffix(f" {row['aggregation']}")
            factor = "" if row["factor"] is None else f", β = {row['factor']:.2f}"
            interval = interval_of(row, "alpha", digits=2)
            parts.append(f"{model} α = {row['alpha']:.2f} ({interval}){factor}")
    return [f"Of an error, the next step has α: {'; '.join(parts)}."] if parts else []
