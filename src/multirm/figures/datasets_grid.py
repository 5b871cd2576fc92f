"""The datasets of a study side by side, such as pools by several policies: overall accuracy against N on each."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import altair as alt

from multirm.errors import InputError
from multirm.figures.accuracies import Accuracies, category_names, sentences
from multirm.figures.accuracy_files import read_accuracies
from multirm.figures.accuracy_lines import accuracy_lines
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables.accuracy import Selection


@entry
def draw_datasets_grid(
    accuracy: list[Path],
    selection: Selection,
    output: list[OutputFile],
    reward_models: list[Path] | None = None,
    ceiling: bool = False,
) -> None:
    """Draw overall accuracy against N for each of several datasets, with one line per reward model.

    Args:
        accuracy: Accuracy tables (.parquet), one per dataset.
        selection: How the models select: best_of_n or weighted_vote.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in them; names tell the models' kinds without any.
        ceiling: Also draw pass@N, the share of questions with any correct solution.
    """
    check_formats(output)
    tables = reward_models or []
    found = [read_accuracies(path, selection, tables) for path in accuracy]
    _check_together(found)
    parameters = {"selection": str(selection), "ceiling": ceiling}
    write_figure(
        chart(found, selection, ceiling), output, __name__, parameters, [*accuracy, *tables]
    )


def _check_together(datasets: Sequence[Accuracies]) -> None:
    """Refuse tables that do not belong in one figure.

    Raises:
        InputError: a dataset twice, several estimators, or several models that look the same.
    """
    names = [each.dataset for each in datasets]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError("--accuracy", expected="each dataset once", found=f"{twice} twice")
    estimators = list(dict.fromkeys(each.estimator for each in datasets))
    if len(estimators) > 1:
        raise InputError("--accuracy", expected="one estimator", found=" and ".join(estimators))
    first = datasets[0].styles
    looks = {style: name for name, style in first.items()}
    for each in datasets[1:]:
        for name, style in each.styles.items():
            if name not in first and style in looks:
                raise InputError(
                    "--accuracy",
                    expected="the same reward models on all datasets",
                    found=f"{looks[style]} and {name}, which would look the same",
                    remedy="pass one table of all reward models for each dataset as --reward-models",
                )


def chart(datasets: Sequence[Accuracies], selection: Selection, ceiling: bool) -> alt.VConcatChart:
    """The figure: a panel for each dataset, in their order; `ceiling` adds pass@N."""
    whole = overall(datasets)
    several = any(len(category_names(each.points)) > 1 for each in datasets)
    more = ["Each category of a dataset counts the same."] if several else []
    return accuracy_lines(
        whole,
        selection,
        ceiling,
        lambda points: [*sentences(whole, points, parts="datasets"), *more],
        as_title=str,
    )


def overall(datasets: Sequence[Accuracies]) -> Accuracies:
    """The overall accuracies on each dataset, which stands in the place of a category."""
    points = [
        replace(point, category=each.dataset)
        for each in datasets
        for point in each.points
        if point.category == category_names(each.points)[0]
    ]
    return Accuracies(
        f"{len(datasets)} datasets" if len(datasets) > 1 else datasets[0].dataset,
        points,
        {name: style for each in datasets for name, style in each.styles.items()},
        datasets[0].estimator,
        any(each.has_means for each in datasets),
    )
