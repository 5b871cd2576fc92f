"""How well step rewards separate correct from incorrect steps, beside the length of steps: dots with intervals.

A panel for each measure, and in it, below each category's name, a line for each reward model.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import STAND_INS
from multirm.figures import theme
from multirm.figures.marks import Marks, marks, nothing
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.figures.sentences import n_questions, sentences
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import IntervalNote
from multirm.tables.response_accuracy import SHORTER
from multirm.tables.schema import Row
from multirm.tables.verification import STEP_VERIFICATION, VERIFICATION

_LINE, _GAP = 15, 16
_WIDEST_LABEL = 170

_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("category:N", title="Category"),
    alt.Tooltip("value:Q", title="Measure", format=".3f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("n:Q", title="n"),
]


@dataclass(frozen=True)
class _Measure:
    """What a panel shows.

    Attributes:
        name: of the column.
        shows: above the panel.
        counts: the columns whose sum says how many items it is over.
        note: the column with the names of measures whose interval rests on one question, and its name there.
        by_chance: what random rewards would give; None if that depends on the data.
    """

    name: str
    shows: str
    counts: tuple[str, ...]
    note: tuple[str, str]
    by_chance: float | None = 0.5


_STEPS = (
    _Measure(
        "first_error_roc_auc",
        "Steps up to the first error, ROC AUC",
        ("first_error_n_scored",),
        ("first_error_note", "roc_auc"),
    ),
    _Measure("all_roc_auc", "All steps, ROC AUC", ("all_n_scored",), ("all_note", "roc_auc")),
    _Measure(
        "process_bench_f1",
        "First error found, F1",
        ("process_bench_n_erroneous", "process_bench_n_correct"),
        ("process_bench_note", "f1"),
        by_chance=None,
    ),
)
_SOLUTIONS = (
    _Measure("roc_auc", "Solutions, ROC AUC", ("n_scored",), ("note", "roc_auc")),
    _Measure("pair_accuracy", "Pairs of solutions", ("n_pairs",), ("note", "pair_accuracy")),
)


@entry
def draw_step_verification(
    step_verification: Path,
    verification: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw how well each reward model separates correct from incorrect steps, beside the length of steps alone.

    Args:
        step_verification: A step_verification table.
        verification: The verification table made with it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in them, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(
        read_measures(step_verification, STEP_VERIFICATION, tables),
        read_measures(verification, VERIFICATION, tables),
    )
    write_figure(figure, output, __name__, {}, [step_verification, verification, *tables])


def chart(steps: Measures, solutions: Measures) -> alt.VConcatChart:
    """The figure, of the categories with labelled steps.

    Args:
        steps: rows of the step_verification table.
        solutions: rows of the verification table.
    """
    solutions = _of_categories(solutions, steps.categories)
    styles = {**solutions.styles, **steps.styles}
    drawn = {
        measure: own
        for measure in (*_STEPS, *_SOLUTIONS)
        if (own := list(_dots(measure, _rows_of(measure, steps, solutions))))
    }
    every = [row for own in drawn.values() for row in own]
    methods = [name for name in styles if any(row["method"] == name for row in every)]
    names = [*methods, *map(spoken, steps.categories)]
    widest = max((text_width(name, theme.SMALL, bold=True) for name in names), default=0)
    label = min(widest, _WIDEST_LABEL)
    n_panels = max(len(drawn), 1)
    whole = theme.WIDTH - label - 2 * _GAP
    width = (whole - (n_panels - 1) * _GAP) / n_panels
    said = _said(steps, solutions, every)
    heading = title("Steps and solutions, correct against incorrect", steps.dataset, said, whole)
    if not any(measure in drawn for measure in _STEPS):
        return alt.vconcat(nothing("no labelled steps to draw"), title=heading)
    looks, lines = marks(methods, styles), _lines(steps.categories, methods)
    areas = [row for measure, own in drawn.items() if measure.by_chance for row in own]
    # Below random rewards, as far as an interval reaches.
    start = math.floor(10 * min(0.5, *(row["low"] for row in areas if row["low"] is not None))) / 10
    panels = [
        _panel(measure, own, looks, lines, place == 0, label, start).properties(
            width=width, height=_LINE * len(lines), title=panel_title(measure.shows, width)
        )
        for place, (measure, own) in enumerate(drawn.items())
    ]
    grid = alt.concat(*panels, columns=n_panels, spacing=_GAP, bounds="flush")
    return alt.vconcat(grid, title=heading)


def _of_categories(measures: Measures, categories: Sequence[str]) -> Measures:
    rows = [row for row in measures.rows if row["category"] in categories]
    return replace(measures, rows=rows)


def _rows_of(measure: _Measure, steps: Measures, solutions: Measures) -> Sequence[Row]:
    """The rows of a measure; those of steps, which have no aggregation, stand at the first line of their model."""
    if measure in _SOLUTIONS:
        return solutions.rows
    order = list(solutions.styles)
    first: dict[str, str] = {}
    for row in sorted(solutions.rows, key=lambda row: order.index(row["method"])):
        first.setdefault(row["model"], row["method"])
    return [{**row, "method": first.get(row["model"], row["method"])} for row in steps.rows]


def _dots(measure: _Measure, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """What a panel shows: the rows in which its measure is defined."""
    note, name = measure.note
    for row in rows:
        value, low, high = (row[f"{measure.name}{end}"] for end in ("", "_low", "_high"))
        if value is None:
            continue
        _, _, alone = (row[note] or "").partition(": ")
        is_alone = name in alone.split(", ")
        yield {
            "category": row["category"],
            "method": row["method"],
            "value": value,
            "low": low,
            "high": high,
            "interval": interval_text(low, high, digits=3),
            "n": sum(row[count] for count in measure.counts),
            "note": f"{IntervalNote.ONE_QUESTION}: value" if is_alone else None,
        }


def _lines(categories: Sequence[str], methods: Sequence[str]) -> list[tuple[str, str | None]]:
    """The lines of a panel from above: each category's name, with no method, if there are several; and its methods."""
    found: list[tuple[str, str | None]] = []
    for category in categories:
        if len(categories) > 1:
            found.append((category, None))
        found += [(category, method) for method in methods]
    return found


