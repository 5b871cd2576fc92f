"""How long solutions are, in steps: those that are evaluated, those trained on, and what filtering leaves of these."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import Style, styles
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import dataset_of, in_order
from multirm.figures.panels import framed, n_columns
from multirm.figures.titles import headroom, panel_title, spoken
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.length_shift import STEP_COUNTS, Part
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row

_TEST, _TRAIN = Style("#222222", "circle"), Style("#8C8C8C", "circle", (6, 2, 1, 2))
_SEEN = (2, 2)

_TOOLTIP = [
    alt.Tooltip("method:N", title="Solutions"),
    alt.Tooltip("n_steps:Q", title="Steps"),
    alt.Tooltip("share:Q", title="Share (%)", format=".1f"),
    alt.Tooltip("n:Q", title="Solutions of that length"),
]


@entry
def draw_length_densities(step_counts: Path, output: list[OutputFile]) -> None:
    """Draw how many solutions have how many steps, of those evaluated, trained on and kept by filtering.

    Args:
        step_counts: A step_counts table, as `measure-length-shift` writes it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    rows = parquet.read(step_counts, STEP_COUNTS).to_pylist()
    figure = chart(dataset_of(step_counts, rows), rows)
    write_figure(figure, output, __name__, {}, [step_counts])


def chart(dataset: str, rows: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows of the step_counts table of one dataset: a panel for each category."""
    categories = in_order(row["category"] for row in rows)
    looks = looks_of(rows)
    drawn = marks(list(looks), looks)
    columns = n_columns(categories)
    panels = [
        _panel([row for row in rows if row["category"] == category], drawn, rows, columns, place)
        for place, category in enumerate(categories)
    ]
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    return framed(
        "Lengths of solutions",
        escaped(dataset),
        _sentences(rows),
        categories,
        looks,
        [alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")] if rows else [],
        why="no lengths to draw",
    )


def looks_of(rows: Sequence[Row]) -> dict[str, Style]:
    """How each kind of solutions is drawn, by what it is called: filtered ones like the models that learn from them."""
    named = {name(row): row for row in rows}
    kinds = styles(
        [
            RewardModel(model=each, run_of=each, kind=Kind(row["kind"]))
            for each, row in named.items()
            if row["part"] == Part.KEPT
        ]
    )
    looks = {}
    for each, row in named.items():
        if row["part"] in (Part.TEST, Part.TRAIN):
            looks[each] = _TEST if row["part"] == Part.TEST else _TRAIN
        else:
            style = kinds[name({**row, "part": Part.KEPT})]
            looks[each] = replace(style, dash=_SEEN) if row["part"] == Part.SEEN else style
    return looks


def name(row: Row) -> str:
    """What the solutions of a row are called."""
    match Part(row["part"]):
        case Part.TEST:
            return "Evaluated"
        case Part.TRAIN:
            return escaped(f"Training: {row['learned_from']}")
        case Part.KEPT:
            return escaped(f"{row['kind']}, kept of {row['critiques']}")
        case Part.SEEN:
            return escaped(f"{row['kind']}, up to the first error, of {row['critiques']}")


def _sentences(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["There are no solutions."]
    tested = [row for row in rows if row["part"] == Part.TEST and row["category"] == OVERALL]
    said = [f"{sum(row['n_solutions'] for row in tested):,} evaluated solutions."]
    said.append(
        "Shares of solutions by number of steps, without smoothing; overall, the mean over categories."
    )
    if any(row["part"] == Part.KEPT for row in rows):
        said.append(
            "Filtered: the solutions of the critiques that are trained on, once for each critique."
        )
    if any(row["part"] == Part.SEEN for row in rows):
        said.append("gPRM is trained on solutions up to their first incorrect step.")
    return said


def _panel(
    own: Sequence[Row], drawn: Marks, rows: Sequence[Row], columns: int, place: int
) -> alt.LayerChart:
    width = theme.panel_width(columns)
    highest = 100 * max(row["share"] for row in rows)
    longest = max(row["n_steps"] for row in rows)
    is_first = place % columns == 0
    points = [point for method in drawn.methods for point in _points(own, method)]
    data = alt.InlineData(values=points)
    base = alt.Chart(data).encode(
        x=alt.X(
            "n_steps:Q",
            scale=alt.Scale(domain=[0, longest + 1], nice=False),
            axis=alt.Axis(title="Steps", grid=False, tickMinStep=1, tickCount=6),
        ),
        y=alt.Y(
            "share:Q",
            scale=alt.Scale(domain=[0, highest], nice=True),
            axis=alt.Axis(
                title="Share (%)" if is_first else None,
                labels=is_first,
                tickCount=4,
                domain=False,
                ticks=False,
            ),
        ),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    line = base.mark_line().encode(strokeDash=drawn.dash)
    point = base.mark_point(size=8).encode(fill=drawn.fill, shape=drawn.shape)
    category = own[0]["category"]
    heading = panel_title(spoken(category), width, category == OVERALL)
    return (line + headroom(data) + point).properties(
        width=width, height=theme.PANEL_HEIGHT, title=heading
    )


def _points(rows: Sequence[Row], method: str) -> list[Mapping[str, Any]]:
    """A curve's points, with 0 for lengths between others, and one beyond each end."""
    found = {row["n_steps"]: row for row in rows if name(row) == method}
    if not found:
        return []
    return [
        {
            "method": method,
            "n_steps": k,
            "share": 100 * found[k]["share"] if k in found else 0.0,
            "n": found[k]["n_solutions"] if k in found else 0,
        }
        for k in range(min(found) - 1, max(found) + 2)
    ]
