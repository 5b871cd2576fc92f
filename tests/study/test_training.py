"""How a study trains discriminative models: VersaPRM's recipes, several datasets, starts, validation, labels."""

from typing import Any

import pytest

from multirm.errors import InputError
from multirm.study import checks, files, needs, options, targets
from multirm.study.load import load_study
from multirm.study.resources import training_memory
from multirm.study.study import Study

FULL = {
    "method": "full",
    "learning_rate": 1.25e-6,
    "batch_size": 128,
    "max_length": 650,
    "processes": 4,
    "parallelism": "fsdp",
    "validation": {"share": 0.01, "every": 5},
}
LORA = {"batch_size": 32, "max_length": 750}


def versaprm(**changes: Any) -> dict[str, Any]:
    """VersaPRM's models (arXiv 2502.06737), and what they are trained on, in a study."""
    train = {"reader": "published", "source": ["mmlu"]}
    judged = {"from": "Train", "label": {"judge": {"model": "judge"}}}
    augment = {"model": "judge", "kind": "counterfactual"}
    models: dict[str, Any] = {
        "Llama-PRM800K": {"dataset": ["PRM800K", "PRM800K_more"], "training": FULL},
        "VersaPRM": {"from": "Llama-PRM800K", "dataset": "Judged", "training": LORA},
        "VersaPRM-Aug": {
            "from": "Llama-PRM800K",
            "dataset": ["Judged", "Judged_wrong"],
            "training": LORA,
        },
        "VersaPRM-Base": {"dataset": "Judged", "training": LORA},
        "VersaPRM-Small": {
            "from": "Llama-PRM800K",
            "dataset": "Judged_small",
            "training": LORA | {"epochs": 3},
        },
        "VersaPRM-Math": {
            "from": "Llama-PRM800K",
            "dataset": "Judged",
            "categories": ["math"],
            "training": LORA | {"epochs": 3},
        },
    }
    return {
        "study": "versaprm",
        "seed": 42,
        "categories": ["math", "law"],
        "datasets": {
            "PRM800K": {"reader": "prm800k", "source": ["prm800k"], "categories": ["math"]},
            "PRM800K_more": {"reader": "prm800k", "source": ["more"], "categories": ["math"]},
            "Train": train,
            "Judged": judged,
            "Judged_wrong": {"from": "Judged", "augment": augment},
            "Judged_small": {"from": "Judged", "take": {"questions": 100}},
            "Wrong_small": {"from": "Judged_wrong", "take": {"questions": 100}},
            "Test": {"reader": "published", "source": ["test"]},
        },
        "backbones": {
            "8B": {"model": "meta-llama/Llama-3.1-8B-Instruct", "parameters": 8e9},
            "judge": {"model": "meta-llama/Llama-3.1-70B-Instruct", "parameters": 70e9},
        },
        "models": {
            name: {"kind": "dPRM", "backbone": "8B"} | settings
            for name, settings in (models | changes).items()
        },
        "evaluation": {"datasets": ["Test"], "n": [1, 2]},
    }


def loaded(**changes: Any) -> Study:
    return load_study(versaprm(**changes), [])


STUDY = loaded()


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            "Llama-PRM800K",
            "--max-length 650 --epochs 1.0 --learning-rate 1.25e-06 --batch-size 128 "
            "--weight-decay 0.01 --warmup 0.1 --seed 42 --method full "
            "--validation-share 0.01 --evaluate-every 5",
        ),
        (
            "VersaPRM-Small",
            "--max-length 750 --epochs 3.0 --learning-rate 0.0001 --batch-size 32 --rank 16 "
            "--alpha 32 --dropout 0.1 --weight-decay 0.01 --warmup 0.1 --seed 42 --method lora",
        ),
    ],
)
def test_versaprm_has_these_recipes(model: str, expected: str) -> None:
    given, wanted = " ".join(options.recipe(STUDY, model)), expected
    assert {*given.removeprefix("--").split(" --")} == {*wanted.removeprefix("--").split(" --")}


def test_a_model_may_learn_from_several_datasets() -> None:
    assert files.training_solutions(STUDY, "Llama-PRM800K") == [
        "<results>/data/PRM800K/math.parquet",
        "<results>/data/PRM800K_more/math.parquet",
    ]
    assert files.training_solutions(STUDY, "VersaPRM-Math") == [
        "<results>/data/Judged/math.parquet"
    ]
    assert STUDY.learned_from("VersaPRM-Aug") == [
        *("PRM800K", "PRM800K_more", "Judged", "Judged_wrong")
    ]
    one, both = (needs.training(STUDY, name).runtime for name in ("VersaPRM", "VersaPRM-Aug"))
    assert both > one
    assert {"PRM800K_more", "Judged_wrong"} <= {*targets.used_datasets(STUDY)}


