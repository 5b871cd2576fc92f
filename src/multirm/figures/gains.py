"""Gain over the majority vote by category and by group of categories, a panel per reward model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.charts.scorers import Rows
from multirm.errors import InputError, one_of
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.measures import Measures, interval_text, read_measures
from multirm.figures.panels import SHOWS
from multirm.figures.sentences import and_seeds, over_categories
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import OVERALL, IntervalNote, Selection
from multirm.tables.category_groups import CATEGORY_GROUPS
from multirm.tables.comparisons import COMPARISONS, Family
from multirm.tables.headline import LEVEL
from multirm.tables.schema import Row

_ROW, _GAP, _TEXT = 20, 16, 44
_TOOLTIP = [
    alt.Tooltip("where:N", title="Over"),
    alt.Tooltip("gain:Q", title="Gain (points)", format="+.2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("p:N", title="Corrected p"),
    alt.Tooltip("questions:N", title="Questions"),
]


@entry
def draw_gains(
    comparisons: Path,
    category_groups: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
    selection: Selection = Selection.BEST_OF_N,
) -> None:
    """Draw what each reward model gains over the majority vote: overall, in groups of categories and in each category.

    Args:
        comparisons: A table of comparisons.
        category_groups: The table of groups of categories beside it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in them.
        selection: How the models select: best_of_n or weighted_vote.
    """
    check_formats(output)
    if selection not in SHOWS:
        raise InputError("--selection", expected=one_of(list(SHOWS)), found=selection)
    tables = reward_models or []
    figure = chart(
        read_measures(comparisons, COMPARISONS, tables),
        read_measures(category_groups, CATEGORY_GROUPS, tables),
        selection,
    )
    inputs = [comparisons, category_groups, *tables]
    write_figure(figure, output, __name__, {"selection": str(selection)}, inputs)


def chart(measures: Measures, groups: Measures, selection: Selection) -> alt.VConcatChart:
    """The figure, from rows of the comparisons and category_groups tables."""
    gains = gains_of(measures.rows, groups.rows, selection)
    # Averages first: Overall, then groups; then categories.
    places = [
        *(name for name in measures.categories if name == OVERALL),
        *dict.fromkeys(row["group"] for row in groups.rows),
        *(name for name in measures.categories if name != OVERALL),
    ]
    names = [name for name in measures.styles if any(row["method"] == name for row in gains)]
    label = max((text_width(spoken(name), theme.SMALL) for name in places), default=0)
    columns = min(3, max(1, len(names)))
    free = theme.WIDTH - label - 3 * _GAP - (columns - 1) * _GAP
    width = min(free / columns, theme.WIDEST_PANEL)
    heading = title(
        f"{SHOWS[selection]}: gain over the majority vote",
        measures.dataset,
        _sentences(measures, groups, gains),
        max(columns * width + label, theme.WIDEST_PANEL),
    )
    if not names:
        return alt.vconcat(nothing("no gains to draw"), title=heading)
    scale = _scale(gains, width)
    panels = [
        _panel(
            [row for row in gains if row["method"] == name],
            [spoken(each) for each in places],
            measures.styles[name],
            scale,
            place % columns == 0,
        ).properties(width=width, height=_ROW * len(places), title=panel_title(name, width))
        for place, name in enumerate(names)
    ]
    grid = alt.concat(*panels, columns=columns, spacing={"row": 20, "column": _GAP})
    return alt.vconcat(grid, title=heading)


def gains_of(comparisons: Rows, groups: Rows, selection: Selection) -> list[dict[str, Any]]:
    """What is drawn: gains at the largest N, those over several categories marked as means."""
    rows = [
        row
        for row in comparisons
        if row["selection"] == selection and row["other_selection"] == Selection.MAJORITY_VOTE
    ]
    own = [row for row in groups if row["selection"] == selection and row["difference"] is not None]
    largest = max((row["n"] for row in [*rows, *own]), default=0)
    found = [
        _gain(
            row,
            row["category"],
            row["category"] == OVERALL,
            row["difference_low"],
            row["difference_high"],
            None,
        )
        for row in rows
        if row["n"] == largest
    ]
    return found + [
        _gain(
            row,
            row["group"],
            True,
            row["difference_low"],
            row["difference_high"],
            row["n_questions"],
        )
        for row in own
        if row["n"] == largest
    ]


def _gain(
    row: Row,
    where: str,
    is_mean: bool,
    low: float | None,
    high: float | None,
    questions: int | None,
) -> dict[str, Any]:
    is_shown = row.get("family") == Family.PRIMARY and row["p_holm"] is not None
    star = "*" if is_shown and row["p_holm"] < LEVEL else ""
    return {
        "method": row["method"],
        "where": spoken(where),
        "is_mean": is_mean,
        "gain": row["difference"],
        "low": low,
        "high": high,
        "end": row["difference"] if high is None else high,
        "text": f"{row['difference']:+.1f}{star}".replace("-", "−"),
        "interval": interval_text(low, high, 2, is_signed=True),
        "p": "none" if row["p_holm"] is None else f"{row['p_holm']:.2g}",
        "questions": "" if questions is None else str(questions),
        "n": row["n"],
        "note": row.get("difference_note", row["note"]),
    }


def _scale(gains: Sequence[Mapping[str, Any]], width: float) -> alt.Scale:
    """From the lowest to the highest end, with 0 and with room for text at the right."""
    ends = [row[name] for row in gains for name in ("gain", "low", "high")]
    known = [0.0, *(end for end in ends if end is not None)]
    low, high = min(known), max(known)
    room = (high - low or 1) * _TEXT / (width - _TEXT)
    return alt.Scale(domain=[low - room / 8, high + room], nice=False)


def _panel(
    gains: Sequence[Mapping[str, Any]],
    places: Sequence[str],
    style: Style,
    scale: alt.Scale,
    is_first: bool,
) -> alt.LayerChart:
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labels=is_first)
    base = alt.Chart(alt.InlineData(values=list(gains))).encode(
        x=alt.X("gain:Q", scale=scale, title="Gain (points)"),
        y=alt.Y("where:N", scale=alt.Scale(domain=list(places)), axis=axis),
        color=alt.value(style.colour),
        tooltip=_TOOLTIP,
    )
    zero = alt.Chart(alt.InlineData(values=[{"gain": 0}])).mark_rule(color=theme.AXIS)
    within = base.transform_filter("isValid(datum.low)").mark_rule()
    means, single = (
        base.transform_filter(f"datum.is_mean === {is_mean}").mark_point(
            shape=style.shape, fill=fill
        )
        for is_mean, fill in (("true", style.colour), ("false", theme.PAPER))
    )
    text = base.mark_text(align="left", dx=5)
    return alt.LayerChart(
        layer=[
            zero.encode(x=alt.X("gain:Q", scale=scale)),
            within.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
            means,
            single,
            text.encode(
                x=alt.X("end:Q", scale=scale), text="text:N", color=alt.value(theme.FAINT_INK)
            ),
        ]
    )


def _sentences(
    measures: Measures, groups: Measures, gains: Sequence[Mapping[str, Any]]
) -> list[str]:
    if not gains:
        return []
    members = {row["group"]: row["n_categories"] for row in groups.rows}
    sizes = ", ".join(f"{spoken(name).lower()} {count}" for name, count in members.items())
    primary = [row for row in measures.rows if row["family"] == Family.PRIMARY]
    n_tests = sum(row["p_holm"] is not None for row in primary)
    notes = dict.fromkeys(IntervalNote(row["note"]) for row in gains if row["note"])
    return [
        f"N = {gains[0]['n']}.",
        *over_categories(measures),
        *([f"Categories in groups: {sizes}."] if sizes else []),
        "Filled: means over categories. Open: single categories.",
        f"Lines: 95 % intervals, paired over questions{and_seeds(measures.has_means)}.",
        f"* p < {LEVEL}: sign-flip tests, corrected by Holm's method among the {n_tests} overall comparisons of "
        "both selections. Groups and categories have no stars.",
        *(f"{note.meaning[0].upper()}{note.meaning[1:]}." for note in notes),
    ]
