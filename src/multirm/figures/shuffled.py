"""Accuracy before and after intermediate steps are shuffled between questions: which models read more than the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import MAJORITY_VOTE
from multirm.charts.scorers import Rows
from multirm.errors import InputError, escaped
from multirm.figures import theme
from multirm.figures.accuracies import Accuracies, Point, category_names, method_names
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.marks import marks, nothing
from multirm.figures.measures import interval_text, read_measures
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.changes import CHANGES

COLUMNS, _ROW = 2, 24

_AS_WRITTEN, _SHUFFLED = "as written", "shuffled"
_HALF = 50
_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("steps:N", title="Steps"),
    alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("change:N", title="Change (points)"),
    alt.Tooltip("questions:N", title="Questions"),
]


@dataclass(frozen=True)
class Pair:
    """The accuracies of one dataset and of the one made from it by shuffling steps.

    Attributes:
        changes: rows of the changes table, of best-of-N: accuracies with shuffled steps minus those as written.
    """

    as_written: Accuracies
    shuffled: Accuracies
    changes: Rows


@entry
def draw_shuffled(
    accuracy: list[Path],
    changes: list[Path],
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw best-of-N accuracy with steps as written and with steps shuffled between questions.

    Args:
        accuracy: Accuracy tables, one per dataset.
        changes: Changes tables, which say which datasets are compared.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in them.
    """
    check_formats(output)
    tables = reward_models or []
    every = [read_accuracies(path, Selection.BEST_OF_N, tables) for path in accuracy]
    datasets = {read.dataset: read for read in every}
    found = [_pair(path, tables, datasets) for path in changes]
    write_figure(chart(found), output, __name__, {}, [*accuracy, *changes, *tables])


def _pair(changes: Path, tables: Sequence[Path], datasets: Mapping[str, Accuracies]) -> Pair:
    read = read_measures(changes, CHANGES, tables)
    rows = [row for row in read.rows if row["selection"] == Selection.BEST_OF_N]
    names = {(escaped(row["before"]), read.dataset) for row in rows}
    if len(names) != 1:
        raise InputError(
            changes, expected="best-of-N's changes from one dataset", found=f"{len(names)}"
        )
    ((before, after),) = names
    for name in (before, after):
        if name not in datasets:
            raise InputError(
                changes,
                expected=f"datasets with a table in --accuracy: {', '.join(datasets)}",
                found=name,
            )
    return Pair(datasets[before], datasets[after], rows)


def chart(pairs: Sequence[Pair]) -> alt.VConcatChart:
    """The figure: for each pair a row of panels, one per category that both have."""
    panels = [panel for pair in pairs for panel in _panels(pair)]
    names = ", ".join(pair.as_written.dataset for pair in pairs)
    labels = [text_width(each, theme.SMALL) for pair in pairs for each in _methods(pair)]
    width = theme.WIDTH - max(labels, default=0) - 12
    heading = title("Best-of-N accuracy with shuffled steps", names, _sentences(pairs), width)
    if not panels:
        return alt.vconcat(nothing("no categories in common"), title=heading)
    grid = alt.concat(*panels, columns=COLUMNS, spacing={"row": 20, "column": 12})
    return alt.vconcat(grid, title=heading)


def _methods(pair: Pair) -> list[str]:
    return method_names(pair.as_written.points, ceiling=False)


def _panels(pair: Pair) -> list[alt.LayerChart]:
    before, after = (category_names(each.points) for each in (pair.as_written, pair.shuffled))
    common = [name for name in before if name in after]
    if OVERALL in common and set(before) != set(after):
        common.remove(OVERALL)
    rows = {name: _rows(pair, name) for name in common}
    drawn = [name for name in common if rows[name]]
    label = max((text_width(each, theme.SMALL) for each in _methods(pair)), default=0) + 12
    free = theme.WIDTH - label - (COLUMNS - 1) * 12 - 24
    width = min(free / COLUMNS, theme.WIDEST_PANEL)
    return [
        _panel(pair, rows[name], place % COLUMNS == 0).properties(
            width=width,
            height=_ROW * len(_methods(pair)),
            title=panel_title(spoken(name), width, name == OVERALL),
        )
        for place, name in enumerate(drawn)
    ]


