"""Gain over the majority vote against how far the lengths learned from are from those evaluated, by category."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from multirm.charts.palette import styles
from multirm.charts.scorers import Rows
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import Marks, legend, marks, nothing
from multirm.figures.measures import dataset_of, interval_text
from multirm.figures.sentences import sizes
from multirm.figures.titles import spoken, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL, Selection
from multirm.tables.comparisons import COMPARISONS
from multirm.tables.length_shift import LENGTH_SHIFT, Part
from multirm.tables.reward_model_rows import RewardModel, labels_of_shown, read_rows
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row
from multirm.tables.solution_analyses import SOLUTION_GROUPS, SolutionGroup

_HEIGHT = 260

_TOOLTIP = [
    alt.Tooltip("method:N", title="Reward model"),
    alt.Tooltip("category:N", title="Category"),
    alt.Tooltip("distance:Q", title="Distance (steps)", format=".2f"),
    alt.Tooltip("gain:Q", title="Gain (points)", format="+.1f"),
    alt.Tooltip("interval:N", title="95 % interval of the gain"),
    alt.Tooltip("questions:Q", title="Questions"),
    alt.Tooltip("learned:Q", title="Questions in training"),
]


@entry
def draw_gain_by_distance(
    length_shift: Path,
    comparisons: Path,
    solution_groups: Path,
    reward_models: list[Path],
    output: list[OutputFile],
) -> None:
    """Draw each model's best-of-N gain over the majority vote against the shift of length, a point per category.

    Args:
        length_shift: A length_shift table, as `measure-length-shift` writes it.
        comparisons: The table of comparisons of the same dataset.
        solution_groups: The table of groups of its solutions, with their numbers.
        reward_models: Tables of its reward models, which say what each learned from.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    shifts = parquet.read(length_shift, LENGTH_SHIFT).to_pylist()
    gains = parquet.read(comparisons, COMPARISONS).to_pylist()
    groups = parquet.read(solution_groups, SOLUTION_GROUPS).to_pylist()
    dataset = dataset_of(length_shift, shifts, reward_models)
    models = read_rows(dataset, reward_models)
    figure = chart(escaped(dataset), shifts, gains, groups, models)
    inputs = [length_shift, comparisons, solution_groups, *reward_models]
    write_figure(figure, output, __name__, {}, inputs)


def chart(
    dataset: str,
    shifts: Sequence[Row],
    gains: Sequence[Row],
    groups: Rows,
    models: Sequence[RewardModel],
) -> alt.VConcatChart:
    """The figure.

    Args:
        shifts: rows of the length_shift table.
        gains: rows of the comparisons table.
        groups: rows of the solution_groups table.
        models: the reward models of the dataset.
    """
    points = points_of(shifts, gains, groups, models)
    width = theme.WIDTH - theme.Y_AXIS_WIDTH - 2 * theme.GAP_X
    said = _sentences(points, gains, groups)
    heading = title("Gain over the majority vote by shift of length", dataset, said, width)
    if not points:
        return alt.vconcat(
            nothing("no model with known training lengths and a gain"), title=heading
        )
    looks = {
        escaped(label): styles(models)[model] for model, label in labels_of_shown(models).items()
    }
    methods = [method for method in looks if any(point["method"] == method for point in points)]
    panel = _panel(points, marks(methods, looks)).properties(width=width, height=_HEIGHT)
    return alt.vconcat(
        panel, legend(methods, looks, width), spacing=theme.LEGEND_GAP, title=heading
    )


def points_of(
    shifts: Sequence[Row], gains: Sequence[Row], groups: Rows, models: Sequence[RewardModel]
) -> list[Mapping[str, Any]]:
    """A point for each model that is shown and each category: best-of-N at the largest N.

    A model's distance is that of what it learned from, so there is none in categories that it was not trained on. Of
    several training datasets, the first counts, and so does the first of several aggregations.
    """
    largest = max((row["n"] for row in gains), default=0)
    points: dict[tuple[str, str], Mapping[str, Any]] = {}
    distances = {
        (*(row[key] for key in ("part", "learned_from", "critiques", "kind")), row["category"]): row
        for row in shifts
    }
    counts = {
        row["category"]: row["n_questions"] for row in groups if row["group"] == SolutionGroup.ALL
    }
    known = {each.model: each for each in models}
    for row in gains:
        label = labels_of_shown(models).get(row["model"])
        is_shown = (row["n"], row["selection"]) == (largest, Selection.BEST_OF_N)
        is_gain = row["other_selection"] == Selection.MAJORITY_VOTE and row["category"] != OVERALL
        if label is None or not (is_shown and is_gain):
            continue
        model = known[row["model"]]
        found = distances.get((*_learned(model), row["category"]))
        categories = model.training_categories
        if found and (categories is None or row["category"] in categories):
            point = _point(escaped(label), row, found, counts.get(row["category"]))
            points.setdefault((label, row["category"]), point)
    return list(points.values())


def _learned(model: RewardModel) -> tuple[str, str | None, str | None, str | None]:
    """What a model learned from, as the length_shift table calls it."""
    dataset = model.learned_from[0] if model.learned_from else None
    if model.kind is None or not model.kind.is_generative:
        return Part.TRAIN, dataset, None, None
    part = Part.SEEN if model.kind is Kind.GPRM else Part.KEPT
    return part, dataset, model.critiques, model.kind


def _point(label: str, gain: Row, shift: Row, n_questions: int | None) -> Mapping[str, Any]:
    return {
        "method": label,
        "category": spoken(escaped(gain["category"])),
        "questions": n_questions,
        "learned": shift["n_questions"],
        "distance": shift["distance"],
        "distance_low": shift["distance_low"],
        "distance_high": shift["distance_high"],
        "gain": gain["difference"],
        "low": gain["difference_low"],
        "high": gain["difference_high"],
        "interval": interval_text(gain["difference_low"], gain["difference_high"], is_signed=True),
    }


def _sentences(
    points: Sequence[Mapping[str, Any]], gains: Sequence[Row], groups: Rows
) -> list[str]:
    if not points:
        return ["Nothing can be compared."]
    n_categories = len({point["category"] for point in points})
    return [
        sizes(groups),
        f"Best-of-{max(row['n'] for row in gains)}; a point for each model and category, of which there are "
        f"{n_categories}.",
        "Distance: Wasserstein distance, in steps, of the lengths that a model learned from (gPRM: up to the first "
        "incorrect step) from those evaluated.",
        "Lines: 95 % intervals over questions.",
    ]


def _panel(points: Sequence[Mapping[str, Any]], drawn: Marks) -> alt.LayerChart:
    x = alt.X("distance:Q", title="Distance of lengths (steps)", scale=alt.Scale(zero=True))
    y = alt.Y("gain:Q", title="Gain over the majority vote (points)")
    base = alt.Chart(alt.InlineData(values=points)).encode(
        x=x, y=y, color=drawn.colour, tooltip=_TOOLTIP
    )
    zero = alt.Chart(alt.InlineData(values=[{"gain": 0}])).mark_rule(color=theme.AXIS)
    up = base.transform_filter("isValid(datum.low)").mark_rule(opacity=0.4, strokeWidth=1)
    across = base.transform_filter("isValid(datum.distance_low)").mark_rule(
        opacity=0.4, strokeWidth=1
    )
    return alt.LayerChart(
        layer=[
            zero.encode(y="gain:Q"),
            up.encode(y="low:Q", y2="high:Q"),
            across.encode(x="distance_low:Q", x2="distance_high:Q"),
            base.mark_point().encode(fill=drawn.fill, shape=drawn.shape),
        ]
    )
