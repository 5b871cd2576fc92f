"""Settings as files record them."""

from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.report.hyper_parameters import (
    counts,
    setting_rows,
    sheets,
    tabulate_hyper_parameters,
)
from multirm.running.provenance import ADAPTER, write_to_folder
from multirm.tables import parquet
from multirm.tables.hyper_parameters import HYPER_PARAMETERS, Stage
from multirm.tables.rewards import REWARDS
from multirm.tables.training import CURVES, EXAMPLES
from tests.origins import made_of


def test_what_has_no_value_or_is_no_setting_is_left_out() -> None:
    given = {"name": "m", "rank": 16, "rate": 1e-4, "fast": True, "backbone": ["a", "b"], "x": None}
    rows = setting_rows(Stage.TRAINING, {"m": given})
    assert {row["setting"]: row["value"] for row in rows} == {
        "rank": "16",
        "rate": "0.0001",
        "fast": "true",
        "backbone": "a, b",
    }


def test_steps_and_examples_are_those_of_the_model() -> None:
    examples = [
        {"model": model, "n_used": 10, "n_too_long": 1, "n_unlabelled": k}
        for k, model in enumerate(["m", "m", "other"])
    ]
    curves = [{"model": "m", "step": 1}, {"model": "m", "step": 7}, {"model": "other", "step": 9}]
    assert counts("m", curves, examples) == {
        "steps": 7,
        "examples": 20,
        "examples_too_long": 2,
        "examples_unlabelled": 1,
    }


def test_a_dash_where_a_model_has_no_such_setting() -> None:
    rows = setting_rows(Stage.TRAINING, {"a": {"rank": 1}, "b": {"rank": 2, "alpha": 3}})
    rows += setting_rows(Stage.SCORING, {"b": {"top_p": 0.9}})
    (sheet,) = sheets(rows)
    assert sheet.header == ["setting", "a", "b"]
    assert sheet.rows == [
        ["Training", "", ""],
        ["rank", "1", "2"],
        ["alpha", "–", "3"],
        ["Scoring", "", ""],
        ["top p", "–", "0.9"],
    ]


def test_many_models_take_several_sheets() -> None:
    found = sheets(setting_rows(Stage.TRAINING, {f"m{k}": {"rank": k} for k in range(5)}))
    assert [sheet.header for sheet in found] == [
        ["setting", *"m0 m1 m2 m3".split()],
        ["setting", "m4"],
    ]


@pytest.fixture
def made(tmp_path: Path) -> dict[str, list[Path]]:
    """A trained model's files."""
    origin = made_of({"name": "m", "rank": 4})
    (tmp_path / "adapter").mkdir()
    write_to_folder(tmp_path / "adapter", ADAPTER, origin)
    point = {"model": "m", "step": 3, "epoch": 1.0, "loss": 0.5, "learning_rate": 0.1}
    example = {"model": "m", "category": "law", "n_used": 5, "n_positive": 2}
    example |= {"n_too_long": 1, "n_unlabelled": 0}
    files = [tmp_path / f"{name}.parquet" for name in ("curve", "examples", "rewards")]
    parquet.write(files[0], CURVES, [point], origin)
    parquet.write(files[1], EXAMPLES, [example], origin)
    parquet.write(files[2], REWARDS, [], made_of({"model": "m", "temperature": 0.6}))
    return {
        "models": [tmp_path / "adapter"],
        **{
            name: [file]
            for name, file in zip(("curves", "examples", "rewards"), files, strict=True)
        },
    }


def test_files_say_what_was_run(made: dict[str, Any], tmp_path: Path) -> None:
    output = tmp_path / "t.parquet"
    tabulate_hyper_parameters(**made, output=[output])
    rows = parquet.read(output, HYPER_PARAMETERS).to_pylist()
    assert {(row["stage"], row["setting"]): row["value"] for row in rows} == {
        ("training", "rank"): "4",
        ("training", "steps"): "3",
        ("training", "examples"): "5",
        ("training", "examples_too_long"): "1",
        ("training", "examples_unlabelled"): "0",
        ("scoring", "temperature"): "0.6",
    }
    assert parquet.read_footer(output).inputs.keys() >= {"adapter/provenance.json"} or any(
        name.endswith("provenance.json") for name in parquet.read_footer(output).inputs
    )


def test_models_and_rewards_from_elsewhere_are_refused(
    made: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "theirs").mkdir()
    with pytest.raises(InputError, match="found no provenance"):
        tabulate_hyper_parameters(
            **made | {"models": [tmp_path / "theirs"]}, output=[tmp_path / "t.md"]
        )
    with pytest.raises(InputError, match="expected rewards scored by multirm, found curves"):
        tabulate_hyper_parameters(**made | {"rewards": made["curves"]}, output=[tmp_path / "t.md"])
