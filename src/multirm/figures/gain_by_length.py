"""Gain over the majority vote against the mean number of steps of a category's solutions, a panel per reward model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.scorers import Rows
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, marks, nothing
from multirm.figures.measures import Measures, interval_of, interval_text, read_measures
from multirm.figures.sentences import sizes
from multirm.figures.titles import spoken, title
from multirm.figures.wrapping import wrap
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.solution_analyses import LENGTH_CORRELATIONS, SOLUTION_GROUPS, SolutionGroup

COLUMNS, _HEIGHT = 4, 130

_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("category:N", title="Category"),
    alt.Tooltip("steps:Q", title="Mean steps", format=".2f"),
    alt.Tooltip("steps_interval:N", title="95 % interval"),
    alt.Tooltip("gain:Q", title="Gain (points)", format=".2f"),
    alt.Tooltip("gain_interval:N", title="95 % interval"),
    alt.Tooltip("questions:Q", title="Questions"),
]


@entry
def draw_gain_by_length(
    comparisons: Path,
    solution_groups: Path,
    length_correlations: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw best-of-N's gain over the majority vote against the mean number of steps, per category.

    Args:
        comparisons: A table of comparisons.
        solution_groups: The table of groups of the same solutions, with their lengths.
        length_correlations: The table of correlations of the same models.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(
        read_measures(comparisons, COMPARISONS, tables),
        parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist(),
        read_measures(length_correlations, LENGTH_CORRELATIONS, tables).rows,
    )
    inputs = [comparisons, solution_groups, length_correlations, *tables]
    write_figure(figure, output, __name__, {}, inputs)


def chart(shown: Measures, groups: Rows, correlations: Rows) -> alt.VConcatChart:
    """The figure, from rows of the comparisons, solution_groups and length_correlations tables."""
    points = _points(shown.rows, groups)
    names = list(dict.fromkeys(point["category"] for point in points))
    methods = [name for name in shown.styles if any(point["method"] == name for point in points)]
    columns = max(1, min(COLUMNS, len(methods)))
    size = max((row["n"] for row in shown.rows), default=0)
    heading = title(
        "Gain over the majority vote by length of solutions",
        shown.dataset,
        [
            sizes(groups),
            f"Best of N = {size}; a point per category, lines: 95 % intervals over questions.",
            "r: correlation over categories, with 95 % intervals for these categories (over questions)"
            " and for others like them (over categories).",
            "Categories: "
            + ", ".join(f"{k} {name.lower()}" for k, name in enumerate(names, 1))
            + ".",
        ]
        if points
        else [],
        theme.WIDTH - theme.Y_AXIS_WIDTH,
    )
    if not points:
        return alt.vconcat(nothing("no gains, or no lengths, to draw"), title=heading)
    drawn = marks(methods, shown.styles)
    found = {row["method"]: row for row in correlations}
    panels = [
        _panel(
            [
                {**point, "number": names.index(point["category"]) + 1}
                for point in points
                if point["method"] == method
            ],
            drawn,
            place % columns == 0,
        )
        .properties(width=theme.panel_width(columns), height=_HEIGHT)
        .properties(title=_heading(method, found.get(method), columns, place % columns == 0))
        for place, method in enumerate(methods)
    ]
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    grid = alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")
    return alt.vconcat(grid.resolve_scale(x="shared", y="shared"), title=heading)


def _points(rows: Rows, groups: Rows) -> list[dict[str, Any]]:
    lengths = {
        row["category"]: row
        for row in groups
        if row["group"] == SolutionGroup.ALL and row["mean_steps"] is not None
    }
    size = max((row["n"] for row in rows), default=0)
    return [
        {
            "method": row["method"],
            "category": spoken(escaped(row["category"])),
            "steps": length["mean_steps"],
            "steps_low": length["mean_steps_low"],
            "steps_high": length["mean_steps_high"],
            "steps_interval": interval_of(length, "mean_steps", digits=2),
            "gain": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
            "gain_interval": interval_text(row["difference_low"], row["difference_high"], digits=2),
            "questions": length["n_questions"],
        }
        for row in rows
        if row["n"] == size
        and row["category"] != OVERALL
        and row["selection"] == Selection.BEST_OF_N
        and row["other_selection"] == Selection.MAJORITY_VOTE
        and (length := lengths.get(row["category"]))
    ]


def _panel(points: Sequence[Mapping[str, Any]], drawn: Marks, is_first: bool) -> alt.LayerChart:
    x = alt.X(
        "steps:Q",
        scale=alt.Scale(zero=False, nice=True, padding=14),
        axis=alt.Axis(title="Mean number of steps", tickCount=4, grid=False),
    )
    y_axis = alt.Axis(
        title="Gain (points)" if is_first else None, labels=is_first, domain=False, ticks=False
    )
    y = alt.Y("gain:Q", axis=y_axis)
    base = alt.Chart(alt.InlineData(values=list(points))).encode(
        x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP
    )
    zero = alt.Chart(alt.InlineData(values=[{"gain": 0}])).mark_rule(color=theme.AXIS).encode(y=y)
    gains = base.transform_filter("isValid(datum.low)").mark_rule().encode(y="low:Q", y2="high:Q")
    steps = base.transform_filter("isValid(datum.steps_low)").mark_rule()
    steps = steps.encode(x="steps_low:Q", x2="steps_high:Q")
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    name = base.mark_text(align="left", dx=5, dy=-6, fontSize=theme.SMALL).encode(
        text="number:O", color=alt.value(theme.FAINT_INK)
    )
    return zero + gains + steps + point + name


def _heading(
    method: str, row: Mapping[str, Any] | None, columns: int, is_first: bool
) -> alt.TitleParams:
    width = theme.panel_width(columns)
    return alt.TitleParams(
        wrap(method, width, theme.MEDIUM, bold=True),
        subtitle=_correlation(row),
        fontSize=theme.MEDIUM,
        frame="group",
        lineHeight=theme.MEDIUM * theme.LINE_HEIGHT,
        # The highest label of the first panel's y axis is half above the panel.
        offset=5 if is_first else 5 + theme.SMALL / 2,
    )


def _correlation(row: Mapping[str, Any] | None) -> list[str]:
    if row is None or row["correlation"] is None:
        return ["r: undefined", " ", " "]
    return [
        line.replace("-", "−")
        for line in (
            f"r = {row['correlation']:.2f}",
            f"questions: {interval_of(row, 'correlation', digits=2)}",
            f"categories: {interval_of(row, 'categories', digits=2)}",
        )
    ]
