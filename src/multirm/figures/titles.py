"""Titles that say what a figure shows, since a picture is copied without its caption."""

from collections.abc import Sequence

import altair as alt

from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.wrapping import text_width, wrap


def title(shows: str, dataset: str, sentences: Sequence[str], width: float) -> alt.TitleParams:
    """A figure's title, with sentences below it. Its lines end between words, and so never within a dataset's name.

    Args:
        shows: what is drawn, such as `Best-of-N accuracy`.
        dataset: what it is of.
        sentences: over how many questions, with what uncertainty, and what else must not be missed.
        width: of the figure, in pixels. The title is wider if a word is, but no wider than any figure.
    """
    heading, said = escaped(f"{shows} on {dataset}"), escaped(" ".join(sentences))
    return alt.TitleParams(
        wrap(heading, _with_words(heading, width, theme.LARGE, bold=True), theme.LARGE, bold=True),
        subtitle=wrap(said, _with_words(said, width, theme.SMALL), theme.SMALL),
        frame="group",
        offset=12,
    )


def _with_words(text: str, width: float, size: float, bold: bool = False) -> float:
    """A width in pixels that the words of a text fit, up to that of all figures."""
    words = (text_width(word, size, bold) for word in text.split())
    return max(width, min(max(words, default=0.0), theme.WIDTH - 2 * theme.PADDING))


def spoken(category: str) -> str:
    """A category as people write it: `computer_science` → `Computer science`."""
    words = category.replace("_", " ")
    return words[:1].upper() + words[1:]


def panel_title(text: str, width: float, bold: bool = False) -> alt.TitleParams:
    """A panel's title, wrapped to its width, in pixels; `headroom` puts those of a row at one height."""
    lines = wrap(escaped(text), width, theme.MEDIUM, bold)
    return alt.TitleParams(
        lines,
        fontSize=theme.MEDIUM,
        fontWeight="bold" if bold else "normal",
        frame="group",
        lineHeight=theme.MEDIUM * theme.LINE_HEIGHT,
        offset=5,
    )


def headroom(data: alt.InlineData) -> alt.Chart:
    """An invisible layer that puts the titles of all panels at one height.

    Vega puts a title above the highest mark or label: a point at the upper end of an axis reaches above the panel,
    and so does the highest label of the y axis, which only the first panel of a row has.

    Args:
        data: that of the panel's other layers.
    """
    top, bottom = alt.value(-theme.SMALL), alt.value(0)
    return alt.Chart(data).mark_rule(opacity=0).encode(x=alt.value(0), y=top, y2=bottom)
