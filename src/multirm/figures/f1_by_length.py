"""F1 against the number of steps, a panel per category, a line per reward model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.palette import MAJORITY_VOTE, VOTES, Style
from multirm.figures.scorers import Rows, Shown, interval_text, read_shown, sizes
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.solution_analyses import LENGTHS, SOLUTION_GROUPS

COLUMNS = 5

_TICKS = [0, 25, 50, 75, 100]

# What predicting all solutions correct gives is drawn like the majority vote: it needs no reward model either.
_ALWAYS = "All called correct"
_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("steps:N", title="Steps"),
    alt.Tooltip("f1:Q", title="F1 (%)", format=".1f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("solutions:Q", title="Solutions"),
    alt.Tooltip("questions:Q", title="Questions"),
]


@entry
def draw_f1_by_length(
    lengths: Path,
    solution_groups: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw F1 of predicting correct solutions against their number of steps, per category.

    Args:
        lengths: A table of F1 by length.
        solution_groups: The table of groups of the same solutions, with their numbers.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    groups = parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist()
    figure = chart(read_shown(lengths, LENGTHS, tables), groups)
    write_figure(figure, output, __name__, {}, [lengths, solution_groups, *tables])


def chart(shown: Shown, groups: Rows) -> alt.VConcatChart:
    """The figure, from rows of the lengths table and of the solution_groups table."""
    rows = [row for row in shown.rows if row["f1"] is not None]
    categories = _categories(rows)
    columns = max(1, min(COLUMNS, len(categories)))
    width = theme.row_width(columns)
    said = _sentences(shown.rows, rows, groups)
    heading = title("F1 by number of steps", shown.dataset, said, width + theme.Y_AXIS_WIDTH)
    if not rows:
        why = "no solutions of known length and correctness with probabilities as rewards"
        return alt.vconcat(nothing(why), title=heading)
    styles: dict[str, Style] = {**shown.styles, _ALWAYS: VOTES[MAJORITY_VOTE]}
    methods = [*(name for name in shown.styles if any(r["method"] == name for r in rows)), _ALWAYS]
    drawn = marks(methods, styles)
    by_length = sorted(shown.rows, key=lambda row: row["steps_low"])
    bins = list(dict.fromkeys(_steps(row) for row in by_length))
    panels = [
        _panel(
            [row for row in rows if row["category"] == category],
            drawn,
            bins,
            place % columns == 0,
            place + columns >= len(categories),
        ).properties(
            width=theme.panel_width(columns),
            height=theme.PANEL_HEIGHT,
            title=panel_title(
                spoken(category),
                theme.panel_width(columns),
                category == OVERALL,
            ),
        )
        for place, category in enumerate(categories)
    ]
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    grid = alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")
    key = legend(methods, styles, width)
    return alt.vconcat(grid, key, spacing=theme.LEGEND_GAP, title=heading)


def _panel(
    rows: Rows, drawn: Marks, bins: Sequence[str], is_first: bool, is_last: bool
) -> alt.LayerChart:
    base = alt.Chart(alt.InlineData(values=_values(rows))).encode(
        x=alt.X(
            "steps:O",
            scale=alt.Scale(domain=list(bins)),
            axis=alt.Axis(labelAngle=0, labelOverlap=True, title="Steps" if is_last else None),
        ),
        y=alt.Y(
            "f1:Q",
            # Room for points at 100.
            scale=alt.Scale(domain=[0, 104], nice=False),
            axis=alt.Axis(
                values=_TICKS,
                tickCount=len(_TICKS),
                domain=False,
                ticks=False,
                labels=is_first,
                labelOverlap=False,
                title="F1 (%)" if is_first else None,
            ),
        ),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    within = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    band = within.mark_area(opacity=theme.BAND_OPACITY) if len(bins) > 1 else within.mark_rule()
    line = base.mark_line().encode(strokeDash=drawn.dash)
    point = base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    return band + line + point


def _values(rows: Rows) -> list[dict[str, Any]]:
    values = [
        {
            "method": row["method"],
            "steps": _steps(row),
            "f1": 100 * row["f1"],
            "low": None if row["f1_low"] is None else 100 * row["f1_low"],
            "high": None if row["f1_high"] is None else 100 * row["f1_high"],
            "interval": interval_text(row, "f1", 100),
            "solutions": row["n_scored"],
            "questions": row["n_questions"],
        }
        for row in rows
    ]
    # Of the first model: it differs between models only by missing rewards.
    first = next(iter(dict.fromkeys(row["method"] for row in rows)), None)
    always = [row for row in rows if row["method"] == first and row["f1_of_yes"] is not None]
    return values + [
        {
            "method": _ALWAYS,
            "steps": _steps(row),
            "f1": 100 * row["f1_of_yes"],
            "low": None,
            "high": None,
            "interval": "none",
            "solutions": row["n_scored"],
            "questions": row["n_questions"],
        }
        for row in always
    ]


def _steps(row: Any) -> str:
    low, high = row["steps_low"], row["steps_high"]
    return f"{low}–{high}" if low < high else str(low)


def _categories(rows: Rows) -> list[str]:
    """The categories, Overall first; a lone category is the whole by itself."""
    names = list(dict.fromkeys(row["category"] for row in rows))
    return [name for name in names if name != OVERALL] if len(names) == 2 else names


def _sentences(every: Rows, rows: Rows, groups: Rows) -> list[str]:
    if not rows:
        return []
    said = [
        sizes(groups),
        "A solution is called correct from a reward of 0.5 on.",
        "Bands: 95 % intervals over questions.",
        "Overall: the mean over the categories that have such solutions.",
    ]
    missing = sum(row["n_missing"] for row in every if row["category"] != OVERALL)
    said += [f"{missing} rewards are missing."] if missing else []
    drawn = {row["method"] for row in rows}
    without = dict.fromkeys(row["method"] for row in every if row["method"] not in drawn)
    return [*said, *(f"{name} has no probabilities." for name in without)]
