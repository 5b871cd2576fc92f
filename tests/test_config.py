"""A study is checked whole before any rule runs."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multirm.config import Study, check_study, load_study, read_yaml, write_schema
from multirm.errors import InputError
from multirm.vocabulary import OVERALL

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
        (put("figures", {"mdels": True}), "found figures.mdels; delete it"),
        (put("critiques/kind", "gORM"), "found critiques.kind; delete it"),
        (put("models/dORM-mini/samples", 3), "found models.dORM-mini.samples; delete it"),
        (put("models/dORM-mini/kind", "xORM"), "expected dORM, dPRM, gORM or gPRM, found"),
        (put("models/dORM-mini/kind", "dorm"), "'dorm'; did you mean dORM?"),
        (put("models/dORM-mini/kind", None), "found models.dORM-mini.kind: None"),
        (put("models/dORM", {"kind": "dORM"}), "a value for models.dORM.backbone"),
        (put("models/dORM-mini", 5), "expected keys with values, found models.dORM-mini: 5"),
        (put("models/dORM-mini/backbone", "mono"), "mono is none of mini"),
        (put("models/dORM-mini/dataset", "Facts_trian"), "did you mean Facts_train"),
        (put("models/a b", {}), "a name of letters"),
        (put("models/..", {}), "a name of letters"),
        (put("models/-x", {}), "a name of letters"),
        (put("models/.x", {}), "a name of letters"),
        (put("models/x.", {}), "a name of letters"),
        (put("models/x", {}), "a value for models.x.kind"),
        (put("categories", ["a/b"]), "found categories.0: 'a/b'"),
        (put("categories", []), "expected at least 1 item, found categories: []"),
        (put("categories", "math"), "categories: 'math'"),
        (put("categories", ["math", "law", "math"]), "categories: math twice"),
        (put("categories", ["law", OVERALL]), "Overall is the average over categories"),
        (put("datasets/Facts_junior/categories", [OVERALL]), "Facts_junior.categories.0: Overall"),
        (put("datasets", {"A": 5}), "expected keys with values, found datasets.A: 5"),
        (put("datasets/A", None), "expected keys with values, found datasets.A: None"),
        (put("datasets/A", {}), "expected a value for datasets.A.reader, found none"),
        (put("datasets", ["A"]), "expected keys with values, found datasets: ['A']"),
        (put("datasets/Facts_junior/reader", "gsmk"), "published, found datasets.Facts_junior."),
        (put("datasets/Facts_junior/reader", "minature"), "did you mean miniature?"),
        (put("datasets/A", {"reader": "gsm8k", "source": [""]}), "at least 1 character"),
        (put("datasets/Facts_junior/policy", "boss"), "expected junior, senior or tutor, found"),
        (put("datasets/Facts_junior/policy", "Junior"), "'Junior'; did you mean junior?"),
        (put("datasets/Facts_junior/label_noise", 1.5), "less than or equal to 1"),
        (put("backbones/mini", {}), "needs either `model` or `pretrain`"),
        (put("backbones/mini", {"model": "a/b"}), "`model` needs its number of `parameters`"),
        (put("backbones/mini/parameters", 1e6), "`model` needs its number of `parameters`"),
        (put("backbones/mini", {"model": "a/b", "parameters": 40e9}), "needs 124 GB on each GPU"),
        (put("training_seeds", []), "at least 1 item, found training_seeds: []"),
        (put("training_seeds", [1, 1]), "training_seeds: 1 twice"),
        (put("models/dORM-mini/training/parallelism", "dp"), "expected ddp or fsdp, found"),
        (put("critiques/teacher", None), "needs either a `teacher` or `published` critiques"),
        (put("critiques/published", {}), "needs either a `teacher` or `published` critiques"),
        (put("models/x", {"kind": "gORM", "rewards": {"A": ["b"]}}), "x.rewards: A is none of"),
        (put("models/x", {"kind": "gORM", "rewards": {}}), "models.x.rewards: none for Facts_ju"),
        (put("models/x", {"kind": "xORM", "rewards": {}}), "expected dORM, dPRM, gORM or gPRM"),
        (put("backbones/mini", {"model": ""}), "at least 1 character, found backbones.mini.model"),
        (put("backbones/mini", {"model": " "}), "at least 1 character, found backbones.mini.model"),
        (put("backbones/mini/pretrain/learning_rate", float("inf")), "a finite number"),
        (put("data", ""), "at least 1 character, found data: ''"),
        (put("templates", {"gORM": ""}), "at least 1 character, found templates.gORM"),
        (put("models/gORM-mini/scoring/samples", 0), "greater than or equal to 1"),
        (put("models/gORM-mini/scoring/top_p", 0), "greater than 0, found models.gORM-mini.scorin"),
        (put("critiques/top_p", 0.0), "greater than 0, found critiques.top_p: 0.0"),
        (put("critiques/temperature", float("nan")), "finite number, found critiques.temperature"),
        (put("models/dORM-mini/training/dropout", 1), "expected less than 1, found models.dORM-"),
        (put("models/dORM-mini/training/rank", True), "training.rank: yes and no are not numbers"),
        (put("backbones/mini/pretrain/width", 48), "a multiple of 32, found backbones.mini.pretr"),
        (put("seed", 2**32), "less than or equal to 4294967295, found seed: 4294967296"),
        (put("models/gORM-mini/scoring/engine", "vlm"), "did you mean vllm?"),
        (put("models/gORM-mini/scoring/engine", "openai"), "scoring: the engine openai needs a"),
        (put("critiques/server", "http://[::1]:8/v1"), "critiques: the engine openai needs a"),
        (put("critiques/server", "http://me:secret@host/v1"), "critiques.server: not an address"),
        (put("critiques/server", "http://host/v1\n"), "critiques.server: not an address"),
        (put("evaluation/aggregation", {"dORM-mini": "median"}), "last, min, max, mean, prod, "),
        (put("evaluation/aggregation", {"dORM": "min"}), "dORM is none of dORM-mini"),
        (put("evaluation/datasets", ["Facts"]), "Facts is none of"),
        (put("evaluation/datasets", ["Facts_junior"] * 2), "Facts_junior twice"),
        (put("evaluation/n", [1, 2, 1]), "evaluation.n: 1 twice"),
        (put("critiques", None), "a generative model needs `critiques`"),
        (
            lambda study: study["critiques"].update(teacher=None, published={"gORM": ["a/b"]}),
            "models.gPRM-mini: there are no critiques.published.gPRM",
        ),
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


@pytest.mark.parametrize("study", [None, 5, "miniature", ["study"], {}, {1: 2}])
def test_what_is_no_study_is_one_line(study: Any) -> None:
    with pytest.raises(InputError, match=r"^config: expected"):
        load_study(study, [])


def test_a_template_is_tried_before_any_job(tmp_path: Path) -> None:
    study = read_yaml(MINIATURE)
    template = tmp_path / "template.txt"
    template.write_text("Is {question} well answered?")
    study["templates"] = {"gPRM": str(template)}
    with pytest.raises(InputError, match=r"template\.txt: .* none for solution"):
        load_study(study, [MINIATURE])
    template.write_text('+++\nstep = "{number}."\n+++\n{question} {solution}')
    with pytest.raises(InputError, match=r"template\.txt, key step: expected the place {step}"):
        load_study(study, [MINIATURE])


def test_a_dataset_has_its_own_categories_or_the_study_s() -> None:
    study = read_yaml(MINIATURE)
    study["datasets"]["Facts_junior"]["categories"] = ["history"]
    datasets = load_study(study, [MINIATURE])["datasets"]
    assert datasets["Facts_junior"]["categories"] == ["history"]
    assert datasets["Facts_senior"]["categories"] == study["categories"]


def test_every_seed_trains_every_reward_model_under_a_name_of_its_own() -> None:
    study = read_yaml(MINIATURE) | {"training_seeds": [7, 43]}
    study["evaluation"]["aggregation"] = {"dPRM-mini": "prod"}
    found = load_study(study, [])
    names = [name + seed for name in study["models"] for seed in ("", "@43")]
    assert list(found["models"]) == names
    seeds = [model["training"].pop("seed") for model in found["models"].values()]
    assert seeds == [7, 43] * 4
    assert found["models"]["gORM-mini"] == found["models"]["gORM-mini@43"]
    assert list(found["evaluation"]["aggregation"]) == names
    assert found["evaluation"]["aggregation"]["dPRM-mini@43"] == "prod"


def test_the_study_s_seed_trains_where_no_other_is_named() -> None:
    found = load_study(read_yaml(MINIATURE) | {"seed": 5}, [])
    assert {model["training"]["seed"] for model in found["models"].values()} == {5}


def test_published_rewards_need_no_backbone_and_are_there_once() -> None:
    study = read_yaml(MINIATURE) | {"backbones": {}, "training_seeds": [1, 2]}
    del study["critiques"]
    rewards = {"Facts_junior": ["owner/junior"], "Facts_senior": ["owner/senior"]}
    study["models"] = {"theirs": {"kind": "gPRM", "rewards": rewards}}
    found = load_study(study, [])
    assert list(found["models"]) == ["theirs"]
    assert found["evaluation"]["aggregation"] == {"theirs": "mean"}


def test_a_model_named_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("models:\n  a: 1\n  b: 2\n  a: 3\n")
    with pytest.raises(InputError, match=r"study\.yaml, line 4: .*'a' twice"):
        read_yaml(file)


@pytest.mark.parametrize("text", [b"a: [1\n", b"\xff\xfe\xff", b"a: 2026-13-45\n"])
def test_what_is_no_yaml_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(text)
    with pytest.raises(InputError, match="expected YAML"):
        read_yaml(file)


def test_a_missing_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "study.yaml")


@pytest.mark.parametrize("text", ["", "- study\n", "datasets: {A: 5}\n"])
def test_a_file_that_holds_no_study_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"study\.yaml: expected"):
        check_study(file)


def test_the_schema_for_editors_is_in_step(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    kept = ROOT / "workflow" / "schemas" / "study.schema.json"
    assert kept.read_text() == (tmp_path / "schema.json").read_text(), "run `multirm write-schema`"
    assert json.loads(kept.read_text())["title"] == Study.__name__


def test_adaptive_sampling_goes_with_the_mean_alone() -> None:
    study = read_yaml(MINIATURE)
    put("models/gORM-mini/scoring/adaptive", 0.05)(study)
    assert load_study(study, [])["models"]["gORM-mini"]["scoring"]["adaptive"] == 0.05
    put("evaluation/aggregation", {"gORM-mini": "min", "gPRM-mini": "max"})(study)
    with pytest.raises(
        InputError, match=r"needs mean as evaluation\.aggregation\.gORM-mini, which is min"
    ):
        load_study(study, [])
