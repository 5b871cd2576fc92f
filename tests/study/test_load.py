"""A study is checked completely before any rule runs."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from multirm.errors import InputError
from multirm.study.load import Study, check_study, load_study, read_yaml, write_schema
from multirm.study.owners import Owner, note_owner
from multirm.tables.accuracy import OVERALL

ROOT = Path(__file__).resolve().parents[2]
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


PUBLISHED = {"kind": "dPRM", "rewards": {"Facts_junior": ["a/b"], "Facts_senior": ["a/b"]}}


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("*.yaml")), ids=lambda f: f.stem)
def test_the_projects_studies_are_valid(file: Path) -> None:
    study = load_study(read_yaml(file), [file])
    assert set(study.aggregations) == set(study.runs)
    assert all(study.categories_of(dataset) for dataset in study.datasets)


def test_defaults_are_the_papers() -> None:
    study = load_study(read_yaml(MINIATURE), [MINIATURE])
    training = study.runs["dPRM-mini"].trained.training
    assert (training.rank, training.alpha, training.batch_size) == (16, 32, 16)
    training = study.runs["gPRM-mini"].trained.training
    assert (training.rank, training.alpha, training.weight_decay) == (32, 16, 0.01)
    assert study.aggregations["dPRM-mini"] == ["min"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("sed", 1), "found sed; did you mean seed?"),
        (put("models/dORM-mini/trainng", {}), "models.dORM-mini.trainng; did you mean training?"),
        (put("figures", {"mdels": True}), "found figures.mdels; delete it"),
        (put("critiques/facts/kind", "gORM"), "found critiques.facts.kind; delete it"),
        (put("models/dORM-mini/samples", 3), "found models.dORM-mini.samples; delete it"),
        (
            put("models/dORM-mini/kind", "xORM"),
            "expected dORM, dPRM, gORM, gPRM or pairwise, found",
        ),
        (put("models/dORM-mini/kind", "dorm"), "'dorm'; did you mean dORM?"),
        (put("models/dORM-mini/kind", None), "found models.dORM-mini.kind: None"),
        (put("models/dORM", {"kind": "dORM"}), "a value for models.dORM.backbone"),
        (put("models/dORM-mini", 5), "expected keys with values, found models.dORM-mini: 5"),
        (put("models/dORM-mini/backbone", "mono"), "mono is not one of mini"),
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
        (put("models/dPRM-mini/categories", []), "at least 1 item, found models.dPRM-mini.categor"),
        (put("models/gORM-mini/categories", "history"), "models.gORM-mini.categories: 'history'"),
        (
            put("models/dPRM-mini/categories", ["history", "history"]),
            "models.dPRM-mini.categories: history twice",
        ),
        (
            put("models/dPRM-mini/categories", ["history", "law"]),
            "models.dPRM-mini.categories: law is not one of chemistry, history, business, "
            "computer_science, the categories of Facts_train",
        ),
        (
            put("models/gORM-mini/categories", ["law"]),
            "models.gORM-mini.categories: law is not one of chemistry, history, business, "
            "computer_science, the categories of Facts_train",
        ),
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
        (put("backbones/mini", {"model": "a/b"}), "`parameters` is needed for a `model`"),
        (put("backbones/mini/parameters", 1e6), "`parameters` is needed for a `model`"),
        (put("backbones/mini", {"model": "a/b", "parameters": 40e9}), "needs 96 GB on each GPU"),
        (put("training_seeds", []), "at least 1 item, found training_seeds: []"),
        (put("training_seeds", [1, 1]), "training_seeds: 1 twice"),
        (put("models/dORM-mini/training/parallelism", "dp"), "expected ddp or fsdp, found"),
        (
            put("critiques/facts/teacher", None),
            "needs exactly one of `teacher`, `demonstrated`, `published` critiques",
        ),
        (
            put("critiques/facts/published", {}),
            "needs exactly one of `teacher`, `demonstrated`, `published` critiques",
        ),
        (
            put("critiques/facts/from", "facts"),
            "needs exactly one of `teacher`, `demonstrated`, `published` critiques",
        ),
        (
            put("critiques/facts/demonstrated", True),
            "needs exactly one of `teacher`, `demonstrated`, `published` critiques",
        ),
        (
            put("critiques/facts", {"demonstrated": True, "dataset": "Facts_train", "top_k": 9}),
            "with `demonstrated`, only `dataset` applies; delete top_k",
        ),
        (
            put(
                "critiques/facts", {"demonstrated": True, "dataset": "Facts_train", "max_length": 9}
            ),
            "with `demonstrated`, only `dataset` applies; delete max_length",
        ),
        (
            put("critiques/other", {"from": "facts", "dataset": "Facts_train", "max_tokens": 9}),
            "with `from`, only `max_length` and `agreement` apply; delete max_tokens",
        ),
        (
            put("critiques/other", {"from": "fact", "dataset": "Facts_train"}),
            "critiques.other.from: fact is not one of facts, other; did you mean facts?",
        ),
        (
            put("critiques/other", {"from": "other", "dataset": "Facts_train"}),
            "critiques.other.from: other has no teacher; name a set that has one",
        ),
        (
            put(
                "critiques",
                {
                    "facts": {"demonstrated": True, "dataset": "Facts_train"},
                    "other": {"from": "facts", "dataset": "Facts_train"},
                },
            ),
            "critiques.other.from: facts has no teacher; name a set that has one, or set `demonstrated` instead",
        ),
        (
            put("critiques/other", {"from": "facts", "dataset": "Facts_pretrain"}),
            "Facts_pretrain is not Facts_train with `noise`, or fewer questions or solutions of it; choose",
        ),
        (put("models/x", {"kind": "gORM", "rewards": {"A": ["b"]}}), "x.rewards: A is not one of"),
        (put("models/x", {"kind": "gORM", "rewards": {}}), "models.x.rewards: none for Facts_ju"),
        (
            put("models/x", {"kind": "xORM", "rewards": {}}),
            "expected dORM, dPRM, gORM, gPRM or pairwise",
        ),
        (put("backbones/mini", {"model": ""}), "at least 1 character, found backbones.mini.model"),
        (put("backbones/mini", {"model": " "}), "at least 1 character, found backbones.mini.model"),
        (put("backbones/mini/pretrain/learning_rate", float("inf")), "a finite number"),
        (put("data", ""), "at least 1 character, found data: ''"),
        (
            put("critiques/facts/templates", {"gORM": ""}),
            "at least 1 character, found critiques.facts.templates.gORM",
        ),
        (put("models/gORM-mini/scoring/samples", 0), "greater than or equal to 1"),
        (put("models/gORM-mini/scoring/top_p", 0), "greater than 0, found models.gORM-mini.scorin"),
        (put("critiques/facts/top_p", 0.0), "greater than 0, found critiques.facts.top_p: 0.0"),
        (
            put("critiques/facts/temperature", float("nan")),
            "finite number, found critiques.facts.temperature",
        ),
        (put("models/dORM-mini/training/dropout", 1), "expected less than 1, found models.dORM-"),
        (put("models/dORM-mini/training/rank", True), "training.rank: yes and no are not numbers"),
        (put("backbones/mini/pretrain/width", 48), "a multiple of 32, found backbones.mini.pretr"),
        (put("seed", 2**32), "less than or equal to 4294967295, found seed: 4294967296"),
        (put("models/gORM-mini/scoring/engine", "vlm"), "did you mean vllm?"),
        (
            put("models/dORM-mini/scoring", {"engine": "vllm"}),
            "scoring.dtype: vLLM rounds what an adapter adds in bfloat16; write float32",
        ),
        (put("models/gORM-mini/scoring/engine", "openai"), "scoring: `server` is needed for"),
        (
            put("critiques/facts/server", "http://[::1]:8/v1"),
            "critiques.facts: `server` is needed for",
        ),
        (
            put("models/dORM-mini/scoring", {"dtype": "fp16"}),
            "auto, float32 or bfloat16, found mod",
        ),
        (
            lambda study: study["models"]["gORM-mini"]["scoring"].update(
                engine="openai", server="http://host/v1", dtype="float32"
            ),
            "scoring: dtype: float32 cannot be set with the engine openai",
        ),
        (
            put("critiques/facts/server", "http://me:secret@host/v1"),
            "critiques.facts.server: not an address",
        ),
        (
            put("critiques/facts/server", "http://host/v1\n"),
            "critiques.facts.server: not an address",
        ),
        (put("evaluation/aggregation", {"dORM-mini": "median"}), "last, min, max, mean, prod, "),
        (put("evaluation/aggregation", {"dORM": "min"}), "dORM is not one of dORM-mini"),
        (put("evaluation/datasets", ["Facts"]), "Facts is not one of"),
        (put("evaluation/datasets", ["Facts_junior"] * 2), "Facts_junior twice"),
        (put("evaluation/n", [1, 2, 1]), "evaluation.n: 1 twice"),
        (put("critiques", {}), "models.gORM-mini.critiques: facts is not defined"),
        (
            put("critiques", {"dataset": "Facts_train", "teacher": "mini"}),
            "sets of critiques have names now; write `critiques: {NAME: {dataset: …}}`",
        ),
        (
            put("models/gORM-mini/critiques", "fact"),
            "fact is not one of facts; did you mean facts?",
        ),
        (put("templates", {"gORM": "t.txt"}), "`templates` is now a key of a set of critiques"),
        (
            lambda study: study["critiques"]["facts"].update(
                teacher=None, published={"gORM": ["a/b"]}
            ),
            "models.gPRM-mini: there are no critiques.facts.published.gPRM",
        ),
        (lambda study: study.pop("study"), "a value for study"),
        (put("models/MV", PUBLISHED), "models.MV: tables use this name"),
        (put("models/Shorter", PUBLISHED), "models.Shorter: tables use this name"),
        (put("models/overall", PUBLISHED), "models.overall: tables use this name"),
        (
            put("models/DORM-mini", PUBLISHED),
            "models: dORM-mini and DORM-mini differ only in case",
        ),
        (put("categories", ["a", "a.critiques"]), "categories: the table of a.critiques would be"),
        (put("categories", ["law", "Law"]), "categories: law and Law differ only in case"),
        (put("models/" + "m" * 101, PUBLISHED), "found models.mmmm"),
        (put("models/dORM-mini/training", {"processes": 3}), "16 is not a multiple of the 15 se"),
        (put("models/dORM-mini/training", {"device_batch_size": 5}), "not a multiple of the 5 se"),
        (put("models/dORM-mini/training", {"processes": 32}), "not a multiple of the 32 se"),
        (
            put("evaluation/n", [1, 32]),
            "n: 32 is more than the 16 solutions per question of Fa",
        ),
        (put("data", "my {data}"), "data: my {data} has braces"),
        (
            put("backbones/mini", {"model": "a{b}", "parameters": 1e6}),
            "backbones.mini.model: a{b} h",
        ),
        (
            put("datasets/A", {"reader": "gsm8k", "source": ["{a}.jsonl"]}),
            "datasets.A.source: {a}.",
        ),
        (
            put("critiques/facts/templates", {"gORM": "nowhere.txt"}),
            "critiques.facts.templates.gORM: nowhere.txt: expected",
        ),
    ],
)
def test_an_error_is_one_line_with_the_key(change: Change, message: str) -> None:
    study = copy.deepcopy(read_yaml(MINIATURE))
    change(study)
    with pytest.raises(InputError) as caught:
        load_study(study, [MINIATURE])
    line = str(caught.value)
    assert message in line
    assert line.startswith(str(MINIATURE))
    assert "\n" not in line


def read_from(*source: str) -> dict[str, Any]:
    return {"reader": "published", "source": list(source)}


@pytest.mark.parametrize(
    ("datasets", "learned", "evaluated", "found"),
    [
        ({}, "Facts_junior", "Facts_junior", "Facts_junior, the same"),
        (
            {"Again": {"reader": "miniature", "policy": "senior", "split": "train",
                       "questions": 9, "solutions": 16}},
            "Facts_train", "Again", "Again, of the same split train",
        ),
        (
            {"Again": {"reader": "miniature", "policy": "senior", "split": "pretrain",
                       "questions": 9, "solutions": 16}},
            "Facts_train", "Again", "backbones.mini.pretrain.datasets: models are trained on Facts_pretrain",
        ),
        ({"A": read_from("x/a", "x/b"), "B": read_from("x/b")}, "A", "B", "read from x/b as well"),
        ({"A": read_from("{}/*.json"), "B": read_from("{}")}, "A", "B", "law.json as well"),
        ({"A": read_from("x/train"), "B": read_from("x/test")}, "A", "B", None),
        (
            {"A": read_from("x/b") | {"categories": ["law"]},
             "B": read_from("x/b") | {"categories": ["math"]}},
            "A", "B", None,
        ),
    ],
)  # fmt: skip
def test_training_data_are_evaluated_only_if_the_study_allows_it(
    tmp_path: Path, datasets: dict[str, Any], learned: str, evaluated: str, found: str | None
) -> None:
    (tmp_path / "law.json").write_text("[]")
    study = read_yaml(MINIATURE)
    for name, dataset in datasets.items():
        put(f"datasets/{name}", dataset)(study)
        if "source" in dataset:
            dataset["source"] = [place.format(tmp_path) for place in dataset["source"]]
            dataset.setdefault("categories", ["law"])
    put("models/dORM-mini/dataset", learned)(study)
    put("evaluation/datasets", [evaluated])(study)
    if found is None:
        load_study(study, [MINIATURE])
        return
    with pytest.raises(InputError) as caught:
        load_study(study, [MINIATURE])
    assert found in str(caught.value)
    assert f"evaluation.also_trained_on: [{evaluated}]" in str(caught.value)
    put("evaluation/also_trained_on", [evaluated])(study)
    load_study(study, [MINIATURE])


def test_a_model_is_trained_on_categories_that_its_own_dataset_has() -> None:
    """The study's categories may be those of another dataset."""
    study = read_yaml(MINIATURE)
    put("datasets/Facts_train/categories", ["chemistry", "history"])(study)
    put("models/dPRM-mini/categories", ["history"])(study)
    assert load_study(study, []).training_categories_of("dPRM-mini") == ["history"]
    assert load_study(study, []).training_categories_of("gPRM-mini") == ["chemistry", "history"]
    put("models/gPRM-mini/categories", ["business"])(study)
    with pytest.raises(InputError, match="business is not one of chemistry, history, the categori"):
        load_study(study, [])