def _panel(
    measure: _Measure,
    rows: Sequence[Mapping[str, Any]],
    looks: Marks,
    lines: Sequence[tuple[str, str | None]],
    is_first: bool,
    label: float,
    start: float,
) -> alt.LayerChart:
    """A panel.

    Args:
        lines: as from `_lines`.
        is_first: whether it has the names of lines.
        label: how wide these are at most, in pixels.
        start: where the axes of areas begin.
    """
    names = [spoken(category) if method is None else method for category, method in lines]
    headings = [place for place, (_, method) in enumerate(lines) if method is None]
    axis = alt.Axis(
        title=None,
        domain=False,
        ticks=False,
        grid=False,
        labels=is_first,
        labelOverlap=False,
        labelLimit=label,
        labelExpr=f"{json.dumps(names)}[datum.value]",
        labelFontWeight={
            "condition": {"test": f"indexof({headings}, datum.value) >= 0", "value": "bold"},
            "value": "normal",
        },
    )
    scale = alt.Scale(domain=[0 if measure.by_chance is None else start, 1], nice=False)
    x = alt.X("value:Q", scale=scale, axis=alt.Axis(title=None, tickCount=4, format="~f"))
    placed = [{**row, "line": lines.index((row["category"], row["method"]))} for row in rows]
    base = alt.Chart(alt.InlineData(values=placed)).encode(
        y=alt.Y("line:O", scale=alt.Scale(domain=list(range(len(lines)))), axis=axis),
        color=looks.colour,
        tooltip=_TOOLTIP,
    )
    within = base.transform_filter("isValid(datum.low)").mark_rule(strokeWidth=1)
    layers: list[alt.Chart] = [
        within.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_point().encode(x=x, fill=looks.fill, shape=looks.shape),
    ]
    if measure.by_chance is not None:
        chance = alt.Chart(alt.InlineData(values=[{"value": measure.by_chance}]))
        layers.insert(0, chance.mark_rule(color=theme.AXIS, strokeWidth=1).encode(x=x))
    return alt.LayerChart(layer=layers)


def _said(steps: Measures, solutions: Measures, drawn: Sequence[Row]) -> list[str]:
    """Sentences about what is drawn."""
    if not steps.rows:
        return []
    counts = [
        n_questions(steps, "all_n_scored", "steps")[:-1],
        n_questions(steps, "first_error_n_scored", "up to the first error")[:-1],
        n_questions(solutions, "n_scored", "solutions"),
    ]
    said = [
        f"{counts[0]}, {counts[1]}, of labelled solutions; {counts[2]}",
        "F1 as ProcessBench defines it, at the threshold 0.5.",
        "Pairs: a right and a wrong solution to one question; how often the right one has the higher reward.",
        "Grey lines: random rewards.",
    ]
    if any(row["model"] == SHORTER for row in steps.rows):
        said.append(f"{STAND_INS[SHORTER]}: no model, only minus the number of characters.")
    if len({row["method"] for row in solutions.rows}) > len(
        {row["model"] for row in solutions.rows}
    ):
        said.append(
            "Measures of steps depend on no aggregation: they stand at a model's first line."
        )
    with_steps = {row["model"] for row in steps.rows}
    if any(row["model"] not in with_steps for row in solutions.rows):
        said.append("Models without a reward for each step have only measures of solutions.")
    return [*said, *sentences(replace(steps, rows=drawn, missing=()), "", "value")]
