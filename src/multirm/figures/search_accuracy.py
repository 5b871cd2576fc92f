"""Accuracy of searches against each of their costs, and what they gain over best-of-N with as many policy tokens."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measures import dataset_of, in_order, interval_text
from multirm.figures.panels import ticks_of, y_axis
from multirm.figures.titles import headroom, panel_title, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, IntervalNote
from multirm.tables.schema import Row
from multirm.tables.search_accuracy import SEARCH_ACCURACY, SEARCH_GAINS, SearchMeasure
from multirm.tables.searches import SearchMethod

SECONDS = "Seconds"

CURRENCIES = {
    "Policy tokens drawn": ("policy_generated",),
    "Policy tokens computed": ("policy_computed",),
    "Reward model tokens computed": ("reward_computed",),
    "FLOPs of both models": ("policy_flops", "reward_flops"),
    SECONDS: ("seconds",),
}
"""What the panels' x axes are, each with the columns whose sum it is."""

CHOICES = {
    SearchMeasure.BEST: "Best",
    SearchMeasure.MAJORITY: "Majority vote",
    SearchMeasure.WEIGHTED: "Weighted vote",
    SearchMeasure.COVERED: "Any finished",
}

_STYLES = {
    SearchMethod.BEST_OF_N: ("circle", "#5A5A5A"),
    SearchMethod.BEAM_SEARCH: ("square", "#0B4F9E"),
    SearchMethod.DIVERSE_BEAM_SEARCH: ("diamond", "#2E9BD6"),
    SearchMethod.REBASE: ("triangle-up", "#CC8400"),
    SearchMethod.PARTICLE_FILTERING: ("triangle-down", "#0E7C3A"),
    SearchMethod.MCTS: ("cross", "#B8390E"),
}
_DASHES = ((1, 0), (6, 2), (2, 2))

_COLUMNS, _HEIGHT, _ROW = 3, 130, 17