def test_external_rewards_have_no_training_categories() -> None:
    study = read_yaml(MINIATURE)
    put("models/theirs", PUBLISHED | {"categories": ["history"]})(study)
    with pytest.raises(InputError, match=r"found models\.theirs\.categories; delete it"):
        load_study(study, [])


def test_also_trained_on_must_be_evaluated() -> None:
    study = read_yaml(MINIATURE)
    put("evaluation/also_trained_on", ["Facts_train"])(study)
    with pytest.raises(InputError, match="also_trained_on: Facts_train is not one of Facts_junior"):
        load_study(study, [MINIATURE])


def test_all_errors_are_reported_together() -> None:
    study = read_yaml(MINIATURE)
    put("models/dORM-mini/training/rank", 0)(study)
    put("models/gORM-mini/scoring/top_p", 2)(study)
    put("categoriess", ["law"])(study)
    with pytest.raises(InputError) as caught:
        load_study(study, [MINIATURE])
    line = str(caught.value)
    assert line.startswith(f"{MINIATURE}: expected no mistakes, found 3: (1) expected")
    assert "\n" not in line
    for place in (
        "models.dORM-mini.training.rank",
        "models.gORM-mini.scoring.top_p",
        "categoriess",
    ):
        assert place in line


def test_all_inconsistencies_are_reported_together() -> None:
    study = read_yaml(MINIATURE)
    put("models/Overall", PUBLISHED)(study)
    put("evaluation/n", [64])(study)
    put("models/dORM-mini/training/processes", 3)(study)
    with pytest.raises(InputError) as caught:
        load_study(study, [MINIATURE])
    line = str(caught.value)
    assert "found 4: (1)" in line
    for place in ("models.Overall", "evaluation.n: 64", "Facts_senior", "training.batch_size"):
        assert place in line


