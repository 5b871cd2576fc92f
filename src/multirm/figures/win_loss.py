"""Each method against each other: the difference of their accuracies, and whether it is significant."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import MAJORITY_VOTE
from multirm.charts.scorers import Rows, scorer_of
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.figures.panels import SHOWS
from multirm.figures.sentences import questions_of, sizes
from multirm.figures.titles import panel_title, title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.comparisons import COMPARISONS, Family
from multirm.tables.solution_analyses import SOLUTION_GROUPS

SIGNIFICANT = 0.05

_LOSES, _EVEN, _WINS = "#D98B6A", "#FFFFFF", "#7FB2DD"
_CELL, _NARROWEST_CELL, _WIDEST_CELL = 24, 40, 64
# Of names: pixels, and degrees above the columns.
_LABEL_LIMIT, _SLANT = 200, 35
_TOOLTIP = [
    alt.Tooltip("row:N", title="Method"),
    alt.Tooltip("column:N", title="Against"),
    alt.Tooltip("difference:Q", title="Difference (points)", format="+.2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("p:N", title="Corrected p"),
    alt.Tooltip("questions:Q", title="Questions"),
]


@entry
def draw_win_loss(
    comparisons: Path,
    solution_groups: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw the difference between each two methods at the largest N, and which differences are significant.

    Args:
        comparisons: A table of comparisons.
        solution_groups: The table of groups of the same solutions, with their numbers.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    shown = read_measures(comparisons, COMPARISONS, tables)
    groups = parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist()
    figure = chart(shown, groups)
    write_figure(figure, output, __name__, {}, [comparisons, solution_groups, *tables])


def chart(shown: Measures, groups: Rows) -> alt.VConcatChart:
    """The figure, from rows of the comparisons and solution_groups tables."""
    # Every method is compared with the majority vote, so that it has rows of its own.
    labels = {scorer_of(row): row["method"] for row in shown.rows}
    rows = [row for row in shown.rows if row["family"] == Family.PRIMARY]
    methods = [*shown.styles, MAJORITY_VOTE]
    # The title begins where the cells do, to the right of the longest name.
    names = max(_label_width(name) for name in methods) + 3 * theme.PADDING
    width = theme.WIDTH - names
    heading = title("Which method beats which", shown.dataset, _sentences(rows, groups), width)
    if not rows:
        why = "no comparisons: they need a reward model and N above 1"
        return alt.vconcat(nothing(why), title=heading)
    room = theme.WIDTH / 2 - names
    cell = max(
        min(_WIDEST_CELL, (room - _overhang(methods, _NARROWEST_CELL)) / len(methods)),
        _NARROWEST_CELL,
    )
    panels = [
        _panel(
            [row for row in rows if row["selection"] == selection],
            methods,
            labels,
            cell,
            questions_of(groups),
        ).properties(title=panel_title(words, theme.WIDEST_PANEL, bold=True))
        for selection, words in SHOWS.items()
    ]
    columns = 2 if len(methods) * cell + _overhang(methods, cell) <= room else 1
    return alt.vconcat(alt.concat(*panels, columns=columns, spacing=8), title=heading)


def _label_width(name: str) -> float:
    return min(text_width(name, theme.SMALL), _LABEL_LIMIT)


def _overhang(methods: Sequence[str], cell: float) -> float:
    """How far the slanted names of columns reach beyond the last column, in pixels."""
    after = [(len(methods) - place - 0.5) * cell for place in range(len(methods))]
    lean = math.cos(math.radians(_SLANT))
    own = zip(methods, after, strict=True)
    return max(0.0, *(lean * _label_width(name) - rest for name, rest in own))


def _panel(
    rows: Rows,
    methods: Sequence[str],
    labels: Mapping[tuple[str, str | None], str],
    cell: float,
    questions: int,
) -> alt.LayerChart:
    values = [
        {**value, "questions": questions} for row in rows for value in _both_ways(row, labels)
    ]
    values += [{"row": name, "column": name, "text": ""} for name in methods]
    largest = max((abs(row["difference"]) for row in rows), default=1) or 1
    axis: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "grid": False,
        "labelLimit": _LABEL_LIMIT,
    }
    top = alt.Axis(title=None, orient="top", labelAngle=-_SLANT, **axis)
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("column:N", sort=list(methods), axis=top),
        y=alt.Y("row:N", sort=list(methods), axis=alt.Axis(title=None, **axis)),
        tooltip=_TOOLTIP,
    )
    scale = alt.Scale(
        domain=[-largest, 0, largest], range=[_LOSES, _EVEN, _WINS], interpolate="rgb"
    )
    tile = base.transform_filter("isValid(datum.difference)").mark_rect(stroke=theme.GRID)
    tile = tile.encode(color=alt.Color("difference:Q", scale=scale, legend=None))
    text = base.mark_text(fontSize=theme.SMALL).encode(
        text="text:N",
        color=alt.condition("datum.significant", alt.value(theme.INK), alt.value(theme.FAINT_INK)),
    )
    size = {"width": cell * len(methods), "height": _CELL * len(methods)}
    return (tile + text).properties(**size)


def _both_ways(
    row: Mapping[str, Any], labels: Mapping[tuple[str, str | None], str]
) -> list[dict[str, Any]]:
    """A comparison as two cells, the second with the opposite sign; none if a method is not shown."""
    own = labels.get(scorer_of(row))
    other = (
        MAJORITY_VOTE
        if row["other_selection"] == Selection.MAJORITY_VOTE
        else labels.get((row["other_model"], row["other_aggregation"]))
    )
    if own is None or other is None:
        return []
    is_known = row["difference_low"] is not None and row["difference_high"] is not None
    low, high = row["difference_low"], row["difference_high"]
    back = (-high, -low) if is_known else (None, None)
    return [
        _cell(own, other, row["difference"], (low, high), row["p_holm"]),
        _cell(other, own, -row["difference"], back, row["p_holm"]),
    ]


def _cell(
    row: str,
    column: str,
    difference: float,
    ends: tuple[float | None, float | None],
    p: float | None,
) -> dict[str, Any]:
    is_significant = p is not None and p < SIGNIFICANT
    return {
        "row": row,
        "column": column,
        "difference": difference,
        "interval": interval_text(*ends, digits=2),
        "p": "none" if p is None else f"{p:.2g}",
        "significant": is_significant,
        "text": f"{difference:+.1f}{'*' if is_significant else ''}".replace("-", "−"),
    }


def _sentences(rows: Rows, groups: Rows) -> list[str]:
    if not rows:
        return []
    tests = sum(row["p_holm"] is not None for row in rows)
    return [
        sizes(groups),
        f"Accuracy of the row minus that of the column in percentage points, {OVERALL.lower()}, N = {rows[0]['n']}.",
        f"* p < {SIGNIFICANT}: sign-flip tests over questions, p-values corrected by Holm's method among"
        f" these {tests} comparisons, both selections together.",
    ]
