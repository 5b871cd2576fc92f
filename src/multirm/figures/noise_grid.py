"""How label noise in training hurts: a heat map for each kind, noise of steps against the share of noisy solutions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt

from multirm.errors import InputError, escaped, one_of
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.panels import SHOWS
from multirm.figures.titles import panel_title, title
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, OVERALL, Aggregation, IntervalNote, Selection
from multirm.tables.reward_model_rows import RewardModel, labels_of_shown, read_rows
from multirm.tables.reward_models import Kind
from multirm.tables.schema import Row

_CELL = 46


@dataclass(frozen=True)
class Setup:
    """What a model has besides noise: models of a grid have the same.

    Attributes:
        baseline: the first model of the study that differs from this one in noise alone; None if it is unknown
            whether anything else differs.
    """

    baseline: str | None
    backbone: str | None
    categories: tuple[str, ...] | None
    aggregation: Aggregation


@dataclass(frozen=True)
class Cell:
    """A model trained at one level of noise.

    Attributes:
        step_noise: probability that a step label of a noisy solution was flipped.
        noise_share: share of noisy solutions.
        accuracy: in percent, with its 95 % interval.
        is_mean: whether it is a mean over training runs.
        note: what the interval is based on besides the spread over questions, or why there is none.
    """

    kind: Kind
    setup: Setup
    step_noise: float
    noise_share: float
    model: str
    accuracy: float
    low: float | None
    high: float | None
    is_mean: bool
    note: IntervalNote | None

    @property
    def is_noisy(self) -> bool:
        return self.step_noise > 0 and self.noise_share > 0

    @property
    def interval(self) -> str:
        known = self.low is not None and self.high is not None
        return f"{self.low:.1f} to {self.high:.1f}" if known else "no interval"


@entry
def draw_noise_grid(
    accuracy: Path,
    reward_models: list[Path],
    output: list[OutputFile],
    selection: Selection = Selection.BEST_OF_N,
) -> None:
    """Draw overall accuracy by the label noise that process reward models were trained with, a heat map per kind.

    Args:
        accuracy: An accuracy table (.parquet).
        reward_models: Tables of the reward models in it, which say the noise of what they learned from.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        selection: How the models select: best_of_n or weighted_vote.
    """
    check_formats(output)
    if selection not in SHOWS:
        raise InputError("--selection", expected=one_of(list(SHOWS)), found=selection)
    rows = parquet.read(accuracy, ACCURACY).to_pylist()
    models = read_rows(rows[0]["dataset"], reward_models) if rows else []
    figure = chart(rows, models, selection)
    write_figure(
        figure, output, __name__, {"selection": str(selection)}, [accuracy, *reward_models]
    )


def chart(
    rows: Sequence[Row], models: Sequence[RewardModel], selection: Selection
) -> alt.VConcatChart | alt.HConcatChart:
    """The figure, from rows of the accuracy table of one dataset and its reward models."""
    cells = cells_of(rows, models, selection)
    overall = [row for row in rows if row["category"] == OVERALL]
    dataset = overall[0]["dataset"] if overall else "no dataset"
    heading = title(
        f"{SHOWS[selection]} accuracy after training with label noise",
        dataset,
        _sentences(overall, cells),
        theme.WIDTH - theme.Y_AXIS_WIDTH,
    )
    drawn = _drawn(cells)
    kinds = list(dict.fromkeys(cell.kind for cell in drawn))
    if not kinds:
        return alt.vconcat(nothing("no process reward model with known label noise"), title=heading)
    values = [cell.accuracy for cell in drawn]
    colours = alt.Scale(scheme="viridis", domain=[min(values), max(values)])
    panels = [
        _panel([cell for cell in drawn if cell.kind is kind], kind, colours) for kind in kinds
    ]
    return alt.hconcat(*panels, spacing=4 * theme.GAP_X, title=heading)


def cells_of(
    rows: Sequence[Row], models: Sequence[RewardModel], selection: Selection
) -> list[Cell]:
    """A cell for each process reward model whose training noise is known: its overall accuracy at the largest N.

    Outcome reward models do not learn from step labels.
    """
    shown = labels_of_shown(models)
    known = {each.model: each for each in models if each.model in shown}
    chosen = [row for row in rows if row["category"] == OVERALL and row["selection"] == selection]
    largest = max((row["n"] for row in chosen), default=0)
    cells = []
    for row in chosen:
        model = known.get(row["model"])
        if row["n"] != largest or model is None or not (model.kind and model.kind.is_process):
            continue
        if model.step_noise is None or model.noise_share is None:
            continue
        name = f"{shown[model.model]} {row['aggregation']}"
        note = row["note"] and IntervalNote(row["note"])
        place = model.kind, _setup(model, row), model.step_noise, model.noise_share
        interval = row["accuracy"], row["accuracy_low"], row["accuracy_high"]
        cells.append(Cell(*place, escaped(name), *interval, model.is_mean, note))
    return cells


def _setup(model: RewardModel, row: Row) -> Setup:
    learned = model.training_categories
    categories = None if learned is None else tuple(sorted(learned))
    return Setup(model.noise_baseline, model.backbone, categories, Aggregation(row["aggregation"]))


def _comparable(cells: Sequence[Cell]) -> list[Cell]:
    """The cells of each kind that differ in noise alone: those of the setup with the most levels of noise."""
    levels: dict[tuple[Kind, Setup], set[tuple[float, float]]] = {}
    for cell in cells:
        levels.setdefault((cell.kind, cell.setup), set()).add((cell.step_noise, cell.noise_share))
    largest: dict[Kind, Setup] = {}
    for kind, setup in sorted(levels, key=lambda each: -len(levels[each])):
        largest.setdefault(kind, setup)
    return [cell for cell in cells if largest[cell.kind] == cell.setup]


def _drawn(cells: Sequence[Cell]) -> list[Cell]:
    """The first comparable model of each kind and noise: a grid has room for one."""
    places: dict[tuple[Kind, float, float], Cell] = {}
    for cell in _comparable(cells):
        places.setdefault((cell.kind, cell.step_noise, cell.noise_share), cell)
    return list(places.values())


def _sentences(overall: Sequence[Row], cells: Sequence[Cell]) -> list[str]:
    if not overall:
        return ["No accuracies."]
    drawn = _drawn(cells)
    seeds = (
        " and, for means over training runs, seeds" if any(each.is_mean for each in drawn) else ""
    )
    said = [
        f"{overall[0]['n_questions']} questions, N = {max(row['n'] for row in overall)}. Each cell is a model "
        f"trained with this much noise; below its accuracy is the 95 % interval over questions{seeds}."
    ]
    vote = [row for row in overall if row["selection"] == Selection.MAJORITY_VOTE]
    if vote:
        at_largest = max(vote, key=lambda row: int(row["n"]))
        said.append(f"The majority vote has {at_largest['accuracy']:.1f} %.")
    notes = dict.fromkeys(each.note for each in drawn if each.note)
    said += [f"{note.meaning[0].upper()}{note.meaning[1:]}." for note in notes]
    return said + _left_out(cells, drawn)


def _left_out(cells: Sequence[Cell], drawn: Sequence[Cell]) -> list[str]:
    """Which models are not shown, and what is not known of those that are."""
    comparable = _comparable(cells)
    others = [each.model for each in cells if each not in comparable]
    repeated = [each.model for each in comparable if each not in drawn]
    said = []
    if others:
        said.append(
            f"Not shown, since they differ from these in more than noise: {', '.join(others)}."
        )
    if repeated:
        said.append(f"Not shown, with the same kind and noise as another: {', '.join(repeated)}.")
    if any(each.setup.baseline is None for each in drawn):
        said.append(
            "Backbone and training categories are the same within a grid; whether other settings are is not known."
        )
    return said


def _panel(cells: Sequence[Cell], kind: Kind, colours: alt.Scale) -> alt.LayerChart:
    """The grid of one kind's noisy models; the model without noise is in the title."""
    noisy = [cell for cell in cells if cell.is_noisy]
    noises = sorted({f"{cell.step_noise:g}" for cell in noisy}, key=float)
    shares = sorted({f"{cell.noise_share:g}" for cell in noisy}, key=float)
    width, height = 2 * _CELL * max(2, len(shares)), _CELL * max(1, len(noises))
    clean = [f", without noise {_label(cell)}" for cell in cells if not cell.is_noisy]
    heading = panel_title(f"{kind}{''.join(clean)}", width)
    if not noisy:
        return nothing("no noise").properties(width=width, height=height, title=heading)
    base = alt.Chart(alt.InlineData(values=[_row(cell, colours.domain) for cell in noisy])).encode(
        x=alt.X("share:O", sort=shares, title="Share of noisy solutions", axis=_axis()),
        y=alt.Y("noise:O", sort=noises[::-1], title="Flipped step labels of those", axis=_axis()),
        tooltip=[
            alt.Tooltip("model:N", title="Reward model"),
            alt.Tooltip("accuracy:Q", title="Accuracy (%)", format=".2f"),
            alt.Tooltip("interval:N", title="95 % interval"),
        ],
    )
    square = base.mark_rect().encode(
        color=alt.Color("accuracy:Q", scale=colours, legend=None),
    )
    dark, light = (
        base.transform_filter(f"datum.is_dark === {is_dark}") for is_dark in ("true", "false")
    )
    texts = [
        part.mark_text(dy=dy, color=ink).encode(text=field)
        for part, ink in ((dark, theme.PAPER), (light, theme.INK))
        for field, dy in (("label:N", -6), ("interval:N", 8))
    ]
    layers = alt.LayerChart(layer=[square, *texts])
    return layers.properties(width=width, height=height, title=heading)


def _label(cell: Cell) -> str:
    return f"{cell.accuracy:.1f} % ({cell.interval})"


def _axis() -> alt.Axis:
    return alt.Axis(domain=False, ticks=False, labelAngle=0)


def _row(cell: Cell, domain: Sequence[float]) -> Mapping[str, Any]:
    low, high = domain
    # Viridis is dark at its lower end.
    is_dark = cell.accuracy < low + 0.55 * (high - low)
    return {
        "share": f"{cell.noise_share:g}",
        "noise": f"{cell.step_noise:g}",
        "model": cell.model,
        "accuracy": cell.accuracy,
        "label": f"{cell.accuracy:.1f}",
        "interval": cell.interval,
        "is_dark": is_dark,
    }
