"""Which methods answer the same questions correctly: a bar per set of methods, with its members below."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import altair as alt

from multirm.charts.palette import MAJORITY_VOTE, VOTES, Style, styles
from multirm.charts.scorers import Rows, known_models
from multirm.errors import escaped
from multirm.figures import theme
from multirm.figures.marks import nothing
from multirm.figures.measures import dataset_of, interval_of
from multirm.figures.titles import title
from multirm.figures.wrapping import text_width
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import MAJORITY_VOTE_NAME, OVERALL, Aggregation
from multirm.tables.reward_model_rows import RewardModel, labels_of_shown
from multirm.tables.schema import is_refused
from multirm.tables.solution_analyses import AGREEMENT

# The sets that are drawn; the subtitle counts the questions of the others.
MOST_SETS = 16

_BARS, _ROW = 130, 17
_TOOLTIP = [
    alt.Tooltip("right:N", title="Right"),
    alt.Tooltip("questions:Q", title="Questions"),
    alt.Tooltip("share:Q", title="Share (%)", format=".1f"),
    alt.Tooltip("interval:N", title="95 % interval"),
]


@entry
def draw_agreement(
    agreement: Path, output: list[OutputFile], reward_models: list[Path] | None = None
) -> None:
    """Draw how many questions exactly which methods answer correctly.

    Args:
        agreement: A table of agreement.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
        reward_models: Tables of the reward models in it.
    """
    check_formats(output)
    tables = reward_models or []
    write_figure(read_chart(agreement, tables), output, __name__, {}, [agreement, *tables])


def read_chart(agreement: Path, tables: Sequence[Path]) -> alt.VConcatChart:
    """The figure of a table of agreement.

    Args:
        tables: reward_models tables.
    """
    rows = parquet.read(agreement, AGREEMENT).to_pylist()
    dataset = dataset_of(agreement, rows, tables)
    methods = rows[0]["methods"] if rows else []
    names = [_without_aggregation(name) for name in methods if name != MAJORITY_VOTE_NAME]
    return chart(escaped(dataset), rows, known_models(names, dataset, tables))


def chart(dataset: str, rows: Rows, models: Sequence[RewardModel]) -> alt.VConcatChart:
    """The figure.

    Args:
        rows: of the agreement table.
        models: the reward models of the table, for their styles.
    """
    overall = [row for row in rows if row["category"] == OVERALL]
    drawn = overall[:MOST_SETS]
    heading = title(
        "Questions answered correctly, by which methods",
        dataset,
        _sentences(overall),
        theme.WIDTH - 80,
    )
    if not drawn:
        return alt.vconcat(nothing("no questions"), title=heading)
    looks = styles(models)
    labels = labels_of_shown(models)
    methods = {name: _label(name, labels) for name in drawn[0]["methods"]}
    colours = {label: _style(name, looks).colour for name, label in methods.items()}
    widest = max(text_width(label, theme.SMALL) for label in methods.values())
    width = theme.WIDTH - max(widest + 12, theme.Y_AXIS_WIDTH) - 12
    bars, members = _bars(drawn), _members(drawn, methods, colours)
    size = min(width, len(drawn) * 36)
    return alt.vconcat(
        bars.properties(width=size, height=_BARS),
        members.properties(width=size, height=_ROW * len(methods)),
        spacing=6,
        title=heading,
        bounds="flush",
    )


def _bars(rows: Rows) -> alt.LayerChart:
    values = [
        {
            "set": row["rank"],
            "questions": row["n_questions"],
            "share": 100 * row["share"],
            "low": 100 * row["share_low"],
            "high": 100 * row["share_high"],
            "interval": interval_of(row, "share", 100),
            "right": escaped(", ".join(row["right"]) or "none"),
        }
        for row in rows
    ]
    base = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("set:O", axis=None), tooltip=_TOOLTIP
    )
    y = alt.Y("share:Q", axis=alt.Axis(title="Questions (%)", domain=False, ticks=False))
    bar = base.mark_bar(color=theme.AXIS, size=14).encode(y=y)
    error = base.mark_rule(color=theme.INK).encode(y="low:Q", y2="high:Q")
    text = base.mark_text(dy=-6, baseline="bottom").encode(y="high:Q", text="questions:Q")
    return bar + error + text


def _members(rows: Rows, methods: Mapping[str, str], colours: Mapping[str, str]) -> alt.LayerChart:
    cells = [
        {"set": row["rank"], "method": label, "is": name in row["right"]}
        for row in rows
        for name, label in methods.items()
    ]
    labels = list(methods.values())
    axis = alt.Axis(title=None, domain=False, ticks=False, grid=True, labelLimit=theme.WIDTH)
    base = alt.Chart(alt.InlineData(values=cells)).encode(
        x=alt.X("set:O", axis=None), y=alt.Y("method:N", sort=labels, axis=axis)
    )
    scale = alt.Scale(domain=labels, range=[colours[label] for label in labels])
    outside = base.transform_filter("!datum.is").mark_circle(color=theme.GRID, size=40, opacity=1)
    inside = base.transform_filter("datum.is").mark_circle(size=70, opacity=1)
    return outside + inside.encode(color=alt.Color("method:N", scale=scale, legend=None))


def _sentences(rows: Rows) -> list[str]:
    if not rows:
        return []
    n_questions = sum(row["n_questions"] for row in rows)
    rest = rows[MOST_SETS:]
    said = [
        f"{n_questions} questions; best of N = {rows[0]['n']}.",
        "Above: the share of questions (mean over categories) that exactly the methods with a dot answer correctly"
        " more often than not, their number, and 95 % intervals over questions.",
    ]
    if rest:
        others = sum(row["n_questions"] for row in rest)
        said.append(f"{len(rest)} other sets, of {others} questions, are not shown.")
    return said


def _label(name: str, labels: Mapping[str, str]) -> str:
    """What people are shown: means over training runs with the number of seeds."""
    if name == MAJORITY_VOTE_NAME:
        return MAJORITY_VOTE
    model = _without_aggregation(name)
    return escaped(labels.get(model, model) + name[len(model) :])


def _style(name: str, looks: Mapping[str, Style]) -> Style:
    return looks.get(_without_aggregation(name), VOTES[MAJORITY_VOTE])


def _without_aggregation(name: str) -> str:
    """The model of a label as in `methods.labels`, which has the aggregation of a model with several after a space."""
    model, _, last = name.rpartition(" ")
    is_aggregation = not is_refused(lambda: Aggregation(last))
    return model if model and is_aggregation else name
