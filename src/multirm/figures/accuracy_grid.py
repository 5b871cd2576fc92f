"""The main figure: accuracy against N, a panel per category, a line per method."""

import itertools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

import altair as alt
import vl_convert

from multirm.errors import InputError, shown
from multirm.figures.accuracies import (
    CEILING,
    MAJORITY_VOTE,
    Point,
    category_names,
    method_names,
    read_accuracies,
)
from multirm.figures.pdf import in_order
from multirm.running.arguments import OutputFile, entry
from multirm.running.files import whole_together
from multirm.running.metadata import FORMATS, with_text
from multirm.running.provenance import origin_of, to_text
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.reward_models import Kind

Figure = alt.Chart | alt.ConcatChart
_Figure = TypeVar("_Figure", alt.Chart, alt.ConcatChart)

COLUMNS = 5
PANEL_WIDTH, PANEL_HEIGHT = 150, 115
SPACING = {"row": 54, "column": 34}
PNG_SCALE = 3

# Okabe and Ito's palette, which people with any kind of colour vision can tell apart: blues for
# discriminative models, warm colours for generative ones, light for outcome, dark for process.
KIND_COLOURS = {
    Kind.DORM: "#56B4E9",
    Kind.DPRM: "#0072B2",
    Kind.GORM: "#E69F00",
    Kind.GPRM: "#D55E00",
}
OTHER_COLOURS = ("#009E73", "#CC79A7", "#882255", "#999933", "#332288", "#117733")
FIXED_COLOURS = {MAJORITY_VOTE: "#666666", CEILING: "#AAAAAA"}
DASHES = {MAJORITY_VOTE: [4, 3], CEILING: [1, 2]}
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")


@entry
def draw_accuracy_grid(
    accuracy: Path, selection: Selection, output: list[OutputFile], ceiling: bool = False
) -> None:
    """Draw accuracy against N for each category, with one line per reward model.

    Args:
        accuracy: An accuracy table (.parquet) or accuracies in the published layout (.csv).
        selection: How the models select: best_of_n or weighted_vote.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        ceiling: Also draw pass@N, the share of questions with any correct solution.
    """
    check_formats(output)
    figure = chart(read_accuracies(accuracy, selection), selection, ceiling)
    parameters = {"selection": str(selection), "ceiling": ceiling}
    origin = origin_of(__name__, parameters, [accuracy])
    write_figure(figure, output, to_text("figure accuracy_grid", origin))


def check_formats(output: Sequence[Path]) -> None:
    """Refuse files whose suffix is not that of a figure, before anything is drawn.

    Raises:
        InputError: another suffix than those of `FORMATS`.
    """
    for path in output:
        if path.suffix not in FORMATS:
            raise InputError(
                path, expected=f"one of {', '.join(FORMATS)}", found=shown(path.suffix)
            )


def write_figure(figure: Figure, output: Sequence[Path], origin: str) -> None:
    """Write a figure to files of several formats, each with the text that says what it is made of."""
    with whole_together(output) as parts:
        for path, part in zip(output, parts, strict=True):
            part.write_bytes(with_text(rendered(figure, path.suffix), path.suffix, origin))


def drawn_methods(points: Sequence[Point], ceiling: bool) -> list[str]:
    """The methods that have a line, in the order of the legend."""
    return [name for name in method_names(points) if ceiling or name != CEILING]


def chart(points: Sequence[Point], selection: Selection, ceiling: bool) -> alt.ConcatChart:
    """The figure, with the categories and methods in the order of `points`."""
    methods = drawn_methods(points, ceiling)
    categories = category_names(points)
    panels = [
        _panel(
            [point for point in points if point.category == category and point.method in methods],
            category,
            methods,
            x_title="N" if place + COLUMNS >= len(categories) else None,
            y_title="Accuracy (%)" if place % COLUMNS == 0 else None,
        )
        for place, category in enumerate(categories)
    ]
    title = {
        Selection.BEST_OF_N: "Best-of-N",
        Selection.WEIGHTED_VOTE: "Weighted vote",
    }[selection]
    return in_our_style(
        alt.concat(*panels, columns=COLUMNS, spacing=SPACING, bounds="flush")
        .resolve_scale(y="independent")
        .properties(
            title=alt.Title(
                title,
                subtitle=caption(points, methods, 40 * min(COLUMNS, len(categories))),
                subtitleFontSize=11,
                subtitleColor="#666666",
                anchor="start",
                offset=10,
            )
        )
    )


