"""Colours, dashes and shapes of methods as encodings, and the legend that explains them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.figures import theme
from multirm.figures.wrapping import balanced, text_width

_SAMPLE, _SPACE, _ROW_GAP = 26, 8, 4
_WIDEST_LABEL = 190
# As many bands can lie over each other and be told apart.
_SOLID_BANDS = 6
_LINE = theme.SMALL * theme.LINE_HEIGHT


@dataclass(frozen=True)
class Marks:
    """Methods, and encodings of the field `method` that each figure puts on its own lines, points, bars and bands."""

    methods: Sequence[str]
    colour: alt.Color
    fill: alt.Fill
    shape: alt.Shape
    dash: alt.StrokeDash

    @property
    def band_opacity(self) -> float:
        """Of each method's band: the more methods, the fainter."""
        return theme.BAND_OPACITY * min(1, _SOLID_BANDS / max(1, len(self.methods)))


def marks(methods: Sequence[str], styles: Mapping[str, Style]) -> Marks:
    """The encodings of some methods."""
    names, drawn = list(methods), [styles[name] for name in methods]

    def scale(values: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=names, range=list(values))

    fills = [style.colour if style.is_filled else theme.PAPER for style in drawn]
    return Marks(
        names,
        alt.Color("method:N", scale=scale([style.colour for style in drawn]), legend=None),
        alt.Fill("method:N", scale=scale(fills), legend=None),
        alt.Shape("method:N", scale=scale([style.shape for style in drawn]), legend=None),
        alt.StrokeDash("method:N", scale=scale([list(each.dash) for each in drawn]), legend=None),
    )


def nothing(why: str) -> alt.LayerChart:
    """A panel in which nothing can be drawn, and which says so."""
    text = alt.Chart(alt.InlineData(values=[{"why": why}])).mark_text(color=theme.FAINT_INK)
    return alt.LayerChart(layer=[text.encode(text="why:N")])


def legend(
    methods: Sequence[str],
    styles: Mapping[str, Style],
    width: float = theme.WIDTH - 4 * theme.PADDING,
) -> alt.LayerChart:
    """Each method's line and mark beside its name, in as many columns as there is room for.

    Args:
        methods: at least one.
        width: in pixels.
    """
    entries, height = _placed(methods, width)
    scale_x = alt.Scale(domain=[0, width], nice=False)
    scale_y = alt.Scale(domain=[height, 0], nice=False)
    base = alt.Chart(alt.InlineData(values=entries)).encode(
        x=alt.X("x:Q", scale=scale_x, axis=None), y=alt.Y("y:Q", scale=scale_y, axis=None)
    )
    drawn = marks(methods, styles)
    line = base.mark_rule().encode(x2="end:Q", color=drawn.colour, strokeDash=drawn.dash)
    point = base.mark_point().encode(
        x=alt.X("middle:Q", scale=scale_x, axis=None),
        color=drawn.colour,
        fill=drawn.fill,
        shape=drawn.shape,
    )
    text = base.mark_text(
        align="left",
        baseline="line-top",
        dy=-0.62 * theme.SMALL,
        lineBreak="\n",
        lineHeight=_LINE,
    ).encode(x=alt.X("text:Q", scale=scale_x, axis=None), text="label:N")
    return (line + point + text).properties(width=width, height=height)


def _placed(methods: Sequence[str], width: float) -> tuple[list[dict[str, Any]], float]:
    """Where each entry of a legend of a width stands, and the legend's height, in pixels."""
    room = min(_WIDEST_LABEL, width - _SAMPLE - _SPACE)
    labels = [balanced(method, room, theme.SMALL) for method in methods]
    columns = _columns(labels, width)
    entries, top = [], 0.0
    for start in range(0, len(methods), len(columns)):
        row = labels[start : start + len(columns)]
        for method, lines, x in zip(methods[start:], row, columns, strict=False):
            place = {"x": x, "end": x + _SAMPLE, "middle": x + _SAMPLE / 2, "y": top + _LINE / 2}
            text = {"text": x + _SAMPLE + _SPACE, "label": "\n".join(lines)}
            entries.append({"method": method, **place, **text})
        top += max(map(len, row)) * _LINE + _ROW_GAP
    return entries, top


def _columns(labels: Sequence[Sequence[str]], width: float) -> list[float]:
    """Where the columns of a legend begin: as many as there is room for, each as wide as its widest entry."""
    widths = [max(text_width(line, theme.SMALL) for line in lines) for lines in labels]
    for count in range(len(labels), 0, -1):
        columns = [_SAMPLE + 3 * _SPACE + max(widths[place::count]) for place in range(count)]
        if sum(columns) - 2 * _SPACE <= width:
            break
    return [sum(columns[:place]) for place in range(count)]
