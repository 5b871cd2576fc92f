"""Rows of a table with what their models are called and look like."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from multirm.figures.measures import read_measures
from multirm.figures.sentences import sentences
from multirm.tables import parquet
from multirm.tables.f1 import MINIMUM_POSITIONS
from multirm.tables.reward_model_rows import with_means
from multirm.tables.reward_models import REWARD_MODELS
from tests.figures.described import described
from tests.figures.measured import measures, rows_of
from tests.origins import made_of


def row(model: str, category: str = "law") -> dict[str, Any]:
    empty = dict.fromkeys(MINIMUM_POSITIONS.columns.names)
    counts = {"n_questions": 3, "n_solutions": 4, "n_missing": 0}
    return empty | {"dataset": "d", "category": category, "model": model, "correct": True} | counts


def test_means_stand_for_runs_and_models_without_rows_are_named(tmp_path: Path) -> None:
    first, second, other = described({"dPRM": "dPRM", "dPRM@7": "dPRM", "gORM": "gORM"})
    models = with_means([first, replace(second, run_of="dPRM"), other])
    described_ = [each.columns("d") for each in models]
    parquet.write(tmp_path / "models.parquet", REWARD_MODELS, described_, made_of())
    rows = [row(model) for model in ("dPRM@mean", "dPRM", "dPRM@7")]
    parquet.write(tmp_path / "t.parquet", MINIMUM_POSITIONS, rows, made_of())
    found = read_measures(tmp_path / "t.parquet", MINIMUM_POSITIONS, [tmp_path / "models.parquet"])
    assert [each["method"] for each in found.rows] == ["dPRM (2 seeds)"]
    assert found.methods == ["dPRM (2 seeds)"]
    assert found.missing == ["gORM"]
    assert found.has_means


def test_names_do_without_a_table_of_models(tmp_path: Path) -> None:
    rows = [row(model, category) for category in ("Overall", "law") for model in ("b", "a")]
    parquet.write(tmp_path / "t.parquet", MINIMUM_POSITIONS, rows, made_of())
    found = read_measures(tmp_path / "t.parquet", MINIMUM_POSITIONS, [])
    assert (found.methods, found.categories, found.missing) == (["b", "a"], ["law"], [])


def test_an_empty_table_is_nothing(tmp_path: Path) -> None:
    parquet.write(tmp_path / "t.parquet", MINIMUM_POSITIONS, [], made_of())
    assert read_measures(tmp_path / "t.parquet", MINIMUM_POSITIONS, []).rows == []


def test_notes_on_what_is_drawn_are_said() -> None:
    note = "one_question: precision; 3 of 4 categories: precision, f1"
    said = " ".join(sentences(measures(rows_of(["law"]) + [{"note": note}]), "why"))
    assert "one question" not in said
    assert "Overall leaves out categories in which it is undefined." in said
    said = " ".join(sentences(measures([{"note": "one_question: share"}]), "why", "share"))
    assert "one question shows no spread" in said
    assert "undefined" not in said
    assert "leaves out" not in said
    unknown = [{"note": "undefined_without_one_question: share"}]
    said = " ".join(sentences(measures(unknown), "why", "share"))
    assert "undefined without one question" in said
    assert "leaves out" not in said
