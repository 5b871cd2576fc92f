"""How step labels of several sources agree with known ones: a panel per measure, a line per source."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.measures import dataset_of, interval_of
from multirm.figures.titles import headroom, panel_title, title
from multirm.figures.wrapping import wrap
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.label_agreement import LABEL_AGREEMENT
from multirm.tables.schema import Row

PANELS = {
    "first_bad_agreement": "Same first bad step",
    "agreement_if_good": "… if labelled without one",
    "agreement_if_bad": "… if labelled with one",
    "labelled": "Solutions labelled",
}

# Drawn in the panel of the agreement that they are a baseline of.
AGREEMENT = "first_bad_agreement"
BASELINES = {
    "known_without_bad": "Labels that never name a bad step",
    "agreement_by_chance": "Labels that name a step, or none, at random",
}

# Room for the names of sources, and for each of them.
NAMES_WIDTH, LINE = 130, 34


@entry
def draw_label_agreement(label_agreement: Path, output: list[OutputFile]) -> None:
    """Draw how often step labels have the same first bad step as known ones, by source.

    Args:
        label_agreement: A label_agreement table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    rows = parquet.read(label_agreement, LABEL_AGREEMENT).to_pylist()
    figure = chart(dataset_of(label_agreement, rows), rows)
    write_figure(figure, output, __name__, {}, [label_agreement])


def chart(dataset: str, rows: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows of the label_agreement table of one dataset."""
    overall = [row for row in rows if row["category"] == OVERALL]
    n_categories = len({row["category"] for row in rows} - {OVERALL})
    n_known = max((row["n_labelled"] + row["n_missing"] for row in overall), default=0)
    said = [
        f"{n_known} solutions whose first bad step is known; {n_categories} "
        f"{'category' if n_categories == 1 else 'categories, each of which counts the same'}.",
        "95 % intervals over questions. In the first panel, a grey line marks the agreement of labels that never name "
        "a bad step, a grey circle that of labels that name one of the steps, or none, at random.",
    ]
    heading = title(
        "Agreement of step labels with known ones",
        escaped(dataset),
        said,
        theme.WIDTH - NAMES_WIDTH,
    )
    if not overall:
        return alt.vconcat(nothing("no labels to compare"), title=heading)
    width = (theme.WIDTH - NAMES_WIDTH - len(PANELS) * theme.GAP_X) // len(PANELS)
    names = [escaped(row["labels"]) for row in overall]
    panels = [
        _panel([_point(row, measure) for row in overall], names, measure == AGREEMENT).properties(
            width=width, height=LINE * len(names), title=panel_title(shows, width)
        )
        for measure, shows in PANELS.items()
    ]
    grid = alt.hconcat(*panels, spacing=theme.GAP_X, bounds="flush")
    return alt.vconcat(grid, title=heading)


def _panel(points: Sequence[Row], names: Sequence[str], is_first: bool) -> alt.LayerChart:
    data = alt.InlineData(values=list(points))
    lines = {name: wrap(name, NAMES_WIDTH, theme.SMALL) for name in names}
    shown = " : ".join(
        f"datum.value == {json.dumps(name)} ? {json.dumps(text)}" for name, text in lines.items()
    )
    y = alt.Y(
        "labels:N",
        sort=list(names),
        axis=alt.Axis(
            labels=is_first,
            labelExpr=f"{shown} : ''",
            labelLimit=0,
            domain=False,
            ticks=False,
            grid=True,
            title=None,
        ),
    )
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(values=[0, 50, 100], format="~f", title="%"),
    )
    tooltip = [
        alt.Tooltip("labels:N", title="Labels"),
        alt.Tooltip("source:N", title="Source"),
        alt.Tooltip("value:Q", title="Share (%)", format=".1f"),
        alt.Tooltip("interval:N", title="95 % interval"),
        alt.Tooltip("n:Q", title="Labelled solutions"),
    ]
    base = alt.Chart(data).encode(x=x, y=y, tooltip=tooltip)
    within = base.transform_filter("isValid(datum.low)").encode(x="low:Q", x2="high:Q")
    rule = within.mark_rule(color=theme.INK)
    point = base.transform_filter("isValid(datum.value)").mark_point(
        color=theme.INK, fill=theme.INK
    )
    baselines = _baselines(base) if is_first else []
    return alt.LayerChart(layer=[*baselines, rule, headroom(data), point])


def _baselines(base: alt.Chart) -> list[alt.Chart]:
    """What labels without a judge would reach, in grey behind the points."""
    marks = [
        base.mark_tick(color=theme.AXIS, thickness=theme.LINE_WIDTH, size=theme.MEDIUM),
        base.mark_point(color=theme.AXIS, fill=theme.PAPER),
    ]
    return [
        mark.transform_filter(f"isValid(datum.{name})").encode(
            x=f"{name}:Q", tooltip=alt.Tooltip(f"{name}:Q", title=f"{what} (%)", format=".1f")
        )
        for mark, (name, what) in zip(marks, BASELINES.items(), strict=True)
    ]


def _point(row: Row, measure: str) -> dict[str, Any]:
    value, low, high, *baselines = (
        None if row[key] is None else 100 * row[key]
        for key in (measure, f"{measure}_low", f"{measure}_high", *BASELINES)
    )
    return {
        **dict(zip(BASELINES, baselines, strict=True)),
        "labels": escaped(row["labels"]),
        "source": row["source"],
        "value": value,
        "low": low,
        "high": high,
        "interval": interval_of(row, measure, scale=100),
        "n": row["n_labelled"],
    }
