"""F1 of verdicts on whole solutions, bars per category."""

from pathlib import Path

import altair as alt

from multirm.figures.measures import Measures, read_measures
from multirm.figures.panels import f1_bars, framed
from multirm.figures.sentences import n_questions, over_categories, sentences
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.f1 import THRESHOLDS


@entry
def draw_outcome_f1(
    thresholds: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw each reward model's outcome F1 per category, at the threshold 0.5.

    Args:
        thresholds: A thresholds table.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it, which say their kinds; names do without any.
    """
    check_formats(output)
    tables = reward_models or []
    figure = chart(read_measures(thresholds, THRESHOLDS, tables))
    write_figure(figure, output, __name__, {}, [thresholds, *tables])


def chart(measures: Measures) -> alt.VConcatChart:
    """The figure, from rows of the thresholds table."""
    return framed(
        "Outcome F1",
        measures.dataset,
        [
            n_questions(measures),
            "A solution is predicted correct from a reward of 0.5 on.",
            *over_categories(measures),
            *sentences(measures, "without probabilities"),
        ],
        measures.categories,
        measures.looks,
        f1_bars(measures),
        why="no F1 to draw",
    )
