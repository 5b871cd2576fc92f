"""Accuracy before and after intermediate steps are shuffled between questions: which models read more than the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from multirm.errors import InputError, shown
from multirm.figures import theme
from multirm.figures.accuracies import Accuracies, Point, category_names, method_names
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.marks import marks, nothing
from multirm.figures.palette import MAJORITY_VOTE
from multirm.figures.titles import panel_title, spoken, title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import OVERALL, Selection

COLUMNS, _ROW = 3, 24

_AS_WRITTEN, _SHUFFLED = "as written", "shuffled"
_TOOLTIP = [
    alt.Tooltip("method:N", title="Method"),
    alt.Tooltip("steps:N", title="Steps"),
    alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
    alt.Tooltip("interval:N", title="95 % interval"),
    alt.Tooltip("questions:N", title="Questions"),
]


@dataclass(frozen=True)
class Pair:
    """The accuracies of one dataset and of the one made from it by shuffling steps."""

    as_written: Accuracies
    shuffled: Accuracies


@entry
def draw_shuffled(
    accuracy: list[Path],
    pairs: list[str],
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw best-of-N accuracy with steps as written and with steps shuffled between questions.

    Args:
        accuracy: Accuracy tables, one per dataset.
        pairs: SHUFFLED=ORIGINAL, names of two of the datasets.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in them.
    """
    check_formats(output)
    tables = reward_models or []
    every = [read_accuracies(path, Selection.BEST_OF_N, tables) for path in accuracy]
    found = [_pair(each, {read.dataset: read for read in every}) for each in pairs]
    write_figure(chart(found), output, __name__, {"pairs": pairs}, [*accuracy, *tables])


def _pair(names: str, datasets: Mapping[str, Accuracies]) -> Pair:
    after, _, before = names.partition("=")
    for name in (after, before):
        if name not in datasets:
            known = ", ".join(datasets)
            raise InputError(
                "--pairs", expected=f"SHUFFLED=ORIGINAL, two of {known}", found=shown(names)
            )
    return Pair(datasets[before], datasets[after])


def chart(pairs: Sequence[Pair]) -> alt.VConcatChart:
    """The figure: for each pair a row of panels, one per category that both have."""
    panels = [panel for pair in pairs for panel in _panels(pair)]
    names = ", ".join(pair.as_written.dataset for pair in pairs)
    labels = [text_width(each, theme.SMALL) for pair in pairs for each in _methods(pair)]
    width = theme.WIDTH - max(labels, default=0) - 12
    heading = title("Best-of-N accuracy with shuffled steps", names, _sentences(pairs), width)
    if not panels:
        return alt.vconcat(nothing("no categories in common"), title=heading)
    grid = alt.concat(*panels, columns=COLUMNS, spacing={"row": 20, "column": 12})
    return alt.vconcat(grid, title=heading)


def _methods(pair: Pair) -> list[str]:
    return method_names(pair.as_written.points, ceiling=False)


def _panels(pair: Pair) -> list[alt.LayerChart]:
    before, after = (category_names(each.points) for each in (pair.as_written, pair.shuffled))
    common = [name for name in before if name in after]
    if OVERALL in common and set(before) != set(after):
        common.remove(OVERALL)
    rows = {name: _rows(pair, name) for name in common}
    drawn = [name for name in common if rows[name]]
    label = max((text_width(each, theme.SMALL) for each in _methods(pair)), default=0) + 12
    free = theme.WIDTH - label - (COLUMNS - 1) * 12 - 24
    width = min(free / COLUMNS, theme.WIDEST_PANEL)
    return [
        _panel(pair, rows[name], place % COLUMNS == 0).properties(
            width=width,
            height=_ROW * len(_methods(pair)),
            title=panel_title(spoken(name), width, name == OVERALL),
        )
        for place, name in enumerate(drawn)
    ]


def _panel(pair: Pair, rows: list[dict[str, Any]], is_first: bool) -> alt.LayerChart:
    methods = _methods(pair)
    drawn = marks(methods, pair.as_written.styles)
    colours = [pair.as_written.styles[method].colour for method in methods]
    scale = alt.Scale(domain=methods, range=colours)
    filled = alt.Fill("method:N", scale=scale, legend=None)
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labels=is_first)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "accuracy:Q",
            scale=alt.Scale(domain=[0, 100], nice=False),
            axis=alt.Axis(title="Accuracy (%)", values=[0, 50, 100], tickCount=3),
        ),
        y=alt.Y("method:N", scale=alt.Scale(domain=methods), axis=axis),
        yOffset=alt.YOffset("steps:N", scale=alt.Scale(domain=[_AS_WRITTEN, _SHUFFLED])),
        color=drawn.colour,
        tooltip=_TOOLTIP,
    )
    within = base.transform_filter("isValid(datum.low)").mark_rule().encode(x="low:Q", x2="high:Q")
    before = base.transform_filter(f"datum.steps == '{_AS_WRITTEN}'").mark_point()
    after = base.transform_filter(f"datum.steps == '{_SHUFFLED}'").mark_point(fill=theme.PAPER)
    text = base.transform_filter("isValid(datum.text)").mark_text(align="left", dx=6)
    return (
        within
        + before.encode(shape=drawn.shape, fill=filled)
        + after.encode(shape=drawn.shape)
        + text.encode(x="end:Q", text="text:N", color=alt.value(theme.FAINT_INK))
    )


def _rows(pair: Pair, category: str) -> list[dict[str, Any]]:
    """Both accuracies of each method at the largest N that both datasets have."""
    before, after = (_at_largest(each, pair) for each in (pair.as_written, pair.shuffled))
    rows = []
    for method in _methods(pair):
        old, new = before.get((category, method)), after.get((category, method))
        if old is None or new is None:
            continue
        change = f"{new.accuracy - old.accuracy:+.1f}".replace("-", "−")
        rows.append(_row(old, _AS_WRITTEN, None))
        rows.append(_row(new, _SHUFFLED, change))
    return rows


def _at_largest(accuracies: Accuracies, pair: Pair) -> dict[tuple[str, str], Point]:
    size = _largest(pair)
    return {(point.category, point.method): point for point in accuracies.points if point.n == size}


def _largest(pair: Pair) -> int:
    sizes = [{point.n for point in each.points} for each in (pair.as_written, pair.shuffled)]
    return max(sizes[0] & sizes[1], default=0)


def _row(point: Point, steps: str, text: str | None) -> dict[str, Any]:
    known = point.low is not None and point.high is not None
    return {
        "method": point.method,
        "steps": steps,
        "accuracy": point.accuracy,
        "low": point.low,
        "high": point.high,
        "end": point.accuracy if point.high is None else point.high,
        "text": text,
        "interval": f"{point.low:.2f} to {point.high:.2f}" if known else "none",
        "questions": "unknown" if point.n_questions is None else point.n_questions,
    }


def _sentences(pairs: Sequence[Pair]) -> list[str]:
    said = []
    for pair in pairs:
        counts = {
            point.category: point.n_questions or 0
            for point in pair.shuffled.points
            if point.category != OVERALL
        }
        said.append(f"{sum(counts.values())} questions, N = {_largest(pair)}.")
    return [
        *said,
        "Filled: solutions as written; open: intermediate steps replaced with those of other questions, and the change"
        " in points.",
        f"The {MAJORITY_VOTE.lower()} does not read steps.",
        "Lines: 95 % intervals over questions of each accuracy, not of the change, which is about the same questions.",
    ]
