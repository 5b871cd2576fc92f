"""Reward models as figures show them."""

from pathlib import Path
from typing import Any

import pytest

from multirm.charts.scorers import known_models
from multirm.errors import InputError
from multirm.figures.measures import interval_of, interval_text, read_measures
from multirm.tables import parquet
from multirm.tables.solution_analyses import LENGTH_CORRELATIONS
from tests.origins import made_of


def row(model: str, aggregation: str) -> dict[str, Any]:
    ends = (
        "correlation",
        "correlation_low",
        "correlation_high",
        "categories_low",
        "categories_high",
    )
    return {"dataset": "d", "model": model, "aggregation": aggregation} | {
        "n": 2,
        "n_categories": 1,
        **dict.fromkeys(ends),
    }


def test_means_replace_runs_and_several_aggregations_are_named(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    rows = [
        row("a@mean", "min"),
        row("a", "min"),
        row("a@43", "min"),
        row("b", "min"),
        row("b", "max"),
    ]
    parquet.write(path, LENGTH_CORRELATIONS, rows, made_of())
    shown = read_measures(path, LENGTH_CORRELATIONS)
    assert [each["method"] for each in shown.rows] == ["a (2 seeds)", "b min", "b max"]
    assert shown.dataset == "d"


def test_a_mean_without_its_runs_keeps_its_name() -> None:
    (model,) = known_models(["a@mean", "a@mean"], "d", [])
    assert (model.model, model.is_mean) == ("a@mean", True)


def test_an_empty_table_is_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "Law" / "table.parquet"
    parquet.write(path, LENGTH_CORRELATIONS, [], made_of())
    shown = read_measures(path, LENGTH_CORRELATIONS)
    assert (shown.dataset, list(shown.rows), dict(shown.styles)) == ("Law", [], {})


def test_models_that_the_tables_lack_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        known_models(["a"], "d", [tmp_path / "none.parquet"])


def test_intervals_in_words() -> None:
    assert interval_of({"x_low": 0.25, "x_high": 0.5}, "x", 100) == "25.0 to 50.0"
    assert interval_of({"x_low": None, "x_high": None}, "x") == "none"
    assert interval_text(-1.0, 2.25, digits=2, is_signed=True) == "-1.00 to +2.25"