def test_only_the_first_ten_errors_are_reported() -> None:
    study = read_yaml(MINIATURE) | {str(number): number for number in range(25)}
    with pytest.raises(InputError, match=r"found 25: .* \(10\) .* and 15 more$"):
        load_study(study, [MINIATURE])


@pytest.mark.parametrize("study", [None, 5, "miniature", ["study"], {}, {1: 2}])
def test_other_values_than_a_study_are_an_error_of_one_line(study: Any) -> None:
    with pytest.raises(InputError, match=r"^config: expected"):
        load_study(study, [])


def test_a_template_is_checked_before_any_job(tmp_path: Path) -> None:
    study = read_yaml(MINIATURE)
    template = tmp_path / "template.txt"
    template.write_text("Is {question} well answered?")
    study["critiques"]["facts"]["templates"] = {"gPRM": str(template)}
    with pytest.raises(InputError, match=r"template\.txt: .* none for solution"):
        load_study(study, [MINIATURE])
    template.write_text('+++\nstep = "{number}."\n+++\n{question} {solution}')
    with pytest.raises(
        InputError, match=r"template\.txt, key step: expected the placeholder {step}"
    ):
        load_study(study, [MINIATURE])


def test_a_dataset_has_its_own_categories_or_the_studys() -> None:
    study = read_yaml(MINIATURE)
    study["datasets"]["Facts_junior"]["categories"] = ["history"]
    found = load_study(study, [MINIATURE])
    assert found.categories_of("Facts_junior") == ["history"]
    assert found.categories_of("Facts_senior") == study["categories"]


