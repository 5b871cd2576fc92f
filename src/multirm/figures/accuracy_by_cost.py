"""Accuracy against what verification costs per question, a line per reward model over N, with the Pareto front."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import MAJORITY_VOTE, VOTES
from multirm.charts.scorers import Rows
from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.figures.panels import SHOWS, ticks_of, y_axis
from multirm.figures.sentences import and_seeds
from multirm.figures.titles import headroom, panel_title, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import OVERALL, IntervalNote, Selection
from multirm.tables.costs import COSTS

FLOPS, TOKENS = "FLOPs per question", "Tokens read and generated per question"

_HEIGHT, _COLUMNS = 200, 2
_OF_FLOPS = (
    "Cost: estimated floating-point operations of the reward model for N solutions to a question;"
    " sampling them is not included."
)
_OF_TOKENS = (
    "Cost: tokens that the reward model reads and generates for N solutions to a question, since operations are"
    " not known; sampling them is not included."
)
_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("n:Q", title="N"),
    alt.Tooltip("value:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("flops:Q", title="FLOPs", format=".3s"),
    alt.Tooltip("read:Q", title="Tokens read", format=",.0f"),
    alt.Tooltip("generated:Q", title="Tokens generated", format=",.0f"),
    alt.Tooltip("questions:Q", title="Questions"),
]


@entry
def draw_accuracy_by_cost(
    costs: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw overall accuracy against the cost of verification per question, and the Pareto front.

    Args:
        costs: A table of costs.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_costs(costs, tables))
    write_figure(figure, output, __name__, {}, [costs, *tables])


def read_costs(path: Path, tables: Sequence[Path] = ()) -> Measures:
    """The overall rows of a table of costs; a mean over training runs replaces the runs.

    Args:
        tables: reward_models tables; without any, names tell the kinds of models and what is a run of what.
    """
    found = read_measures(path, COSTS, tables, {Selection.MAJORITY_VOTE: MAJORITY_VOTE})
    return replace(found, rows=[row for row in found.rows if row["category"] == OVERALL])


def chart(shown: Measures) -> alt.VConcatChart:
    """The figure.

    Args:
        shown: the overall rows of the costs table, with the methods' names; the majority vote's have no style.
    """
    unit = cost_shown(shown.rows)
    points = [] if unit is None else points_of(shown.rows, unit)
    width = theme.row_width(_COLUMNS)
    heading = title(
        "Accuracy by cost of verification",
        shown.dataset,
        _sentences(shown, points, unit),
        width + theme.Y_AXIS_WIDTH,
    )
    if unit is None:
        return alt.vconcat(nothing("what verification costs is not known"), title=heading)
    found = {point["method"] for point in points}
    methods = [name for name in (*shown.styles, MAJORITY_VOTE) if name in found]
    looks = {**shown.styles, **VOTES}
    panels = _panels(points, unit, marks(methods, looks))
    return alt.vconcat(
        alt.concat(*panels, columns=_COLUMNS, spacing=theme.GAP_X, bounds="flush"),
        legend(methods, looks, width),
        spacing=theme.LEGEND_GAP,
        title=heading,
    )


def cost_shown(rows: Rows) -> str | None:
    """The cost that is known of the most models, operations before tokens; None if there is none."""
    counts = {
        unit: len({row["method"] for row in rows if row["model"] and _cost(row, unit) > 0})
        for unit in (FLOPS, TOKENS)
    }
    unit = max(counts, key=lambda each: counts[each])
    return unit if counts[unit] else None


def _cost(row: Any, unit: str) -> float:
    """The cost of a row in a unit; 0 if it is unknown, since a logarithmic axis has room for neither."""
    names = ("flops",) if unit == FLOPS else ("n_tokens_read", "n_tokens_generated")
    values = [row[name] for name in names]
    return 0.0 if None in values else float(sum(values))


def points_of(rows: Rows, unit: str) -> list[dict[str, Any]]:
    """What is drawn of the rows whose cost is known: those of models, and those of the majority vote."""
    return [
        {
            "method": row["method"],
            "selection": row["selection"],
            "n": row["n"],
            "cost": _cost(row, unit),
            "value": row["accuracy"],
            "low": row["accuracy_low"],
            "high": row["accuracy_high"],
            "interval": interval_text(row["accuracy_low"], row["accuracy_high"], digits=2),
            "flops": row["flops"],
            "read": row["n_tokens_read"],
            "generated": row["n_tokens_generated"],
            "questions": row["n_questions"],
            # The table has a front for operations, and none for the sum of tokens.
            "front": unit == FLOPS and bool(row["flops_pareto"]),
        }
        for row in rows
        if row["model"] is None or _cost(row, unit) > 0
    ]


def _panels(points: Sequence[dict[str, Any]], unit: str, drawn: Marks) -> list[alt.LayerChart]:
    costs = [point["cost"] for point in points if point["cost"] > 0]
    ends = [min(costs) / 1.25, max(costs) * 1.25]
    ticks = ticks_of(points)
    vote = [point for point in points if point["selection"] == Selection.MAJORITY_VOTE]
    front = front_line(points, ends)
    panels = []
    for place, (selection, words) in enumerate(SHOWS.items()):
        own = [point for point in points if point["selection"] == selection]
        panel = _panel(
            own, vote[-1:], front, _x(ends, unit), y_axis(ticks, place == 0, "Accuracy (%)"), drawn
        )
        heading = panel_title(words, theme.panel_width(_COLUMNS))
        size = {"width": theme.panel_width(_COLUMNS), "height": _HEIGHT}
        panels.append(panel.properties(title=heading, **size))
    return panels


def front_line(points: Sequence[dict[str, Any]], ends: Sequence[float]) -> list[dict[str, float]]:
    """The Pareto front as steps from one end of the x axis to the other: what is reached for at most so much.

    Args:
        ends: of the x axis, at which what costs nothing begins.
    """
    chosen = {(point["cost"], point["value"]) for point in points if point["front"]}
    steps = [{"cost": max(cost, ends[0]), "value": best} for cost, best in sorted(chosen)]
    return [*steps, {**steps[-1], "cost": ends[1]}] if steps else []


def _panel(
    points: Sequence[dict[str, Any]],
    vote: Sequence[dict[str, Any]],
    front: Sequence[dict[str, float]],
    x: alt.X,
    y: alt.Y,
    drawn: Marks,
) -> alt.LayerChart:
    rows = alt.InlineData(values=list(points))
    base = alt.Chart(rows).encode(x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP)
    within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    is_band = len({point["n"] for point in points}) > 1
    band = within.mark_area(opacity=drawn.band_opacity) if is_band else within.mark_rule()
    steps = alt.Chart(alt.InlineData(values=list(front))).encode(x=x, y=y)
    rule = alt.Chart(alt.InlineData(values=list(vote))).encode(
        y=y, color=drawn.colour, strokeDash=drawn.dash, tooltip=_TOOLTIP
    )
    return (
        band
        + steps.mark_line(interpolate="step-after", color=theme.AXIS, strokeWidth=4, opacity=0.35)
        + rule.mark_rule()
        + base.mark_line().encode(strokeDash=drawn.dash)
        + base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
        + headroom(rows)
    )


def _x(ends: Sequence[float], unit: str) -> alt.X:
    axis = alt.Axis(title=unit, format="~s", tickCount=5, grid=False, labelOverlap=True)
    scale = alt.Scale(type="log", domain=list(ends), nice=False, padding=6)
    return alt.X("cost:Q", scale=scale, axis=axis)


def _sentences(shown: Measures, points: Sequence[dict[str, Any]], unit: str | None) -> list[str]:
    if not shown.rows:
        return []
    found = {point["method"] for point in points}
    missing = [name for name in shown.styles if name not in found]
    said = [f"{shown.rows[0]['n_questions']} questions, each category counts the same."]
    if unit is not None:
        sizes = sorted({point["n"] for point in points if point["cost"] > 0})
        said.append(_OF_FLOPS if unit == FLOPS else _OF_TOKENS)
        said.append(f"Points from left to right: N = {', '.join(map(str, sizes))}.")
        said += [
            f"Dashed: majority vote of {row['n']}, which costs nothing."
            for row in [row for row in shown.rows if row["method"] == MAJORITY_VOTE][-1:]
        ]
    if any(point["front"] for point in points):
        said.append(
            "Grey steps: the Pareto front over both selections and the majority vote of any N."
        )
    if any(point["low"] is not None for point in points):
        said.append(f"{_intervals(shown, points)}.")
    if unit is not None and missing:
        said.append(f"Not shown, cost unknown: {', '.join(missing)}.")
    return [*said, *_uncounted(shown.rows, unit)]


def _intervals(shown: Measures, points: Sequence[dict[str, Any]]) -> str:
    drawn = "Bands" if len({point["n"] for point in points}) > 1 else "Bars"
    seeds = and_seeds(shown.has_means)
    notes = dict.fromkeys(row["note"] for row in shown.rows if row["note"])
    return "; ".join(
        [
            f"{drawn}: 95 % intervals over questions{seeds}",
            *(IntervalNote(note).meaning for note in notes),
        ]
    )


def _uncounted(rows: Rows, unit: str | None) -> list[str]:
    """How many solutions the costs leave out, for each model where there are any."""
    if unit is None:
        return []
    names = ["flops"] if unit == FLOPS else ["n_tokens_read", "n_tokens_generated"]
    counts = {
        row["method"]: max(row[f"{name}_missing"] for name in names)
        for row in rows
        if _cost(row, unit) > 0
    }
    left_out = [f"{count} of {method}" for method, count in counts.items() if count]
    return [f"Solutions of unknown cost are left out: {', '.join(left_out)}."] if left_out else []
