"""Log-errors by number of steps: simulated with bounds, and measured on solutions that are correct in every step."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.figures import simulated_errors, theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measures import Measures, interval_of, read_measures
from multirm.figures.sentences import and_seeds, leaves_out_categories, n_questions, notes_of
from multirm.figures.titles import headroom, panel_title, spoken, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.log_errors import LOG_ERROR_SIMULATION, LOG_ERROR_SLOPES, LOG_ERRORS
from multirm.tables.schema import Row

COLUMNS = 5

_SLOPES_WIDTH = 150

# Reward models and simulated ones have marks of their own.
_APART: Any = dict.fromkeys(("color", "fill", "shape", "strokeDash"), "independent")
_TOOLTIP = [
    alt.Tooltip("method:N", title="Reward model"),
    alt.Tooltip("steps:N", title="Steps"),
    alt.Tooltip("value:Q", title="Log-error", format=".3f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("n:Q", title="Solutions"),
    alt.Tooltip("questions:Q", title="Questions"),
]


@entry
def draw_log_errors(
    log_errors: Path,
    log_error_slopes: Path,
    log_error_simulation: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw log-errors of rewards by number of steps: simulated ones with bounds, and measured ones.

    Args:
        log_errors: A log_errors table.
        log_error_slopes: The table of slopes of the same errors.
        log_error_simulation: The table of simulated errors.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(
        read_measures(log_errors, LOG_ERRORS, tables),
        read_measures(log_error_slopes, LOG_ERROR_SLOPES, tables),
        parquet.read(log_error_simulation, LOG_ERROR_SIMULATION).to_pylist(),
    )
    inputs = [log_errors, log_error_slopes, log_error_simulation, *tables]
    write_figure(figure, output, __name__, {}, inputs)


def chart(measures: Measures, slopes: Measures, simulation: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows of the log_errors, log_error_slopes and log_error_simulation tables."""
    heading = title(
        "Log-errors of rewards by number of steps",
        measures.dataset,
        _sentences(measures, slopes),
        theme.WIDTH - theme.Y_AXIS_WIDTH,
    )
    simulated = simulated_errors.panel(simulation)
    if not measures.rows:
        return alt.vconcat(
            simulated, nothing("nothing measured"), spacing=theme.GAP_Y, title=heading
        )
    methods = measures.methods
    drawn = marks(methods, measures.styles)
    above = alt.hconcat(simulated, _slopes(slopes, drawn), spacing=theme.GAP_X)
    above = above.resolve_scale(**_APART)
    width = theme.row_width(_n_columns(_categories(measures)))
    return alt.vconcat(
        above,
        _grid(measures, drawn),
        legend(methods, measures.styles, max(width, theme.WIDTH - 2 * theme.Y_AXIS_WIDTH)),
        spacing=theme.LEGEND_GAP,
        title=heading,
    ).resolve_scale(**_APART)


def _categories(measures: Measures) -> list[str]:
    """Those in which errors are known; Overall only if it is of the same categories at each length."""
    known = [row for row in measures.rows if row["rms"] is not None]
    notes = [note for row in known if row["category"] == OVERALL for note in notes_of(row, "rms")]
    is_whole = not leaves_out_categories(notes)
    found = {row["category"] for row in known}
    return [name for name in measures.categories if name in found and (name != OVERALL or is_whole)]


def _n_columns(categories: Sequence[str]) -> int:
    return max(1, min(COLUMNS, len(categories)))


def _per_model(rows: Sequence[Row], name: str) -> int:
    """The total of a count over models, whose aggregations are about the same rewards."""
    models = dict.fromkeys(row["model"] for row in rows)
    return sum(max(row[name] for row in rows if row["model"] == model) for model in models)


def _grid(measures: Measures, drawn: Marks) -> alt.ConcatChart:
    """A panel per category, a line per reward model; all have one y axis."""
    categories = _categories(measures)
    columns = _n_columns(categories)
    width = theme.panel_width(columns)
    ordered = sorted(measures.rows, key=lambda row: row["steps_low"])
    bins = list(dict.fromkeys(map(_steps, ordered)))
    # Where there are no errors at all, any scale does.
    most = max(row["rms_high"] or row["rms"] or 0.0 for row in measures.rows) or 1.0
    panels = []
    for place, category in enumerate(categories):
        own = [_value(row) for row in measures.rows if row["category"] == category]
        is_first, is_last = place % columns == 0, place + columns >= len(categories)
        heading = panel_title(
            f"Measured: {spoken(category)}" if place == 0 else spoken(category),
            width,
            category == OVERALL,
        )
        panels.append(
            _panel(own, drawn, _x(bins, is_last), _y(most, is_first)).properties(
                width=width, height=theme.PANEL_HEIGHT, title=heading
            )
        )
    # The headroom of titles comes on top of the usual gap.
    spacing = {"row": theme.GAP_Y + round(theme.SMALL), "column": theme.GAP_X}
    return alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")