def test_each_seed_trains_each_reward_model_under_its_own_name() -> None:
    study = read_yaml(MINIATURE) | {"training_seeds": [7, 43]}
    study["evaluation"]["aggregation"] = {"dPRM-mini": "prod", "dORM-mini": ["last", "min"]}
    found = load_study(study, [])
    names = [name + seed for name in study["models"] for seed in ("", "@43")]
    assert list(found.runs) == names
    assert [run.seed for run in found.runs.values()] == [7, 43] * 4
    assert found.runs["gORM-mini"].settings == found.runs["gORM-mini@43"].settings
    assert list(found.aggregations) == names
    assert found.aggregations["dPRM-mini@43"] == ["prod"]
    assert found.aggregations["dORM-mini"] == ["last", "min"]
    assert found.aggregations["gORM-mini"] == ["mean"]


def test_training_seeds_default_to_the_studys_seed() -> None:
    found = load_study(read_yaml(MINIATURE) | {"seed": 5}, [])
    assert {run.seed for run in found.runs.values()} == {5}


def test_external_rewards_need_no_backbone_and_have_one_run() -> None:
    study = read_yaml(MINIATURE) | {"backbones": {}, "training_seeds": [1, 2]}
    del study["critiques"]
    rewards = {"Facts_junior": ["owner/junior"], "Facts_senior": ["owner/senior"]}
    study["models"] = {"theirs": {"kind": "gPRM", "rewards": rewards}}
    found = load_study(study, [])
    assert list(found.runs) == ["theirs"]
    assert found.aggregations == {"theirs": ["mean"]}


