"""How all figures look: their width, their text and their greys, as constants and as an Altair theme.

A figure is drawn `WIDTH` pixels wide. A paper sets it at 5.5 inches, where the smallest text is over 6 points; a
page of 700 pixels shows it without scrolling.
"""

from typing import Any

import altair as alt

WIDTH = 660
PADDING = 4
PNG_SCALE = 3

# Sizes of text, in pixels.
SMALL, MEDIUM, LARGE = 10.5, 11.5, 14.0
LINE_HEIGHT = 1.25

FONT = "Helvetica, Arial, sans-serif"

INK, FAINT_INK, AXIS, GRID, PAPER = "#222222", "#555555", "#888888", "#E4E4E4", "#FFFFFF"

# Between panels: room for a title above and the labels of an axis below.
GAP_X, GAP_Y = 12, 44
Y_AXIS_WIDTH = 46
PANEL_HEIGHT = 104
WIDEST_PANEL = 300
LEGEND_GAP = 12

LINE_WIDTH = 1.6
POINT_AREA, POINT_OUTLINE = 26, 1.2
BAND_OPACITY = 0.13

NAME = "multirm"


def panel_width(columns: int) -> int:
    """How wide each of some panels in a row is, in pixels, where all share the y axis of the first."""
    free = WIDTH - Y_AXIS_WIDTH - (columns - 1) * GAP_X - GAP_X
    return min(free // columns, WIDEST_PANEL)


def row_width(columns: int) -> int:
    """How wide some panels in a row are together, in pixels, without the y axis of the first."""
    return columns * panel_width(columns) + (columns - 1) * GAP_X


def theme() -> alt.theme.ThemeConfig:
    """What Altair configures in every figure."""
    axis: dict[str, Any] = {
        "labelFontSize": SMALL,
        "titleFontSize": SMALL,
        "titleFontWeight": "normal",
        "labelColor": INK,
        "titleColor": INK,
        "gridColor": GRID,
        "domainColor": AXIS,
        "tickColor": AXIS,
        "tickSize": 4,
    }
    title: dict[str, Any] = {
        "anchor": "start",
        "color": INK,
        "fontSize": LARGE,
        "fontWeight": "bold",
        "lineHeight": LARGE * LINE_HEIGHT,
        "subtitleColor": FAINT_INK,
        "subtitleFontSize": SMALL,
        "subtitleLineHeight": SMALL * LINE_HEIGHT,
        "subtitlePadding": 4,
    }
    config: dict[str, Any] = {
        "font": FONT,
        "background": PAPER,
        "padding": PADDING,
        "view": {"stroke": None},
        "axis": axis,
        "title": title,
        "legend": {"labelFontSize": SMALL, "titleFontSize": SMALL},
        "header": {"labelFontSize": MEDIUM, "titleFontSize": MEDIUM},
        "line": {"strokeWidth": LINE_WIDTH},
        "rule": {"strokeWidth": LINE_WIDTH},
        "point": {"size": POINT_AREA, "strokeWidth": POINT_OUTLINE, "opacity": 1},
        "text": {"fontSize": SMALL, "color": INK},
    }
    return {"config": config}  # type: ignore[typeddict-item]


alt.theme.register(NAME, enable=False)(theme)
