"""Accuracies by the first error: what the figure shows and says, and where nothing can be shown."""

from pathlib import Path
from typing import Any

import altair as alt

from multirm.evaluation.error_depths import measure_error_depths
from multirm.evaluation.options import InputOptions
from multirm.figures.error_depths import chart, draw_error_depths
from multirm.figures.measures import read_measures
from multirm.figures.render import rendered
from multirm.tables.error_depths import ERROR_DEPTHS, ERROR_PERSISTENCE
from tests.evaluation.test_error_depths import known_errors, write
from tests.figures.measured import measures, shown, subtitle

Row = dict[str, Any]


def tables(folder: Path, *ways: str, **scales: str) -> tuple[Path, Path]:
    made = known_errors({"outcome": 0.8, "process": 0.2})
    options = write(folder, {"law": made, "math": made}, **scales)
    given = InputOptions(**options, aggregation=["outcome=last", f"process={','.join(ways)}"])
    measure_error_depths(given, folder)
    return folder / "error_depths.parquet", folder / "error_persistence.parquet"


def drawn_from(paths: tuple[Path, Path]) -> alt.VConcatChart:
    depths, carried = (
        read_measures(path, schema)
        for path, schema in zip(paths, (ERROR_DEPTHS, ERROR_PERSISTENCE), strict=True)
    )
    return chart(depths, carried)


def test_accuracies_and_sums_of_errors_are_drawn_by_depth(tmp_path: Path) -> None:
    paths = tables(tmp_path, "min")
    figure = drawn_from(paths)
    assert rendered(figure, [".svg"])
    found = figure.to_dict()
    drawn = list(shown(found))
    assert {row["x"] for row in drawn} == {"1", "2", "3", "4", "5"}
    assert {row["category"] for row in drawn} == {"Overall", "law", "math"}
    sums = {(row["method"], row["x"]): row for row in shown(found, 1) if "sum" in row}
    assert len(sums) == 10
    assert all(abs(row["sum"] - row["predicted"]) < 1e-6 for row in sums.values())
    said = subtitle(found)
    assert "outcome α = 0.60 (0.60 to 0.60); process α = 0.60 (0.60 to 0.60), β = 0.25." in said
    assert "by Theorem 1" in said
    draw_error_depths(*paths, [tmp_path / "figure.svg"])
    assert "by the first error on Facts" in (tmp_path / "figure.svg").read_text()


def test_errors_of_a_model_with_several_aggregations_are_drawn_and_said_once(
    tmp_path: Path,
) -> None:
    found = drawn_from(tables(tmp_path, "min", "max")).to_dict()
    assert {row["method"] for row in shown(found)} == {"outcome", "process max", "process min"}
    sums = [row for row in shown(found, 1) if "sum" in row]
    assert len(sums) == 10
    assert {row["method"] for row in sums} == {"outcome", "process min"}
    said = subtitle(found)
    assert "outcome α = 0.60 (0.60 to 0.60); process α = 0.60 (0.60 to 0.60), β = 0.25." in said
    assert "have the mark of its first" in said


def test_without_wrong_solutions_the_figure_says_so() -> None:
    figure = chart(measures([]), measures([]))
    svg = rendered(figure, [".svg"])[".svg"]
    assert b"no wrong solutions with step labels to draw" in svg
