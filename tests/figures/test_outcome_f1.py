"""Bars of outcome F1: what they show."""

from pathlib import Path

import pytest

from multirm.figures.outcome_f1 import chart, draw_outcome_f1
from multirm.figures.render import rendered
from multirm.inspect.trace import read_origin
from multirm.running.metadata import FORMATS
from multirm.tables import parquet
from multirm.tables.f1 import THRESHOLDS
from tests.figures.measured import KINDS, measured, measures, panels, rows_of, shown, subtitle
from tests.origins import made_of

CATEGORIES = ["Overall", "law", "computer_science"]


def test_bars_are_f1_at_one_half_with_intervals_and_the_models_colours() -> None:
    rows = rows_of(CATEGORIES, threshold=0.5, **measured("f1", 0.6))
    others = rows_of(CATEGORIES, threshold=0.3, **measured("f1", 0.2))
    given = measures(rows + others)
    figure = chart(given).to_dict()
    titles = [panel["title"]["text"] for panel in panels(figure)]
    assert titles == [["Overall"], ["Law"], ["Computer science"]]
    for row in shown(figure):
        assert [row["value"], row["low"], row["high"]] == pytest.approx([60, 50, 70])
    assert len(list(shown(figure))) == 9
    bar = panels(figure)[0]["layer"][0]
    assert bar["encoding"]["y"]["scale"]["domain"][0] == 0
    scale = bar["encoding"]["color"]["scale"]
    assert dict(zip(scale["domain"], scale["range"], strict=True)) == {
        name: style.colour for name, style in given.styles.items()
    }
    assert scale["domain"] == list(KINDS)


def test_it_says_what_of_what_over_what_and_what_is_missing() -> None:
    rows = rows_of(CATEGORIES, ["mine"], threshold=0.5, **measured("f1", 0.6))
    figure = chart(measures(rows, missing=["scores"], has_means=True)).to_dict()
    assert figure["title"]["text"] == ["Outcome F1 on MMLU"]
    said = subtitle(figure)
    assert "18 questions." in said
    assert "2 categories. Overall: each counts the same." in said
    assert "95 % intervals over questions and, for means over training runs, seeds." in said
    assert "Not shown, without probabilities: scores." in said


def test_an_undefined_f1_has_no_bar() -> None:
    rows = rows_of(["law"], ["mine"], threshold=0.5, **measured("f1", 0.6))
    rows += rows_of(["law"], ["dPRM-14B"], threshold=0.5, **measured("f1", None))
    figure = chart(measures(rows)).to_dict()
    assert [row["method"] for row in shown(figure)] == ["mine"]
    assert b"NaN" not in rendered(chart(measures(rows)), [".svg"])[".svg"]


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_all_right_and_all_wrong(value: float) -> None:
    rows = rows_of(["law"], threshold=0.5, f1=value, f1_low=value, f1_high=value)
    assert b"NaN" not in rendered(chart(measures(rows)), [".svg"])[".svg"]


def test_nothing_at_all_is_said() -> None:
    assert b"no F1 to draw" in rendered(chart(measures([])), [".svg"])[".svg"]


def test_the_command_draws_a_table(tmp_path: Path) -> None:
    counts = {"n_questions": 3, "n_scored": 4, "n_missing": 0, "n_correct": 2}
    row = dict.fromkeys(THRESHOLDS.columns.names)
    row |= {"dataset": "d", "category": "law", "model": "dORM", "aggregation": "last"}
    row |= {"threshold": 0.5, **counts, **measured("f1", 0.5)}
    parquet.write(tmp_path / "t.parquet", THRESHOLDS, [row], made_of())
    outputs = [tmp_path / f"figure{suffix}" for suffix in FORMATS]
    draw_outcome_f1(tmp_path / "t.parquet", outputs)
    for path in outputs:
        told = read_origin(path)
        assert told is not None
        assert told.made == "figure outcome_f1"
