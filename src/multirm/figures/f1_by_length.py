"""F1 against the number of steps, a panel per category, a line per reward model."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import MAJORITY_VOTE, VOTES
from multirm.charts.scorers import Rows
from multirm.figures.marks import marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import framed, grid, lines, measure_row, measure_tooltip
from multirm.figures.sentences import sizes
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.solution_analyses import LENGTHS, SOLUTION_GROUPS

# What predicting all solutions correct gives is drawn like the majority vote: it needs no reward model either.
_ALWAYS = "All called correct"
_TOOLTIP = measure_tooltip(
    "F1", alt.Tooltip("x:N", title="Steps"), alt.Tooltip("solutions:Q", title="Solutions")
)


@entry
def draw_f1_by_length(
    lengths: Path,
    solution_groups: Path,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
) -> None:
    """Draw F1 of predicting correct solutions against their number of steps, per category.

    Args:
        lengths: A table of F1 by length.
        solution_groups: The table of groups of the same solutions, with their numbers.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    groups = parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist()
    figure = chart(read_measures(lengths, LENGTHS, tables), groups)
    write_figure(figure, output, __name__, {}, [lengths, solution_groups, *tables])


def chart(shown: Measures, groups: Rows) -> alt.VConcatChart:
    """The figure, from rows of the lengths table and of the solution_groups table."""
    rows = [row for row in shown.rows if row["f1"] is not None]
    drawn = replace(shown, rows=rows)
    looks = {**drawn.looks, _ALWAYS: VOTES[MAJORITY_VOTE]}
    by_length = sorted(shown.rows, key=lambda row: row["steps_low"])
    bins = list(dict.fromkeys(_steps(row) for row in by_length))
    panel = lines(marks(list(looks), looks), lambda is_last: _x(bins, is_last), _TOOLTIP)
    return framed(
        "F1 by number of steps",
        shown.dataset,
        _sentences(shown.rows, rows, groups),
        drawn.categories,
        looks,
        [grid(_values(rows), drawn.categories, panel, "F1 (%)", from_zero=True)] if rows else [],
        why="no solutions of known length and correctness with probabilities as rewards",
    )


def _x(bins: Sequence[str], is_last: bool) -> alt.X:
    axis = alt.Axis(labelAngle=0, labelOverlap=True, title="Steps" if is_last else None)
    return alt.X("x:O", scale=alt.Scale(domain=list(bins)), axis=axis)


def _values(rows: Rows) -> list[dict[str, Any]]:
    # Of the first model: it differs between models only by missing rewards.
    first = rows[0]["method"]
    always = [
        {**row, "method": _ALWAYS, "f1": row["f1_of_yes"], "f1_low": None, "f1_high": None}
        for row in rows
        if row["method"] == first
    ]
    return [
        measure_row(row, "f1", x=_steps(row), solutions=row["n_scored"]) for row in [*rows, *always]
    ]


def _steps(row: Any) -> str:
    low, high = row["steps_low"], row["steps_high"]
    return f"{low}–{high}" if low < high else str(low)


def _sentences(every: Rows, rows: Rows, groups: Rows) -> list[str]:
    if not rows:
        return []
    said = [
        sizes(groups),
        "A solution is called correct from a reward of 0.5 on.",
        "Bands: 95 % intervals over questions.",
        "Overall: the mean over the categories that have such solutions.",
    ]
    missing = sum(row["n_missing"] for row in every if row["category"] != OVERALL)
    said += [f"{missing} rewards are missing."] if missing else []
    drawn = {row["method"] for row in rows}
    without = dict.fromkeys(row["method"] for row in every if row["method"] not in drawn)
    return [*said, *(f"{name} has no probabilities." for name in without)]
