"""Titles that say what a figure shows, since a picture is copied without its caption."""

from collections.abc import Sequence

import altair as alt

from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.wrapping import wrap


def title(shows: str, dataset: str, sentences: Sequence[str], width: float) -> alt.TitleParams:
    """A figure's title, with sentences below it.

    Args:
        shows: what is drawn, such as `Best-of-N accuracy`.
        dataset: what it is of.
        sentences: over how many questions, with what uncertainty, and what else must not be missed.
        width: of the figure, in pixels.
    """
    return alt.TitleParams(
        wrap(escaped(f"{shows} on {dataset}"), width, theme.LARGE, bold=True),
        subtitle=wrap(escaped(" ".join(sentences)), width, theme.SMALL),
        frame="group",
        offset=12,
    )


def spoken(category: str) -> str:
    """A category as people write it: `computer_science` → `Computer science`."""
    words = category.replace("_", " ")
    return words[:1].upper() + words[1:]


def panel_title(
    text: str, width: float, bold: bool = False, above_labels: bool = True
) -> alt.TitleParams:
    """A panel's title, wrapped to its width.

    Args:
        width: of the panel, in pixels.
        above_labels: whether the panel has labels at its y axis, the highest of which is half above the panel
            and moves the title up: others are put at the same height.
    """
    lines = wrap(escaped(text), width, theme.MEDIUM, bold)
    return alt.TitleParams(
        lines,
        fontSize=theme.MEDIUM,
        fontWeight="bold" if bold else "normal",
        frame="group",
        lineHeight=theme.MEDIUM * theme.LINE_HEIGHT,
        offset=5 if above_labels else 5 + theme.SMALL / 2,
    )


def headroom(data: alt.InlineData) -> alt.Chart:
    """An invisible layer that puts the titles of all panels at one height.

    Vega puts a title above the highest mark, and a point at the upper end of an axis reaches above the panel.

    Args:
        data: that of the panel's other layers.
    """
    top, bottom = alt.value(-theme.SMALL), alt.value(0)
    return alt.Chart(data).mark_rule(opacity=0).encode(x=alt.value(0), y=top, y2=bottom)
