"""Where in solutions a language model wrote steps anew, bars by fifths of the solution, and by type of error."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import altair as alt

from multirm.charts.palette import styles
from multirm.errors import escaped
from multirm.figures.marks import Marks, marks
from multirm.figures.panels import Panel, framed, grid
from multirm.figures.titles import headroom, spoken
from multirm.figures.write import check_formats, write_figure
from multirm.running.arguments import OutputFile, entry
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.augmentations import AUGMENTATION_COUNTS, N_PARTS
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.schema import Row

_TOOLTIP = [
    alt.Tooltip("method:N", title="Variants of"),
    alt.Tooltip("value:Q", title="Share (%)", format=".1f"),
    alt.Tooltip("n:Q", title="Variants"),
]


@entry
def draw_augmented_steps(augmentation_counts: Path, output: list[OutputFile]) -> None:
    """Draw where in solutions steps were written anew, for all variants and by type of error.

    Args:
        augmentation_counts: An augmentation_counts table, as `tabulate-augmentation-counts` writes it.
        output: Files to write; each suffix says the format: .svg, .pdf, .png or .html.
    """
    check_formats(output)
    rows = parquet.read(augmentation_counts, AUGMENTATION_COUNTS).to_pylist()
    figure = chart(rows, augmentation_counts.stem)
    write_figure(figure, output, __name__, {}, [augmentation_counts])


def chart(rows: Sequence[Row], study: str) -> alt.VConcatChart:
    """The figure, from rows of the augmentation_counts table.

    Args:
        study: what the figure is of if there are no rows.
    """
    names = list(dict.fromkeys(escaped(row["dataset"]) for row in rows))
    drawn = [row for row in rows if row["category"] is None and row["n_accepted"]]
    counts: Counter[str] = Counter()
    for row in drawn:
        counts[row["error_type"] or OVERALL] += row["n_accepted"]
    looks = styles([RewardModel(model=name, run_of=name, kind=None) for name in names])
    panels = grid(
        [value for row in drawn for value in _values(row)],
        list(counts),
        _bars(marks(names, looks)),
        "Variants (%)",
        from_zero=True,
        as_title=lambda name: f"{spoken(name)}: {counts[name]:,}",
    )
    return framed(
        "Positions of new steps",
        ", ".join(names) or escaped(study),
        [
            f"{counts[OVERALL]:,} variants of solutions, each with a new step, by the part of the solution in which it "
            f"is, of {N_PARTS} equal ones.",
            "Shares are of the variants of a dataset in the panel; each panel says how many there are in all.",
        ],
        list(counts),
        looks,
        [panels] if drawn else [],
        why="no variants to draw",
    )


def _values(row: Row) -> list[dict[str, object]]:
    """A bar for each part, of a row with variants."""
    return [
        {
            "category": row["error_type"] or OVERALL,
            "method": escaped(row["dataset"]),
            "part": part + 1,
            "value": 100 * n / row["n_accepted"],
            "low": None,
            "high": None,
            "n": n,
        }
        for part, n in enumerate(row["n_by_part"])
    ]


def _bars(drawn: Marks) -> Panel:
    """Panels with a bar for each dataset in each part."""

    def panel(rows: Sequence[Row], y: alt.Y, is_last: bool) -> alt.LayerChart:
        data = alt.InlineData(values=list(rows))
        methods = [name for name in drawn.methods if name in {row["method"] for row in rows}]
        scale = alt.Scale(domain=list(range(1, N_PARTS + 1)), paddingInner=0.25)
        parts = alt.Axis(
            title="Part of the solution" if is_last else None,
            labelAngle=0,
            grid=False,
            ticks=False,
        )
        base = alt.Chart(data).encode(
            x=alt.X("part:O", scale=scale, axis=parts),
            xOffset=alt.XOffset("method:N", scale=alt.Scale(domain=methods)),
            y=y,
            color=drawn.colour,
            tooltip=_TOOLTIP,
        )
        return base.mark_bar() + headroom(data)

    return panel