def test_a_model_named_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("models:\n  a: 1\n  b: 2\n  a: 3\n")
    with pytest.raises(InputError, match=r"study\.yaml, line 4: .*'a' twice"):
        read_yaml(file)


BOMB = b"a: &a [1, 2]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (b, b, *[b - 1] * 8)
    for b in range(98, 118)
)


@pytest.mark.parametrize(
    "text",
    [
        *[b"a: [1\n", b"\xff\xfe\xff", b"a: 2026-13-45\n", b"a: !!bool maybe\n", b"a: !!int ''\n"],
        *[
            b"a: !!timestamp x\n",
            b"a: !!python/name:os.system\n",
            b"? [a]\n: 1\n",
            b"a: 1\n---\nb: 2\n",
        ],
        *[b"[" * 5000, b"a: " * 5000, b"&a [*a]\n", b"&a {b: *a}\n", BOMB, b"a: " + b"1" * 5000],
    ],
)
def test_invalid_yaml_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(text)
    with pytest.raises(InputError, match="expected YAML"):
        read_yaml(file)


def test_ordinary_aliases_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text("a: &common {x: 1}\nb: {<<: *common, y: 2}\nc: *common\n")
    assert read_yaml(file) == {"a": {"x": 1}, "b": {"x": 1, "y": 2}, "c": {"x": 1}}


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + MINIATURE.read_bytes())
    assert read_yaml(file) == read_yaml(MINIATURE)