def in_our_style(figure: _Figure) -> _Figure:
    """A figure with the fonts, colours and sizes that all have."""
    return (
        figure.configure(font="Helvetica, Arial, sans-serif", background="white")
        .configure_view(stroke=None)
        .configure_title(fontSize=15, fontWeight="bold")
        .configure_axis(
            labelFontSize=11,
            titleFontSize=12,
            titleFontWeight="normal",
            gridColor="#E6E6E6",
            domainColor="#888888",
            tickColor="#888888",
            tickSize=4,
        )
        .configure_legend(labelFontSize=12, symbolSize=70, symbolStrokeWidth=0, columnPadding=18)
    )


def caption(points: Sequence[Point], methods: Sequence[str], width: int) -> list[str]:
    """What the bars are, and what some of them rest on or why there are none, in lines of so many characters."""
    drawn = [point for point in points if point.method in methods]
    bars = ["Bars: 95 % intervals."] if any(point.low is not None for point in drawn) else []
    notes = dict.fromkeys(point.note for point in drawn if point.note)
    meanings = [f"{note.meaning[0].upper()}{note.meaning[1:]}." for note in notes]
    return textwrap.wrap(" ".join(bars + meanings), width)


def _panel(
    points: Sequence[Point],
    category: str,
    methods: Sequence[str],
    x_title: str | None,
    y_title: str | None,
) -> alt.LayerChart:
    sizes = sorted({point.n for point in points})
    colour, shape = method_marks(methods)
    values = [
        {
            "method": point.method,
            "n": point.n,
            "accuracy": point.accuracy,
            "low": point.low,
            "high": point.high,
        }
        for point in points
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X(
            "n:Q",
            title=x_title,
            scale=alt.Scale(type="log", base=2, nice=False, padding=6),
            axis=alt.Axis(values=sizes, format="d", grid=False),
        ),
        y=alt.Y(
            "accuracy:Q",
            title=y_title,
            scale=alt.Scale(zero=False, nice=4),
            axis=alt.Axis(tickCount=4, format="~f", domain=False, ticks=False),
        ),
        color=colour,
        tooltip=[
            alt.Tooltip("method:N", title="Method"),
            alt.Tooltip("n:Q", title="N"),
            alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
        ],
    )
    dashes = [DASHES.get(name, [1, 0]) for name in methods]
    line = base.mark_line(strokeWidth=1.8).encode(
        strokeDash=alt.StrokeDash(
            "method:N", scale=alt.Scale(domain=methods, range=dashes), legend=None
        )
    )
    mark = base.mark_point(filled=True, size=32, opacity=1).encode(shape=shape)
    # Of the accuracy itself; methods share their questions, so overlap does not say that they are equal.
    bar = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(opacity=0.3)
        .encode(y="low:Q", y2="high:Q")
    )
    weight: Literal["bold", "normal"] = "bold" if category == OVERALL else "normal"
    title = alt.Title(_human(category), fontSize=13, fontWeight=weight)
    return (bar + line + mark).properties(width=PANEL_WIDTH, height=PANEL_HEIGHT, title=title)


def method_marks(methods: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
    """The colour and shape of each method, with the legend that says so."""
    legend = alt.Legend(
        title=None,
        orient="bottom",
        direction="horizontal",
        columns=0,
        symbolDash=[1, 0],
        symbolOpacity=1,
    )
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(methods))]
    colours = alt.Scale(domain=methods, range=_colours(methods))
    return (
        alt.Color("method:N", scale=colours, legend=legend),
        alt.Shape("method:N", scale=alt.Scale(domain=methods, range=shapes), legend=legend),
    )


def rendered(figure: Figure, suffix: str) -> bytes:
    """The figure as the bytes of a file with that suffix; the HTML needs no network to be viewed."""
    specification = figure.to_dict()
    match suffix:
        case ".svg":
            return str(vl_convert.vegalite_to_svg(specification)).encode()
        case ".png":
            return bytes(vl_convert.vegalite_to_png(specification, scale=PNG_SCALE))
        case ".pdf":
            return in_order(bytes(vl_convert.vegalite_to_pdf(specification)))
        case _:
            return str(vl_convert.vegalite_to_html(specification, bundle=True)).encode()


def _colours(methods: Sequence[str]) -> list[str]:
    """A kind's colour for the first model named after it, other colours for the rest, in order."""
    colours = dict(FIXED_COLOURS)
    others = itertools.cycle(OTHER_COLOURS)
    for name in methods:
        kinds = [colour for kind, colour in KIND_COLOURS.items() if name.startswith(kind)]
        free = [colour for colour in kinds if colour not in colours.values()]
        if name not in colours:
            colours[name] = free[0] if free else next(others)
    return [colours[name] for name in methods]


def _human(category: str) -> str:
    """A category as a title: `computer_science` → `Computer science`."""
    words = category.replace("_", " ")
    return words[:1].upper() + words[1:]
