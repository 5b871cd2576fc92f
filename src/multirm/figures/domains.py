"""Models trained on several categories against models trained on one: differences by the category tested on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import Style
from multirm.errors import InputError, escaped, one_of
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
from multirm.tables.comparisons import Family
from multirm.tables.domains import DOMAINS, Domain
from multirm.tables.schema import Row

SIGNIFICANT = 0.05

_ROW, _GAP, _TEXT = 30, 16, 40
_TOOLTIP = [
    alt.Tooltip("tested:N", title="Tested on"),
    alt.Tooltip("trained:N", title="Other model"),
    alt.Tooltip("difference:Q", title="Difference (points)", format="+.2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("p:N", title="Corrected p"),
    alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("other_accuracy:Q", title="Accuracy of the other (%)", format=".2f"),
    alt.Tooltip("n_questions:Q", title="Questions"),
]


@entry
def draw_domains(
    domains: Path,
    reward_models: list[Path],
    output: list[OutputFile],
    selection: Selection = Selection.BEST_OF_N,
) -> None:
    """Draw what training on several categories gains over training on one, in domain and out of domain.

    Args:
        domains: A table of domains, as `compare-domains` writes it.
        reward_models: Tables of the reward models in it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        selection: How the models select: best_of_n or weighted_vote.
    """
    check_formats(output)
    if selection not in SHOWS:
        raise InputError("--selection", expected=one_of(list(SHOWS)), found=selection)
    figure = chart(read_measures(domains, DOMAINS, reward_models), selection)
    parameters = {"selection": str(selection)}
    write_figure(figure, output, __name__, parameters, [domains, *reward_models])


def chart(measures: Measures, selection: Selection) -> alt.VConcatChart:
    """The figure, from rows of the domains table: a panel for each model that is trained on several categories."""
    largest = max((row["n"] for row in measures.rows), default=0)
    rows = [row for row in measures.rows if (row["n"], row["selection"]) == (largest, selection)]
    kept = [row for row in rows if row["category"] in measures.categories]
    names = [name for name in measures.styles if any(row["method"] == name for row in rows)]
    drawn = {name: _drawn([row for row in kept if row["method"] == name]) for name in names}
    label = max((text_width(spoken(name), theme.SMALL) for name in measures.categories), default=0)
    columns = min(2, max(1, len(names)))
    free = theme.WIDTH - label - 3 * _GAP - (columns - 1) * _GAP
    width = min(free / columns, theme.WIDEST_PANEL)
    shows = SHOWS[selection][0].lower() + SHOWS[selection][1:]
    heading = title(
        f"Training on several domains minus training on one: {shows} accuracy",
        measures.dataset,
        _sentences(measures, rows),
        max(columns * width + label, theme.WIDEST_PANEL),
    )
    if not names:
        why = "no reward model trained on one category beside one trained on several"
        return alt.vconcat(nothing(why), title=heading)
    scale = _scale([row for own in drawn.values() for row in own], width)
    panels = [
        _panel(
            drawn[name], measures, measures.styles[name], scale, place % columns == 0
        ).properties(
            width=width,
            height=_ROW * len(measures.categories),
            title=panel_title(_heading(name, rows), width),
        )
        for place, name in enumerate(names)
    ]
    grid = alt.concat(*panels, columns=columns, spacing={"row": 20, "column": _GAP})
    return alt.vconcat(grid, title=heading)


def _heading(name: str, rows: Sequence[Row]) -> str:
    """A model with its accuracy over all categories that it is compared on."""
    overall = [row for row in rows if row["method"] == name and row["category"] == OVERALL]
    widest = max(overall, key=lambda row: int(row["n_categories"]))
    return f"{name} ({widest['accuracy']:.1f} %)"


def _drawn(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What is drawn of one model: for each category and domain the mean over other models, and each of several."""
    means = {(row["category"], row["domain"]) for row in rows if row["other_model"] is None}
    return [
        _values(row, row["other_model"] is not None and (row["category"], row["domain"]) in means)
        for row in rows
    ]


def _values(row: Row, is_part: bool) -> dict[str, Any]:
    known = row["difference_low"] is not None and row["difference_high"] is not None
    is_primary = row["family"] == Family.PRIMARY
    is_significant = is_primary and row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT
    text = f"{row['difference']:+.1f}{'*' if is_significant else ''}".replace("-", "−")
    return {
        "tested": spoken(row["category"]),
        "domain": row["domain"],
        "trained": _other(row),
        "is_part": is_part,
        "difference": row["difference"],
        "low": row["difference_low"],
        "high": row["difference_high"],
        "end": row["difference_high"] if known else row["difference"],
        "text": None if is_part else text,
        "interval": interval_text(row["difference_low"], row["difference_high"], 2, is_signed=True),
        "p": "none" if row["p_holm"] is None else f"{row['p_holm']:.2g}",
        "accuracy": row["accuracy"],
        "other_accuracy": row["other_accuracy"],
        "n_questions": row["n_questions"],
    }