def test_a_file_too_large_for_a_study_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    with file.open("wb") as handle:
        handle.truncate(10**12)
    with pytest.raises(InputError, match="found 1,000,000,000,000 bytes"):
        read_yaml(file)


@pytest.mark.parametrize("name", ["n" * 300, "a/" * 3000])
def test_an_invalid_file_name_is_an_error_of_one_line(name: str) -> None:
    with pytest.raises(InputError, match="File name too long"):
        read_yaml(Path(name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            put("datasets/Facts_junior/questions", 5000),
            "found datasets.Facts_junior: no more after",
        ),
        (put("datasets/Facts_senior/categories", ["law"]), "found datasets.Facts_senior: 'law'"),
        (put("datasets/Facts_drills/categories", ["law"]), "found datasets.Facts_drills: 'law'"),
    ],
)
def test_more_than_the_miniature_has_is_refused(
    change: Change, message: str, tmp_path: Path
) -> None:
    study = read_yaml(MINIATURE)
    change(study)
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    with pytest.raises(InputError, match=re.escape(message)):
        check_study(file)


@pytest.mark.parametrize("name", ["Facts_tree_questions", "searched"])
def test_more_bare_questions_than_the_miniature_has_are_refused(name: str, tmp_path: Path) -> None:
    """Of those that datasets are sampled from, and of those that searches answer."""
    study = read_yaml(MINIATURE.with_name("openprm.yaml"))
    if name == "searched":
        study["questions"][name] = {**study["questions"]["Facts_test_questions"]}
        for search in study["searches"].values():
            search["questions"] = name
    study["questions"][name]["questions"] = 5000
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    with pytest.raises(InputError, match=rf"found questions\.{name}: no more after \d+; ask for"):
        check_study(file)


def test_categories_that_no_dataset_is_sampled_from_need_no_questions(tmp_path: Path) -> None:
    study = read_yaml(MINIATURE.with_name("openprm.yaml"))
    questions = study["questions"]["Facts_tree_questions"]
    study["questions"]["more"] = {**questions, "categories": ["history", "business", "law"]}
    study["datasets"]["Solved_train"]["categories"] = ["history", "business"]
    study["datasets"]["Solved_train"]["sample"]["questions"] = "more"
    study["questions"]["files"] = {"reader": "published", "source": ["."]}
    sample = {**study["datasets"]["Drawn_test"]["sample"], "questions": "files"}
    study["datasets"]["new"] = {"sample": sample, "categories": ["history"]}
    study["evaluation"]["datasets"].append("new")
    (tmp_path / "history.json").write_text("[]")
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study | {"data": str(tmp_path)}))
    check_study(file)
    study["datasets"]["new"]["categories"] = ["history", "business"]
    file.write_text(yaml.safe_dump(study | {"data": str(tmp_path)}))
    with pytest.raises(
        InputError, match=r"questions\.files\.source: .*business\.json does not exist"
    ):
        check_study(file)


