"""A study is checked whole before any rule runs."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multirm.config import Study, load_study, read_yaml, write_schema
from multirm.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
MINIATURE = ROOT / "config" / "config.yaml"

Change = Callable[[dict[str, Any]], Any]


def put(place: str, value: object) -> Change:
    """A change that sets the value at a place such as `models/dORM-mini/kind`."""

    def change(study: dict[str, Any]) -> None:
        *path, last = place.split("/")
        for key in path:
            study = study[key]
        study[last] = value

    return change


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda f: f.stem)
def test_studies_of_the_project_are_valid(file: Path) -> None:
    study = load_study(read_yaml(file), [file])
    assert set(study["evaluation"]["aggregation"]) == set(study["models"])
    assert all(dataset["categories"] for dataset in study["datasets"].values())


def test_defaults_are_the_published_ones() -> None:
    study = load_study(read_yaml(MINIATURE), [MINIATURE])
    training = study["models"]["dPRM-mini"]["training"]
    assert (training["rank"], training["alpha"], training["batch_size"]) == (16, 32, 16)
    training = study["models"]["gPRM-mini"]["training"]
    assert (training["rank"], training["alpha"], training["weight_decay"]) == (32, 16, 0.01)
    assert study["evaluation"]["aggregation"]["dPRM-mini"] == "min"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("sed", 1), "found sed; did you mean seed?"),
        (put("models/dORM-mini/trainng", {}), "models.dORM-mini.trainng; did you mean training?"),
        (put("models/dORM-mini/kind", "xORM"), "expected kind dORM, dPRM, gORM, gPRM"),
        (put("models/dORM-mini/backbone", "mono"), "mono is none of mini"),
        (put("models/dORM-mini/dataset", "Facts_trian"), "did you mean Facts_train"),
        (put("models/a b", {}), "a name of letters"),
        (put("models/..", {}), "a name of letters"),
        (put("models/-x", {}), "a name of letters"),
        (put("categories", ["a/b"]), "found categories.0: 'a/b'"),
        (put("categories", []), "categories: []"),
        (put("datasets/Facts_junior/reader", "gsmk"), "'gsm8k'"),
        (put("datasets/Facts_junior/policy", "boss"), "'junior', 'senior' or 'tutor'"),
        (put("datasets/Facts_junior/label_noise", 1.5), "less than or equal to 1"),
        (put("backbones/mini", {}), "needs either `model` or `pretrain`"),
        (put("models/gORM-mini/scoring/samples", 0), "greater than or equal to 1"),
        (put("evaluation/aggregation", {"dORM-mini": "median"}), "'last', 'min'"),
        (put("evaluation/aggregation", {"dORM": "min"}), "dORM is none of dORM-mini"),
        (put("evaluation/datasets", ["Facts"]), "Facts is none of"),
        (put("critiques", None), "a generative model needs `critiques`"),
        (lambda study: study.pop("study"), "a value for study"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(change: Change, message: str) -> None:
    study = copy.deepcopy(read_yaml(MINIATURE))
    change(study)
    with pytest.raises(InputError) as caught:
        load_study(study, [MINIATURE])
    line = str(caught.value)
    assert message in line
    assert line.startswith(str(MINIATURE))
    assert "\n" not in line


def test_a_model_named_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("models:\n  a: 1\n  b: 2\n  a: 3\n")
    with pytest.raises(InputError, match=r"study\.yaml, line 4: .*'a' twice"):
        read_yaml(file)


@pytest.mark.parametrize("text", [b"a: [1\n", b"\xff\xfe\xff"])
def test_what_is_no_yaml_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(text)
    with pytest.raises(InputError, match="expected YAML"):
        read_yaml(file)


def test_a_missing_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "study.yaml")


def test_the_schema_for_editors_is_in_step(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    kept = ROOT / "workflow" / "schemas" / "study.schema.json"
    assert kept.read_text() == (tmp_path / "schema.json").read_text(), "run `multirm write-schema`"
    assert json.loads(kept.read_text())["title"] == Study.__name__
