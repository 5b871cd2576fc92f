"""Monte-Carlo labels against guessing: shares of right continuations, and how many steps two rules call good."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import dataset_of
from multirm.figures.panels import Panel, framed, grid
from multirm.figures.titles import headroom
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.continuation_shares import CONTINUATION_SHARES
from multirm.tables.schema import Row

GOOD, BAD, UNSURE = "Good: more right than by guessing", "Bad", "Without a label"
ANY, GUESSED = "Any continuation right", "If all answers were guessed"

LOOKS = {
    GOOD: Style("#0B4F9E", "square"),
    UNSURE: Style("#BFD3EA", "square"),
    BAD: Style("#8C8C8C", "square"),
    ANY: Style("#CC8400", "square"),
    GUESSED: Style(theme.INK, "stroke"),
}

# Of bars, as a share of their distance.
WIDTH = 0.84

_OF_GUESSES = alt.datum.method == GUESSED

_TOOLTIP = [
    alt.Tooltip("method:N", title="Steps"),
    alt.Tooltip("share:N", title="Right continuations"),
    alt.Tooltip("height:Q", title="Share of steps (%)", format=".1f"),
    alt.Tooltip("n:Q", title="Steps in the panel"),
]


@entry
def draw_continuation_shares(continuation_shares: Path, output: list[OutputFile]) -> None:
    """Draw how many continuations after steps are right, beside what guessing gives, and which steps count as good.

    Args:
        continuation_shares: A continuation_shares table of one dataset.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    rows = parquet.read(continuation_shares, CONTINUATION_SHARES).to_pylist()
    figure = chart(dataset_of(continuation_shares, rows), rows)
    write_figure(figure, output, __name__, {}, [continuation_shares])


def chart(dataset: str, rows: Sequence[Row]) -> alt.VConcatChart:
    """The figure, from rows of the continuation_shares table of one dataset."""
    names = list(dict.fromkeys(_name(row) for row in rows))
    drawn = marks(list(LOOKS), LOOKS)
    histograms = [value for row in rows for value in _shares(row)]
    rules = [value for row in rows for value in _rules(row)]
    grids = [
        grid(histograms, names, _histogram(drawn), "Steps (%)", from_zero=True),
        grid(rules, names, _bars(drawn), "Steps (%)", from_zero=True),
    ]
    return framed(
        "Continuations with the right answer",
        escaped(dataset),
        _said(rows),
        names,
        LOOKS,
        grids if rows else [],
        why="no continuations to draw",
    )


def _said(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    whole = rows[0]
    counted = f"{whole['n_steps']:,} steps that were continued"
    if whole["n_unanswered"]:
        counted += f", and {whole['n_unanswered']:,} without any answer, which are left out"
    return [
        f"{counted}.",
        "Above: steps by the share of their continuations that are right.",
        "Dashed: the guessing rate. Solid: the share that is exceeded after a good step; both are averages over steps.",
        "Below: steps that are good if any continuation is right, and if more are right than by guessing.",
    ]


def _name(row: Row) -> str:
    """The panel of a row."""
    if row["category"] is not None:
        return escaped(row["category"])
    if row["n_options"] is None:
        return OVERALL
    return f"{row['n_options']} options" if row["n_options"] else "open questions"


def _shares(row: Row) -> list[dict[str, Any]]:
    """Bars of good steps on those of others, and the points of guesses, for each share of right continuations."""
    found = []
    last, n = len(row["n_good_by_share"]) - 1, row["n_steps"]
    parts = [row[f"n_{each}_by_share"] for each in ("bad", "unsure", "good", "guessed")]
    for place, (bad, unsure, good, guessed) in enumerate(zip(*parts, strict=True)):
        common = {
            "category": _name(row),
            "x": 100 * place / last,
            "left": 100 * (place - WIDTH / 2) / last,
            "right": 100 * (place + WIDTH / 2) / last,
            "share": f"{place} of {last}",
            "rate": 100 * row["guessing_rate"],
            "threshold": 100 * row["threshold"],
            "n": n,
        }
        below = bad + unsure
        ends = {
            BAD: (0, bad),
            UNSURE: (bad, below),
            GOOD: (below, below + good),
            GUESSED: (0, guessed),
        }
        found += [
            {
                **common,
                "method": method,
                "low": 100 * low / n,
                "high": None,
                "value": 100 * high / n,
                "height": 100 * (high - low) / n,
            }
            for method, (low, high) in ends.items()
            # Guesses of an open question are never right: their point would only stretch the axis.
            if method != GUESSED or row["guessing_rate"]
        ]
    return found


def _rules(row: Row) -> list[dict[str, Any]]:
    """A bar for each rule that says which steps are good, and what it would be for guesses."""
    return [
        {
            "category": _name(row),
            "rule": rule,
            "method": method,
            "low": None,
            "high": None,
            "value": 100 * value,
            "height": 100 * value,
            "n": row["n_steps"],
        }
        for rule, measure in ((ANY, "any_right"), (GOOD, "good"))
        for method, value in ((rule, row[measure]), (GUESSED, row[f"{measure}_by_guessing"]))
    ]


def _histogram(drawn: Marks) -> Panel:
    """Panels with a bar for each share of right continuations, and lines for guesses."""

    def panel(rows: Sequence[Row], y: alt.Y, is_last: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        ends = [min(row["left"] for row in rows), max(row["right"] for row in rows)]
        scale = alt.Scale(domain=ends, nice=False)
        axis = alt.Axis(
            values=[0, 50, 100], format="~f", grid=False, title="Right (%)" if is_last else None
        )
        base = alt.Chart(data).encode(y=y, color=drawn.colour, tooltip=_TOOLTIP)
        bar = (
            base.transform_filter(~_OF_GUESSES)
            .mark_bar()
            .encode(x=alt.X("left:Q", scale=scale, axis=axis), x2="right:Q", y2="low:Q")
        )
        x = alt.X("x:Q", scale=scale, axis=axis)
        guesses = base.transform_filter(_OF_GUESSES).encode(x=x)
        lines = [
            alt.Chart(alt.InlineData(values=list(rows[:1])))
            .mark_rule(color=theme.INK, strokeWidth=1, strokeDash=dash)
            .encode(x=alt.X(f"{field}:Q", scale=scale, axis=axis))
            for field, dash in (("rate", [2, 2]), ("threshold", [1, 0]))
        ]
        guessed = guesses.mark_point(size=30, shape="stroke", strokeWidth=1.5)
        return alt.LayerChart(layer=[bar, *lines, guessed, headroom(data)])

    return panel


def _bars(drawn: Marks) -> Panel:
    """Panels with a bar for each rule, and a line where it would be for guesses."""

    def panel(rows: Sequence[Row], y: alt.Y, _: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        x = alt.X("rule:N", scale=alt.Scale(domain=[ANY, GOOD], padding=0.3), axis=None)
        base = alt.Chart(data).encode(x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP)
        return (
            base.transform_filter(~_OF_GUESSES).mark_bar()
            + headroom(data)
            + base.transform_filter(_OF_GUESSES).mark_tick(thickness=1.5)
        )

    return panel