def test_unused_datasets_are_not_checked(tmp_path: Path) -> None:
    study = read_yaml(MINIATURE)
    study["datasets"]["unused"] = {**study["datasets"]["Facts_junior"], "categories": ["law"]}
    study["datasets"]["absent"] = {"reader": "gsm8k", "source": ["nowhere.jsonl"]}
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    check_study(file)
    study["evaluation"]["datasets"].append("unused")
    file.write_text(yaml.safe_dump(study))
    with pytest.raises(InputError, match=r"found datasets\.unused: 'law'"):
        check_study(file)


def test_a_checked_study_says_where_its_results_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And whose else are there."""
    caplog.set_level("INFO")
    monkeypatch.chdir(tmp_path)
    check_study(MINIATURE)
    assert "its results are made in results" in caplog.text
    file = tmp_path / "study.yaml"
    study = read_yaml(MINIATURE) | {"study": "mine", "results": "./out/"}
    file.write_text(yaml.safe_dump(study))
    note_owner(Owner("theirs", ["theirs.yaml"], Path("out")), ["out/x"])
    caplog.clear()
    check_study(file)
    assert "its results are made in out" in caplog.text
    assert "out has results of theirs, too" in caplog.text
    assert "`results: out-mine`" in caplog.text


def test_results_outside_the_working_directory_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(read_yaml(MINIATURE) | {"results": "/tmp/x"}))
    with pytest.raises(InputError, match=r"results: '/tmp/x' is not a folder below .* make a link"):
        check_study(file)


def test_missing_files_are_named_with_the_folder_searched(tmp_path: Path) -> None:
    study = read_yaml(ROOT / "config" / "math.yaml") | {"data": str(tmp_path)}
    theirs = {"GSM8K": ["./theirs.json"], "ProcessBench_100": ["./theirs.json"]}
    study["models"]["theirs"] = {"kind": "dORM", "rewards": theirs}
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study))
    with pytest.raises(InputError) as caught:
        check_study(file)
    line = str(caught.value)
    for key, missing in (
        ("datasets.PRMBench.source", "prmbench/train_*.jsonl"),
        ("datasets.GSM8K.source", "gsm8k/example_model_solutions.jsonl"),
        ("models.theirs.rewards.GSM8K", "theirs.json"),
    ):
        assert f"{key}: {tmp_path / missing} does not exist" in line
    elsewhere = tmp_path / "elsewhere"
    with pytest.raises(InputError, match=str(elsewhere / "gsm8k")):
        check_study(file, elsewhere)


def test_a_missing_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "study.yaml")


@pytest.mark.parametrize("text", ["", "- study\n", "datasets: {A: 5}\n"])
def test_a_file_without_a_study_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=r"study\.yaml: expected"):
        check_study(file)


def test_the_schema_for_editors_is_up_to_date(tmp_path: Path) -> None:
    write_schema(tmp_path / "schema.json")
    kept = ROOT / "workflow" / "schemas" / "study.schema.json"
    assert kept.read_text() == (tmp_path / "schema.json").read_text(), "run `multirm write-schema`"
    assert json.loads(kept.read_text())["title"] == Study.__name__


def test_adaptive_sampling_needs_the_mean() -> None:
    study = read_yaml(MINIATURE)
    put("models/gORM-mini/scoring/adaptive", 0.05)(study)
    assert load_study(study, []).runs["gORM-mini"].scoring.adaptive == 0.05  # type: ignore[union-attr]
    put("evaluation/aggregation", {"gORM-mini": "min", "gPRM-mini": "max"})(study)
    with pytest.raises(
        InputError, match=r"needs mean as evaluation\.aggregation\.gORM-mini, which is min"
    ):
        load_study(study, [])