def test_augmented_solutions_come_with_their_labels() -> None:
    assert files.training_labels(STUDY, "VersaPRM") == []
    read = [f"<results>/labels/{name}/math.parquet" for name in ("PRM800K", "PRM800K_more")]
    assert files.training_labels(STUDY, "Llama-PRM800K") == read
    assert targets.datasets_read_with_labels(STUDY, True) == "PRM800K|PRM800K_more"
    assert targets.datasets_read_with_labels(STUDY, False) == "Train|Test"
    tables = files.training_labels(STUDY, "VersaPRM-Aug")
    assert tables == [f"<results>/labels/Judged_wrong/{name}.parquet" for name in ("math", "law")]
    assert options.training_labels(STUDY, "VersaPRM-Aug", tables) == [
        "--labels",
        *(f"Judged_wrong={table}" for table in tables),
    ]
    values = {"dataset": ["Judged", "Wrong_small"], "training": {"targets": "values"}}
    found = files.labels_in_training(loaded(values=values), "values")
    assert found[0] == ("Judged", "<results>/labels/Judged/math.parquet")
    assert found[-1] == ("Wrong_small", "<results>/labels/Judged_wrong/law.parquet")


def test_a_model_starts_from_another_or_from_its_backbone() -> None:
    again = {"from": "VersaPRM", "dataset": "Judged", "training": LORA}
    study = loaded(again=again)
    hub = "meta-llama/Llama-3.1-8B-Instruct"
    first, whole = "Llama-PRM800K", "results/models/Llama-PRM800K/model"
    starts = {name: files.start_of_model(study, name) for name in (first, "VersaPRM", "again")}
    assert starts == {first: hub, "VersaPRM": whole, "again": "results/models/VersaPRM/adapter"}
    backbones = {name: files.backbone_of_model(study, name) for name in ("VersaPRM", "again")}
    assert backbones == {"VersaPRM": whole, "again": whole}
    weights = [
        f"<results>/models/{first}/model/{name}" for name in ("model.safetensors", "config.json")
    ]
    assert files.start_files_of_model(study, "VersaPRM") == weights
    assert files.backbone_files_of_model(study, "again") == weights
    assert files.start_files_of_model(study, "again")[2:] == weights
    assert files.backbone_files_of_model(study, first) == []
    assert files.weights_of_model(study, "again").endswith(
        "again/adapter/adapter_model.safetensors"
    )
    assert targets.discriminative_models(study, whole=True) == "Llama\\-PRM800K"
    config = versaprm() | {"training_seeds": [1, 2]}
    seeded = load_study(config, [])
    assert files.start_of_model(seeded, "VersaPRM@2") == "results/models/Llama-PRM800K@2/model"


def test_validation_datasets_are_made() -> None:
    watched = {"dataset": "Judged", "training": {"validation": {"dataset": "PRM800K"}}}
    study = loaded(watched=watched)
    tables = files.validation_solutions(study, "watched")
    assert tables == ["<results>/data/PRM800K/math.parquet"]
    assert options.validation(tables) == ["--validation", *tables]
    assert options.validation([]) == []


def test_training_all_weights_needs_their_gradients_and_means() -> None:
    share = needs.training_share(STUDY, "Llama-PRM800K")
    adapter, alone, sharded = (
        training_memory(8e9, sharing, share, whole) - share.memory("cuda") / 1e9 - 2
        for sharing, whole in ((1, False), (1, True), (4, True))
    )
    assert (adapter, alone, sharded) == pytest.approx((16, 144, 32))
    one, whole = (needs.training(STUDY, name) for name in ("VersaPRM-Base", "Llama-PRM800K"))
    assert whole.mem_mb > one.mem_mb + 12 * 8e9 / 2**20


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": FULL | {"rank": 4}}, "rank: belongs to an adapter"),
        ({"kind": "dORM", "training": {"targets": "values"}}, "a dORM learns outcomes, not steps"),
        ({"training": {"targets": "values"}, "dataset": "Train"}, "Train has none; choose labels"),
        ({"training": {"validation": {}}}, "needs either a `share` above 0 or a `dataset`"),
        (
            {"training": {"validation": {"dataset": "PRM800K"}}, "categories": ["law"]},
            "validation.dataset: PRM800K has none of the categories",
        ),
        ({"from": "tested"}, "models.tested.from: it starts from itself"),
        ({"from": "nobody"}, "models.tested.from: nobody is not one of"),
        ({"from": "Llama-PRM800K", "backbone": "judge"}, "has the backbone 8B, not judge"),
        ({"from": "VersaPRM", "training": {"rank": 4}}, "`rank` and `alpha` must be its own"),
        ({"dataset": []}, "at least 1 item"),
        ({"dataset": ["Judged", "Judged"]}, "Judged twice"),
        ({"dataset": ["Judged", "Nothing"]}, "Nothing is not one of"),
        ({"training": FULL | {"processes": 1, "parallelism": "ddp"}}, "gpu_memory is 80"),
        (
            {"training": {"dtype": "float32", "max_length": 4096, "device_batch_size": 8}},
            "tested.training: needs 113 GB on each GPU",
        ),
        (
            {"training": {"validation": {"dataset": "Test", "patience": 2}}},
            "models.tested.training.validation.dataset: models are trained on Test, and",
        ),
    ],
)
def test_unsuitable_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        loaded(tested={"dataset": "Judged"} | changes)
    assert message in str(error.value)


def test_a_single_dataset_needs_no_list() -> None:
    assert STUDY.training_datasets_of("VersaPRM") == ["Judged"]
    assert not checks.problems(STUDY)