_TOOLTIP = [
    alt.Tooltip("method:N", title="Search"),
    alt.Tooltip("n:N", title="N"),
    alt.Tooltip("cost:Q", title="Cost per question", format=",.4~g"),
    alt.Tooltip("value:Q", title="Accuracy (%)", format=".1f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("questions:Q", title="Questions"),
]
_GAIN_TOOLTIP = [
    alt.Tooltip("method:N", title="Search"),
    alt.Tooltip("value:Q", title="Difference (points)", format="+.1f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("n:Q", title="N of best-of-N", format=".1f"),
    alt.Tooltip("tokens:Q", title="Policy tokens", format=",.0f"),
]


@entry
def draw_search_accuracy(
    search_accuracy: Path,
    search_gains: Path,
    output: list[OutputFile],
    measure: SearchMeasure = SearchMeasure.BEST,
) -> None:
    """Draw the accuracy of searches against each cost, and their gains over best-of-N at equal policy tokens.

    Args:
        search_accuracy: A search_accuracy table.
        search_gains: The search_gains table made with it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        measure: Which choice's accuracy is drawn against costs; gains are those of all of them.
    """
    check_formats(output)
    rows = parquet.read(search_accuracy, SEARCH_ACCURACY).to_pylist()
    gains = parquet.read(search_gains, SEARCH_GAINS).to_pylist()
    figure = chart(dataset_of(search_accuracy, rows), rows, gains, measure)
    tables = [search_accuracy, search_gains]
    write_figure(figure, output, __name__, {"measure": str(measure)}, tables)


def chart(
    dataset: str, rows: Sequence[Row], gains: Sequence[Row], measure: SearchMeasure
) -> alt.VConcatChart:
    """The figure, from rows of the search_accuracy and search_gains tables of one dataset."""
    rows, gains = _overall(rows), _overall(gains)
    shown = [row for row in rows if row["measure"] == measure]
    looks = styles({row["search"]: row["method"] for row in rows})
    width = theme.row_width(_COLUMNS)
    heading = title(
        "Accuracy of searches by cost",
        escaped(dataset),
        _said(rows, gains, measure),
        width + theme.Y_AXIS_WIDTH,
    )
    if not shown:
        return alt.vconcat(nothing("no searches to draw"), title=heading)
    drawn = marks(list(looks), looks)
    costs, key = _costs(shown, drawn), legend(list(looks), looks, width)
    below = [_gains(gains, drawn)] if gains else []
    return alt.vconcat(costs, key, *below, spacing=theme.LEGEND_GAP, title=heading)


def styles(methods: dict[str, str]) -> dict[str, Style]:
    """The style of each search by what it is called in the figure: colours and shapes go by method.

    Args:
        methods: of the searches, by their names.
    """
    ranks: Counter[str] = Counter()
    found = {}
    for name, method in methods.items():
        shape, colour = _STYLES[SearchMethod(method)]
        rank = ranks[method]
        dash = _DASHES[rank % len(_DASHES)]
        found[_called(name)] = Style(colour, shape, dash, is_filled=rank % 2 == 0)
        ranks[method] += 1
    return found


def _called(search: str) -> str:
    """A search's name as it is shown."""
    return escaped(search) or "(no name)"


def _overall(rows: Sequence[Row]) -> list[Row]:
    """The rows of the average over categories, or of the only category."""
    names = in_order(row["category"] for row in rows)
    return [row for row in rows if row["category"] == names[0]] if names else []


def cost_of(row: Row, columns: Sequence[str]) -> float | None:
    """The sum of some costs; None if one is unknown, or if there is none for a logarithmic axis to show."""
    values = [row[name] for name in columns]
    known = [value for value in values if value is not None]
    total = float(sum(known))
    return total if len(known) == len(values) and total > 0 else None


def _costs(rows: Sequence[Row], drawn: Marks) -> alt.ConcatChart:
    values = [_value(row) for row in rows]
    ticks = ticks_of(values)
    panels = []
    for place, (name, columns) in enumerate(CURRENCIES.items()):
        own = [
            {**value, "cost": cost}
            for value, row in zip(values, rows, strict=True)
            if (cost := cost_of(row, columns)) is not None
        ]
        width = theme.panel_width(_COLUMNS)
        heading = panel_title(name, width)
        # Prefixes of units, but no milliseconds, which `m` would be.
        number = "~g" if name == SECONDS else "~s"
        is_first = place % _COLUMNS == 0
        panel = _cost_panel(own, number, ticks, is_first, drawn) if own else nothing("not known")
        panels.append(panel.properties(width=width, height=_HEIGHT, title=heading))
    spacing = {"row": theme.GAP_Y + theme.LEGEND_GAP, "column": theme.GAP_X}
    return alt.concat(*panels, columns=_COLUMNS, spacing=spacing, bounds="flush")


def _value(row: Row) -> dict[str, Any]:
    return {
        "method": _called(row["search"]),
        "value": row["accuracy"],
        "low": row["accuracy_low"],
        "high": row["accuracy_high"],
        "interval": interval_text(row["accuracy_low"], row["accuracy_high"]),
        "n": "as run" if row["n"] is None else str(row["n"]),
        "questions": row["n_questions"],
    }


def _cost_panel(
    rows: Sequence[dict[str, Any]],
    number: str,
    ticks: Sequence[float],
    is_first: bool,
    drawn: Marks,
) -> alt.LayerChart:
    costs = [row["cost"] for row in rows]
    scale = alt.Scale(type="log", domain=[min(costs) / 1.3, max(costs) * 1.3], nice=False)
    axis = alt.Axis(title=None, format=number, tickCount=3, grid=False, labelOverlap=True)
    data = alt.InlineData(values=list(rows))
    base = alt.Chart(data).encode(
        x=alt.X("cost:Q", scale=scale, axis=axis),
        y=y_axis(ticks, is_first, "Accuracy (%)"),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    interval = base.transform_filter("isValid(datum.low)").encode(y="low:Q", y2="high:Q")
    return (
        interval.mark_rule(strokeWidth=1, opacity=0.7)
        + base.mark_line().encode(strokeDash=drawn.dash)
        + headroom(data)
        + base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    )


def _gains(gains: Sequence[Row], drawn: Marks) -> alt.ConcatChart:
    """A panel per choice: the difference of each search from its baseline, with its interval."""
    values = [
        {
            "choice": row["measure"],
            "method": _called(row["search"]),
            "value": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
            "interval": interval_text(
                row["difference_low"], row["difference_high"], is_signed=True
            ),
            "n": row["baseline_n"],
            "tokens": row["policy_tokens"],
        }
        for row in gains
        if row["difference"] is not None
    ]
    names = list(dict.fromkeys(_called(row["search"]) for row in gains))
    ends = [row[key] for row in values for key in ("value", "low", "high") if row[key] is not None]
    domain = [min([-1.0, *ends]), max([1.0, *ends])]
    width = theme.panel_width(len(CHOICES)) - theme.Y_AXIS_WIDTH // 2
    panels = [
        _gain_panel(
            [row for row in values if row["choice"] == choice], names, domain, place == 0, drawn
        ).properties(
            width=width, height=max(2, len(names)) * _ROW, title=panel_title(called, width)
        )
        for place, (choice, called) in enumerate(CHOICES.items())
    ]
    return alt.concat(*panels, columns=len(panels), spacing=theme.GAP_X, bounds="flush")


def _gain_panel(
    rows: Sequence[dict[str, Any]],
    names: Sequence[str],
    domain: Sequence[float],
    is_first: bool,
    drawn: Marks,
) -> alt.LayerChart:
    data = alt.InlineData(values=list(rows))
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=list(domain), nice=True),
        axis=alt.Axis(title="Points over best-of-N", tickCount=3, format="+d", grid=False),
    )
    y = alt.Y(
        "method:N",
        scale=alt.Scale(domain=list(names)),
        axis=alt.Axis(
            title=None,
            domain=False,
            ticks=False,
            labels=is_first,
            labelLimit=theme.Y_AXIS_WIDTH * 2,
        ),
    )
    base = alt.Chart(data).encode(x=x, y=y, color=drawn.colour, tooltip=_GAIN_TOOLTIP)
    zero = alt.Chart(alt.InlineData(values=[{"value": 0}])).mark_rule(
        color=theme.AXIS, strokeWidth=1
    )
    interval = base.transform_filter("isValid(datum.low)").encode(x="low:Q", x2="high:Q")
    return (
        zero.encode(x=x)
        + interval.mark_rule()
        + base.mark_point().encode(fill=drawn.fill, shape=drawn.shape)
    )


def _said(rows: Sequence[Row], gains: Sequence[Row], measure: SearchMeasure) -> list[str]:
    own = [row for row in rows if row["measure"] == measure]
    if not own:
        return []
    average = "; each category counts the same" if own[0]["category"] == OVERALL else ""
    said = [
        f"{own[0]['n_questions']} questions{average}.",
        f"Above: the answer of {_CHOSEN[measure]}; costs are means per question.",
    ]
    if any(row["n"] is not None for row in own):
        said.append("Lines: best-of-N with fewer solutions, in expectation over all subsets.")
    if gains:
        said.append(
            "Below: minus best-of-N with as many policy tokens (± 5 %), paired by question."
        )
    if any(row["accuracy_low"] is not None for row in own):
        said.append("95 % intervals over questions.")
    unmatched = dict.fromkeys(_called(row["search"]) for row in gains if not row["is_matched"])
    if unmatched:
        said.append(f"Best-of-N has too few or too many tokens for {', '.join(unmatched)}.")
    return [*said, *_unfinished(own), *_notes(own)]


_CHOSEN = {
    SearchMeasure.BEST: "the finished solution with the highest reward",
    SearchMeasure.MAJORITY: "most finished solutions",
    SearchMeasure.WEIGHTED: "the highest sum of rewards",
    SearchMeasure.COVERED: "any finished solution that is right",
}


def _unfinished(rows: Sequence[Row]) -> Iterable[str]:
    """How many questions have no answer by a search, if there are any."""
    counts = {_called(row["search"]): row["n_unanswered"] for row in rows if row["n_unanswered"]}
    if counts:
        yield f"Questions without an answer are wrong: {', '.join(f'{n} of {name}' for name, n in counts.items())}."


def _notes(rows: Sequence[Row]) -> Iterable[str]:
    for note in dict.fromkeys(row["note"] for row in rows if row["note"]):
        meaning = IntervalNote(note).meaning
        yield f"{meaning[0].upper()}{meaning[1:]}."