def _panel(values: Sequence[Mapping[str, Any]], drawn: Marks, x: alt.X, y: alt.Y) -> alt.LayerChart:
    known = [value for value in values if value["value"] is not None]
    offset = alt.XOffset("method:N", scale=alt.Scale(domain=list(drawn.methods)))
    data = alt.InlineData(values=known)
    base = alt.Chart(data).encode(x=x, y=y, xOffset=offset, color=drawn.colour, tooltip=_TOOLTIP)
    error = base.transform_filter("isValid(datum.low)").mark_rule().encode(y="low:Q", y2="high:Q")
    line = base.mark_line().encode(strokeDash=drawn.dash)
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    return error + line + headroom(data) + point


def _x(bins: Sequence[str], is_last: bool) -> alt.X:
    axis = alt.Axis(
        labelAngle=0, labelOverlap=True, grid=False, title="Number of steps" if is_last else None
    )
    return alt.X("steps:O", scale=alt.Scale(domain=list(bins), paddingInner=0.4), axis=axis)


def _y(most: float, is_first: bool) -> alt.Y:
    axis = alt.Axis(
        tickCount=5,
        domain=False,
        ticks=False,
        labels=is_first,
        title="RMS log-error (nats)" if is_first else None,
    )
    # Errors differ by orders of magnitude between models, and some are nearly 0.
    return alt.Y("value:Q", scale=alt.Scale(type="sqrt", domain=[0, most], nice=False), axis=axis)


def _value(row: Row) -> dict[str, Any]:
    return {
        "method": row["method"],
        "steps": _steps(row),
        "value": row["rms"],
        "low": row["rms_low"],
        "high": row["rms_high"],
        "interval": interval_of(row, "rms", digits=3),
        "n": row["n_scored"],
        "questions": row["n_questions"],
    }


def _steps(row: Row) -> str:
    low, high = row["steps_low"], row["steps_high"]
    return f"{low}–{high}" if low < high else str(low)


def _slopes(slopes: Measures, drawn: Marks) -> alt.LayerChart:
    """By how much errors grow with each step, a point per reward model with its interval."""
    overall = [row for row in slopes.rows if row["category"] == OVERALL]
    values = [
        {
            "method": row["method"],
            "value": row["slope"],
            "low": row["slope_low"],
            "high": row["slope_high"],
            "interval": interval_of(row, "slope", digits=3),
            "steps": "each more",
            "n": row["n_scored"],
            "questions": row["n_questions"],
        }
        for row in overall
        if row["slope"] is not None
    ]
    heading = panel_title("Measured: growth per step", _SLOPES_WIDTH, bold=True)
    if not values:
        why = "solutions of one length"
        return nothing(why).properties(
            width=_SLOPES_WIDTH, height=simulated_errors.HEIGHT, title=heading
        )
    y = alt.Y("method:N", scale=alt.Scale(domain=list(drawn.methods)), axis=None)
    x = alt.X("value:Q", axis=alt.Axis(title="|Log-error| per step (nats)", tickCount=4))
    data = alt.InlineData(values=values)
    base = alt.Chart(data).encode(x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP)
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(color=theme.AXIS).encode(x=x)
    error = base.transform_filter("isValid(datum.low)").mark_rule().encode(x="low:Q", x2="high:Q")
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    return (zero + error + headroom(data) + point).properties(
        width=_SLOPES_WIDTH, height=simulated_errors.HEIGHT, title=heading
    )


def _sentences(measures: Measures, slopes: Measures) -> list[str]:
    said = [
        "Simulated: normal errors in each step or, for ORMs, in each solution; their sizes are assumed. Dotted: the"
        " bounds of theorems 4.1 to 4.3 and, for infinitely many critiques, A.4 (arXiv 2510.00492); for min and mean,"
        " that of a step's largest error."
    ]
    if not measures.rows:
        return [
            *said,
            "Nothing is measured: no rewards are probabilities, or no solutions are labelled correct in every step.",
        ]
    overall = [row for row in slopes.rows if row["category"] == OVERALL]
    n_solutions = max(row["n_scored"] + row["n_missing"] for row in overall)
    seeds = and_seeds(measures.has_means)
    said += [
        f"Measured: {n_solutions} solutions to {n_questions(slopes)[:-1]}, correct in every step, so that the true"
        " logarithm is 0. Growth: mean of the slopes within categories that have several lengths."
        f" Lines: 95 % intervals over questions{seeds}.",
    ]
    missing, clipped = (_per_model(overall, f"n_{name}") for name in ("missing", "clipped"))
    said += [f"{missing} rewards are missing."] if missing else []
    said += [f"{clipped} rewards below 1e-6 count as 1e-6."] if clipped else []
    if measures.missing:
        said.append(f"Not shown, without probabilities: {', '.join(measures.missing)}.")
    return said
