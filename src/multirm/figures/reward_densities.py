"""How the rewards of the better and of the worse responses are distributed: a panel for each reward model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np

from multirm.charts.palette import STAND_INS
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, marks
from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import framed, n_columns
from multirm.figures.response_measures import CHOSEN
from multirm.figures.titles import headroom, panel_title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.response_accuracy import LONGER, RESPONSE_REWARDS
from multirm.tables.schema import Row

# Where the densities are computed, between the ends of an axis.
_PLACES = 120


@entry
def draw_reward_densities(response_rewards: Path, output: list[OutputFile]) -> None:
    """Draw the densities of the rewards of chosen and of rejected responses, for each reward model.

    Args:
        response_rewards: A response_rewards table, as `evaluate-responses` writes it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    figure = chart(read_measures(response_rewards, RESPONSE_REWARDS))
    write_figure(figure, output, __name__, {}, [response_rewards])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the response_rewards table."""
    rows = [row for row in measures.rows if row["n_shown"] is None]
    methods = [
        name
        for name in measures.styles
        if name != STAND_INS[LONGER]
        and any(row["method"] == name and row["reward"] is not None for row in rows)
    ]
    columns = n_columns(methods)
    drawn = marks(list(CHOSEN), CHOSEN)
    panels = [
        _panel([row for row in rows if row["method"] == name], name, drawn, columns, place)
        for place, name in enumerate(methods)
    ]
    said = ["Gaussian kernels, Scott's width. Each reward model has its own scale."]
    missing = sum(row["reward"] is None for row in rows)
    if missing:
        said.append(f"{missing} missing rewards are left out.")
    spacing = {"row": theme.GAP_Y, "column": theme.GAP_X}
    return framed(
        "Rewards of chosen and rejected responses",
        measures.dataset,
        said,
        methods,
        CHOSEN,
        [alt.concat(*panels, columns=columns, spacing=spacing, bounds="flush")] if panels else [],
        why="no rewards to draw",
    )


def density(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A Gaussian kernel density with Scott's width, float64 [places]; 0 of no values.

    Args:
        values: float64 [values]; if all are equal, the kernel is as wide as the distance of places.
        places: float64 [places], evenly spaced.
    """
    if not len(values):
        return np.zeros_like(places)
    spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    width = max(spread * len(values) ** -0.2, float(places[1] - places[0]))
    distances = (places[:, None] - values[None]) / width
    return np.asarray(np.exp(-(distances**2) / 2).mean(axis=1) / width / np.sqrt(2 * np.pi))


def _panel(
    rows: Sequence[Row], name: str, drawn: Marks, columns: int, place: int
) -> alt.LayerChart:
    width = theme.panel_width(columns)
    data = alt.InlineData(values=_points(rows))
    base = alt.Chart(data).encode(
        x=alt.X(
            "reward:Q",
            scale=alt.Scale(nice=False, zero=False),
            axis=alt.Axis(title="Reward", grid=False, tickCount=4),
        ),
        y=alt.Y(
            "density:Q",
            axis=alt.Axis(
                title="Density" if place % columns == 0 else None,
                labels=False,
                ticks=False,
                domain=False,
                grid=False,
            ),
        ),
        color=drawn.colour,
        tooltip=[
            alt.Tooltip("method:N", title="Responses"),
            alt.Tooltip("reward:Q", title="Reward", format=".3f"),
            alt.Tooltip("n:Q", title="n"),
        ],
    )
    area = base.mark_area(opacity=theme.BAND_OPACITY).encode(y2=alt.datum(0))
    line = base.mark_line().encode(strokeDash=drawn.dash)
    return (area + line + headroom(data)).properties(
        width=width, height=theme.PANEL_HEIGHT, title=panel_title(escaped(name), width)
    )


def _points(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The density curves of a model's chosen and rejected responses."""
    sides = [
        np.array(
            [
                row["reward"]
                for row in rows
                if row["is_chosen"] is side and row["reward"] is not None
            ]
        )
        for side in (True, False)
    ]
    every = np.concatenate(sides)
    margin = 0.05 * float(np.ptp(every)) or 0.5
    places = np.linspace(every.min() - margin, every.max() + margin, _PLACES)
    return [
        {"method": method, "reward": float(x), "density": float(y), "n": len(values)}
        for method, values in zip(CHOSEN, sides, strict=True)
        for x, y in zip(places, density(values, places), strict=True)
    ]