def _other(row: Row) -> str:
    if row["domain"] == Domain.HELD_OUT:
        name = row["other_model"]
        return f"{escaped(name) if name else 'mean of those'}{', ' if name else ' '}trained on all but this category"
    if row["other_model"] is not None:
        return f"{escaped(row['other_model'])}, trained on {escaped(row['trained_on'])}"
    return "mean of those trained on " + (
        "this category" if row["domain"] == Domain.IN_DOMAIN else "other categories"
    )


def _scale(rows: Sequence[Mapping[str, Any]], width: float) -> alt.Scale:
    """From the lowest to the highest end, with 0 and with room for text at the right."""
    ends = [row[name] for row in rows for name in ("difference", "low", "high")]
    known = [0.0, *(end for end in ends if end is not None)]
    low, high = min(known), max(known)
    room = (high - low or 1) * _TEXT / (width - _TEXT)
    return alt.Scale(domain=[low - room / 8, high + room], nice=False)


def _panel(
    rows: Sequence[Mapping[str, Any]],
    measures: Measures,
    style: Style,
    scale: alt.Scale,
    is_first: bool,
) -> alt.LayerChart:
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labels=is_first)
    tested = alt.Scale(domain=[spoken(name) for name in measures.categories])
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("difference:Q", scale=scale, title="Difference (points)"),
        y=alt.Y("tested:N", scale=tested, axis=axis),
        yOffset=alt.YOffset("domain:N", scale=alt.Scale(domain=_domains(rows))),
        color=alt.value(style.colour),
        tooltip=_TOOLTIP,
    )
    zero = alt.Chart(alt.InlineData(values=[{"difference": 0}])).mark_rule(color=theme.AXIS)
    whole = base.transform_filter("!datum.is_part")
    within = whole.transform_filter("isValid(datum.low)").mark_rule()
    marks = {
        Domain.IN_DOMAIN: (style.shape, style.colour),
        Domain.OUT_OF_DOMAIN: (style.shape, theme.PAPER),
        Domain.HELD_OUT: ("cross", style.colour),
    }
    points = [
        whole.transform_filter(f"datum.domain === '{domain}'").mark_point(shape=shape, fill=fill)
        for domain, (shape, fill) in marks.items()
        if domain in _domains(rows)
    ]
    parts = base.transform_filter("datum.is_part").mark_tick(thickness=1, size=8, opacity=0.6)
    text = whole.mark_text(align="left", dx=5)
    return alt.LayerChart(
        layer=[
            zero.encode(x=alt.X("difference:Q", scale=scale)),
            parts,
            within.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
            *points,
            text.encode(
                x=alt.X("end:Q", scale=scale), text="text:N", color=alt.value(theme.FAINT_INK)
            ),
        ]
    )


_MARKED = {
    frozenset((Domain.IN_DOMAIN, Domain.OUT_OF_DOMAIN)): "Filled: its difference from the model "
    "of the same kind trained on the category tested (in domain). Open: from the mean of those trained on other "
    "categories (out of domain), each of which is a tick.",
    frozenset(
        (Domain.HELD_OUT,)
    ): "Cross: its difference from the model trained on all of its categories but the one "
    "tested (held out).",
}


def _domains(rows: Sequence[Mapping[str, Any]]) -> list[Domain]:
    """The domains that have room in a panel: both kinds of single-domain models, and others if there are any."""
    found = {row["domain"] for row in rows}
    if found == {Domain.HELD_OUT}:
        return [Domain.HELD_OUT]
    both = [Domain.IN_DOMAIN, Domain.OUT_OF_DOMAIN]
    return both + [Domain.HELD_OUT] * (Domain.HELD_OUT in found)


def _sentences(measures: Measures, rows: Sequence[Row]) -> list[str]:
    if not rows:
        return ["Nothing can be compared."]
    counts = {row["category"]: row["n_questions"] for row in rows if row["category"] != OVERALL}
    primary = [row for row in measures.rows if row["family"] == Family.PRIMARY]
    n_tests = sum(row["p_holm"] is not None for row in primary)
    seeds = and_seeds(measures.has_means)
    notes = dict.fromkeys(IntervalNote(row["note"]) for row in rows if row["note"])
    n_unknown = rows[0]["n_unknown_models"] or 0
    left_out = f"Left out: {n_unknown} reward model{'s'[: n_unknown > 1]} of unknown kind or training categories."
    return [
        f"{sum(counts.values())} questions, N = {rows[0]['n']}.",
        *over_categories(measures),
        "Each panel: a model trained on several categories, with its accuracy. "
        + " ".join(
            said for domains, said in _MARKED.items() if domains & {row["domain"] for row in rows}
        ),
        f"Lines: 95 % intervals, paired over questions{seeds}.",
        f"* p < {SIGNIFICANT}: sign-flip tests, corrected by Holm's method among the {n_tests} overall differences of "
        "both selections.",
        *([left_out] if n_unknown else []),
        *(f"{note.meaning[0].upper()}{note.meaning[1:]}." for note in notes),
    ]
