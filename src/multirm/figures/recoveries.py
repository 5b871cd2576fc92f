"""Solutions with an incorrect step and a correct answer: how common and how long they are, and who accepts them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.scorers import Rows
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.measures import Measures, dataset_of, interval_of, read_measures
from multirm.figures.sentences import sizes
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.solution_analyses import RECOVERIES, SOLUTION_GROUPS, SolutionGroup

_GROUPS = {
    SolutionGroup.RIGHT_STEPS: ("All steps correct", "circle"),
    SolutionGroup.RECOVERY: ("Recovery", "triangle-up"),
    SolutionGroup.WRONG_ANSWER: ("Wrong answer", "square"),
}
_WIDTH, _ROW, _LABELS = 112, 26, 90
_TOOLTIP = [
    alt.Tooltip("of:N", title="Of"),
    alt.Tooltip("group:N", title="Solutions"),
    alt.Tooltip("value:Q", title="Value", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("n:Q", title="Number of solutions"),
]


@entry
def draw_recoveries(
    solution_groups: Path,
    recoveries: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw how common and how long solutions with an incorrect step and a correct answer are, and F1 on them.

    Args:
        solution_groups: A table of groups of solutions.
        recoveries: The table of how models score these groups.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    groups = parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist()
    dataset = dataset_of(solution_groups, groups, tables)
    figure = chart(escaped(dataset), groups, read_measures(recoveries, RECOVERIES, tables))
    write_figure(figure, output, __name__, {}, [solution_groups, recoveries, *tables])


def chart(dataset: str, groups: Rows, shown: Measures) -> alt.VConcatChart:
    """The figure, from rows of the solution_groups and the recoveries table."""
    of_groups = [row for row in groups if row["group"] in _GROUPS and row["n_solutions"]]
    n_recoveries = sum(
        row["n_solutions"]
        for row in of_groups
        if row["group"] == SolutionGroup.RECOVERY and row["category"] == OVERALL
    )
    heading = title(
        "Recoveries (correct answers after an incorrect step)",
        dataset,
        _sentences(groups, n_recoveries),
        theme.WIDTH - _LABELS,
    )
    if not of_groups:
        return alt.vconcat(nothing("no step labels, so no known recoveries"), title=heading)
    if not n_recoveries:
        return alt.vconcat(nothing("no solution recovers"), title=heading)
    panels = [
        _panel(_shares(of_groups), "Share of correct answers", "Recoveries (%)", is_share=True),
        _panel(_lengths(of_groups), "Length", "Mean number of steps", is_share=False),
    ]
    scores = _scores(shown.rows)
    if scores:
        panels.append(_panel(scores, "Reward models, overall", "Balanced F1 (%)", is_share=True))
    grid = alt.hconcat(*panels, spacing=10)
    return alt.vconcat(grid, _key(), spacing=theme.LEGEND_GAP, title=heading)


def _shares(groups: Rows) -> list[dict[str, Any]]:
    return [
        _value(spoken(escaped(row["category"])), row, "share", row["n_solutions"], 100)
        for row in groups
        if row["group"] == SolutionGroup.RECOVERY and row["share"] is not None
    ]


def _lengths(groups: Rows) -> list[dict[str, Any]]:
    return [
        _value(spoken(escaped(row["category"])), row, "mean_steps", row["n_solutions"], 1)
        for row in groups
        if row["mean_steps"] is not None
    ]


def _scores(rows: Rows) -> list[dict[str, Any]]:
    return [
        _value(row["method"], row, "balanced_f1", row["n_scored"], 100)
        for row in rows
        if row["category"] == OVERALL and row["balanced_f1"] is not None
    ]


def _value(of: str, row: Any, name: str, n: int, scale: float) -> dict[str, Any]:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return {
        "of": of,
        "group": _GROUPS[row["group"]][0],
        "value": scale * row[name],
        "low": None if low is None else scale * low,
        "high": None if high is None else scale * high,
        "interval": interval_of(row, name, scale, 2),
        "n": n,
    }


def _panel(
    values: Sequence[dict[str, Any]], heading: str, x_title: str, is_share: bool
) -> alt.LayerChart:
    names = list(dict.fromkeys(value["of"] for value in values))
    x_scale = alt.Scale(domainMin=0) if is_share else alt.Scale(zero=False)
    groups = [name for name, _ in _GROUPS.values()]
    base = alt.Chart(alt.InlineData(values=list(values))).encode(
        x=alt.X("value:Q", scale=x_scale, axis=alt.Axis(title=x_title, tickCount=3)),
        y=alt.Y("of:N", sort=names, axis=alt.Axis(title=None, domain=False, ticks=False)),
        yOffset=alt.YOffset("group:N", scale=alt.Scale(domain=groups)),
        color=_colour(),
        tooltip=_TOOLTIP,
    )
    error = base.transform_filter("isValid(datum.low)").mark_rule().encode(x="low:Q", x2="high:Q")
    point = base.mark_point(size=40, filled=True).encode(shape=_shape())
    return (error + point).properties(
        width=_WIDTH, height=_ROW * len(names), title=panel_title(heading, _WIDTH + 40)
    )


def _colour() -> alt.Color:
    colours = ["#0B4F9E", "#CC8400", theme.AXIS]
    names = [name for name, _ in _GROUPS.values()]
    return alt.Color("group:N", scale=alt.Scale(domain=names, range=colours), legend=None)


def _shape() -> alt.Shape:
    scale = alt.Scale(
        domain=[name for name, _ in _GROUPS.values()],
        range=[shape for _, shape in _GROUPS.values()],
    )
    return alt.Shape("group:N", scale=scale, legend=None)


def _key() -> alt.LayerChart:
    """The groups' marks beside their names, in a row."""
    entries = [
        {"group": name, "x": 130 * place} for place, (name, _) in enumerate(_GROUPS.values())
    ]
    base = alt.Chart(alt.InlineData(values=entries)).encode(
        x=alt.X("x:Q", scale=alt.Scale(domain=[0, 390], nice=False), axis=None)
    )
    point = base.mark_point(size=40, filled=True).encode(color=_colour(), shape=_shape())
    text = base.mark_text(align="left", dx=10).encode(text="group:N")
    return (point + text).properties(width=390, height=theme.SMALL * theme.LINE_HEIGHT)


def _sentences(groups: Rows, n_recoveries: int) -> list[str]:
    if not n_recoveries:
        return [sizes(groups)]
    return [
        sizes(groups),
        f"{n_recoveries} recoveries among solutions with step labels.",
        "Balanced F1: correct solutions of one group against wrong answers, both weighing the same; a solution is"
        " called correct from a reward of 0.5 on.",
        "Lines: 95 % intervals over questions.",
    ]