def _panel(pair: Pair, rows: list[dict[str, Any]], is_first: bool) -> alt.LayerChart:
    methods = _methods(pair)
    drawn = marks(methods, pair.as_written.styles)
    colours = [pair.as_written.styles[method].colour for method in methods]
    scale = alt.Scale(domain=methods, range=colours)
    filled = alt.Fill("method:N", scale=scale, legend=None)
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labels=is_first)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "accuracy:Q",
            scale=alt.Scale(domain=[0, 100], nice=False),
            axis=alt.Axis(title="Accuracy (%)", values=[0, 50, 100], tickCount=3),
        ),
        y=alt.Y("method:N", scale=alt.Scale(domain=methods), axis=axis),
        yOffset=alt.YOffset("steps:N", scale=alt.Scale(domain=[_AS_WRITTEN, _SHUFFLED])),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    within = base.transform_filter("isValid(datum.low)").mark_rule().encode(x="low:Q", x2="high:Q")
    before = base.transform_filter(f"datum.steps == '{_AS_WRITTEN}'").mark_point()
    after = base.transform_filter(f"datum.steps == '{_SHUFFLED}'").mark_point(fill=theme.PAPER)
    said = base.transform_filter("isValid(datum.text)").encode(
        text="text:N", color=alt.value(theme.FAINT_INK)
    )
    left = said.transform_filter("datum.is_left").mark_text(align="right", dx=-5)
    right = said.transform_filter("!datum.is_left").mark_text(align="left", dx=5)
    return (
        within
        + before.encode(shape=drawn.shape, fill=filled)
        + after.encode(shape=drawn.shape)
        + left.encode(x="start:Q")
        + right.encode(x="end:Q")
    )


def _rows(pair: Pair, category: str) -> list[dict[str, Any]]:
    """Both accuracies of each method at the largest N that both datasets have."""
    before, after = (_at_largest(each, pair) for each in (pair.as_written, pair.shuffled))
    changes = {
        row["method"]: _spoken_change(row)
        for row in pair.changes
        if (row["category"], row["n"]) == (category, _largest(pair))
    }
    rows = []
    for method in _methods(pair):
        old, new = before.get((category, method)), after.get((category, method))
        if old is None or new is None:
            continue
        rows.append(_row(old, _AS_WRITTEN))
        rows.append(_row(new, _SHUFFLED, changes.get(method)))
    return rows


def _at_largest(accuracies: Accuracies, pair: Pair) -> dict[tuple[str, str], Point]:
    size = _largest(pair)
    return {(point.category, point.method): point for point in accuracies.points if point.n == size}


def _largest(pair: Pair) -> int:
    sizes = [{point.n for point in each.points} for each in (pair.as_written, pair.shuffled)]
    return max(sizes[0] & sizes[1], default=0)


def _spoken_change(row: Mapping[str, Any]) -> str:
    interval = (
        "" if row["change_low"] is None else f" [{row['change_low']:.0f}, {row['change_high']:.0f}]"
    )
    return f"{row['change']:+.1f}{interval}".replace("-", "−")


def _row(point: Point, steps: str, text: str | None = None) -> dict[str, Any]:
    known = point.low is not None and point.high is not None
    low, high = (point.low, point.high) if known else (point.accuracy, point.accuracy)
    return {
        "method": point.method,
        "steps": steps,
        "accuracy": point.accuracy,
        "low": point.low,
        "high": point.high,
        "start": low,
        "end": high,
        "is_left": point.accuracy > _HALF,
        "text": text,
        "change": text or "none",
        "interval": interval_text(point.low, point.high, digits=2),
        "questions": "unknown" if point.n_questions is None else point.n_questions,
    }


def _sentences(pairs: Sequence[Pair]) -> list[str]:
    said = []
    for pair in pairs:
        counts = {
            point.category: point.n_questions or 0
            for point in pair.shuffled.points
            if point.category != OVERALL
        }
        said.append(f"{sum(counts.values())} questions, N = {_largest(pair)}.")
    return [
        *said,
        "Filled: solutions as written; open: intermediate steps replaced with those of other questions, and the change"
        " in points, with its 95 % interval over the same questions.",
        f"The {MAJORITY_VOTE.lower()} does not read steps.",
        "Lines: 95 % intervals over questions of each accuracy.",
    ]
