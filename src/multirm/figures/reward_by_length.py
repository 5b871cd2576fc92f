"""How rewards go with the length of responses: a panel for each reward model, with its correlation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from multirm.charts.palette import STAND_INS
from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import framed, n_columns
from multirm.figures.response_measures import CHOSEN
from multirm.figures.titles import headroom, panel_title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.running.randomness import item_generator
from multirm.tables.accuracy import OVERALL
from multirm.tables.response_accuracy import (
    LONGER,
    RESPONSE_REWARDS,
    REWARD_LENGTH_CORRELATIONS,
    Compared,
    LengthUnit,
)
from multirm.tables.schema import Row

# More points hide each other, and make files large.
MOST_POINTS = 300

N_BINS = 8

_LABELS_WIDTH = 24


@entry
def draw_reward_by_length(
    response_rewards: Path, reward_length_correlations: Path, output: list[OutputFile]
) -> None:
    """Draw rewards against the length of responses, for each reward model, with their correlation.

    Args:
        response_rewards: A response_rewards table, as `evaluate-responses` writes it.
        reward_length_correlations: The reward_length_correlations table beside it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    inputs = [response_rewards, reward_length_correlations]
    figure = chart(
        read_measures(response_rewards, RESPONSE_REWARDS),
        read_measures(reward_length_correlations, REWARD_LENGTH_CORRELATIONS),
    )
    write_figure(figure, output, __name__, {}, inputs)


def chart(measures: Measures, correlations: Measures) -> alt.VConcatChart:
    """The figure, from rows of the response_rewards and the reward_length_correlations tables."""
    rows = [row for row in measures.rows if row["n_shown"] is None and row["reward"] is not None]
    methods = [
        name
        for name in measures.styles
        if name != STAND_INS[LONGER] and any(row["method"] == name for row in rows)
    ]
    overall = {
        row["method"]: row
        for row in correlations.rows
        if (row["section"], row["length"], row["compared"])
        == (OVERALL, LengthUnit.CHARACTERS, Compared.RESPONSES)
    }
    columns = n_columns(methods)
    drawn = marks(list(CHOSEN), CHOSEN)
    panels = [
        _panel(
            [row for row in rows if row["method"] == name],
            f"{name}: {_correlation(overall.get(name))}",
            drawn,
            columns,
            place,
        )
        for place, name in enumerate(methods)
    ]
    said = [
        f"At most {MOST_POINTS} responses of each model, drawn at random; lines: means of {N_BINS} "
        "equally large groups by length, of all responses.",
        "r: Pearson's correlation with the number of characters, with its 95 % interval over prompts.",
    ]
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X + _LABELS_WIDTH}
    return framed(
        "Rewards by length",
        measures.dataset,
        said,
        methods,
        CHOSEN,
        [alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")] if panels else [],
        why="no rewards to draw",
    )


def _correlation(row: Row | None) -> str:
    if row is None or row["pearson"] is None:
        return "r undefined"
    text = f"r = {row['pearson']:.2f}"
    if row["pearson_low"] is None:
        return text
    return f"{text} [{row['pearson_low']:.2f}, {row['pearson_high']:.2f}]"


def _panel(
    rows: Sequence[Row], name: str, drawn: Marks, columns: int, place: int
) -> alt.LayerChart:
    # Every panel has its own y axis, whose labels stand between panels.
    width = theme.panel_width(columns) - (_LABELS_WIDTH if columns > 1 else 0)
    x = alt.X(
        "n_characters:Q",
        scale=alt.Scale(type="log", nice=False, padding=4),
        axis=alt.Axis(title="Characters", grid=False, tickCount=3, format="~s"),
    )
    y = alt.Y(
        "reward:Q",
        scale=alt.Scale(zero=False),
        axis=alt.Axis(
            title="Reward" if place % columns == 0 else None, domain=False, ticks=False, tickCount=4
        ),
    )
    data = alt.InlineData(values=_sample(rows))
    tooltip = [
        alt.Tooltip("method:N", title="Response"),
        alt.Tooltip("n_characters:Q", title="Characters"),
        alt.Tooltip("reward:Q", title="Reward", format=".3f"),
    ]
    points = (
        alt.Chart(data)
        .mark_point(size=8, opacity=0.5)
        .encode(x=x, y=y, color=drawn.colour, fill=drawn.fill, shape=drawn.shape, tooltip=tooltip)
    )
    means = alt.Chart(alt.InlineData(values=_means(rows)))
    lines = means.mark_line().encode(x=x, y=y, color=drawn.colour, strokeDash=drawn.dash)
    heading = panel_title(name, width)
    return (points + headroom(data) + lines).properties(
        width=width, height=theme.PANEL_HEIGHT, title=heading
    )


def _sample(rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    chosen = np.arange(len(rows))
    if len(rows) > MOST_POINTS:
        generator = item_generator(0, "reward_by_length", len(rows))
        chosen = np.sort(generator.choice(len(rows), MOST_POINTS, replace=False))
    return [_point(rows[k]) for k in chosen.tolist()]


def _point(row: Row) -> dict[str, Any]:
    return {
        "method": _side(row),
        "n_characters": max(row["n_characters"], 1),
        "reward": row["reward"],
    }


def _side(row: Row) -> str:
    better, worse = CHOSEN
    return better if row["is_chosen"] else worse


def _means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The mean reward and length of groups of responses by length."""
    found = []
    for side in CHOSEN:
        own = sorted((r["n_characters"], r["reward"]) for r in rows if _side(r) == side)
        for part in np.array_split(np.array(own, dtype=np.float64).reshape(-1, 2), N_BINS):
            if len(part):
                length, reward = part.mean(axis=0).tolist()
                found.append({"method": side, "n_characters": max(length, 1), "reward": reward})
    return found
