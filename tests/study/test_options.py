"""Command-line arguments: what a study sets, and nothing else."""

from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.study import options
from multirm.study.load import load_study, read_yaml

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def test_an_option_without_a_value_is_left_out() -> None:
    assert options.option("--a", 1, None, "b") == ["--a", "1", "b"]
    assert options.option("--a", None) == options.option("--a") == []


def test_a_recipe_is_the_models_with_the_runs_seed() -> None:
    study = load_study(read_yaml(MINIATURE) | {"training_seeds": [7, 43]}, [])
    words = options.recipe(study, "gORM-mini@43")
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert given["--seed"] == "43"
    assert (given["--rank"], given["--alpha"], given["--max-length"]) == ("32", "16", "512")
    assert "--device-batch-size" not in given


def test_the_precision_and_memory_of_training_are_passed_on_if_they_are_set() -> None:
    config = read_yaml(MINIATURE)
    assert not {"--dtype", "--activation-memory"} & {
        *options.recipe(load_study(config, []), "dPRM-mini")
    }
    config["models"]["dPRM-mini"]["training"] |= {"dtype": "bfloat16", "activation_memory": 0.5}
    words = options.recipe(load_study(config, []), "dPRM-mini")
    given = dict(zip(words[::2], words[1::2], strict=True))
    assert (given["--dtype"], given["--activation-memory"]) == ("bfloat16", "0.5")


def test_only_what_is_set_is_passed_on() -> None:
    config = read_yaml(MINIATURE)
    config["models"]["dORM-mini"]["scoring"] = {"batch_tokens": 100}
    config["models"]["gORM-mini"]["scoring"] = {
        "adaptive": 0.1,
        "engine": "openai",
        "server": "http://127.0.0.1:1/v1",
    }
    study = load_study(config, [])
    assert options.batch_tokens(study, "dORM-mini") == ["--batch-tokens", "100"]
    assert options.batch_tokens(study, "dPRM-mini") == []
    assert options.adaptive(study, "gORM-mini") == ["--adaptive", "0.1"]
    assert options.server(study, "gORM-mini") == ["--server", "http://127.0.0.1:1/v1"]
    assert options.server(study, "gPRM-mini") == options.adaptive(study, "gPRM-mini") == []
    with pytest.raises(TypeError, match="dORM-mini generates no critiques"):
        options.server(study, "dORM-mini")


def test_every_aggregation_of_every_run_is_evaluated() -> None:
    config = read_yaml(MINIATURE) | {"training_seeds": [1, 2]}
    config["evaluation"]["aggregation"] = {"dPRM-mini": ["min", "last"]}
    found = options.aggregations(load_study(config, []))
    assert found[:2] == ["dORM-mini=last", "dORM-mini@2=last"]
    assert {f"dPRM-mini{seed}={how}" for seed in ("", "@2") for how in ("min", "last")} <= {*found}


def test_rewards_are_named_after_their_folder() -> None:
    assert options.named_rewards(["r/dPRM/Test/law.parquet"]) == ["dPRM=r/dPRM/Test/law.parquet"]


def test_a_job_without_shards_is_shard_1_of_1() -> None:
    study = load_study(read_yaml(MINIATURE), [])
    assert (options.shard(study), options.shard(study, "2", "3")) == ("1/1", "2/3")


def test_bare_questions_are_limited_only_if_they_are_read_and_some_are_left_out() -> None:
    config = read_yaml(MINIATURE)
    read = {"reader": "mmlu_pro", "source": ["file.json"]}
    made = {"reader": "miniature", "split": "test", "questions": 5}
    config["questions"] = {"Few": {**read, "questions": 10}, "Every": read, "Made": made}
    study = load_study(config, [])
    assert options.question_limit(study, "Few") == ["--limit", "10"]
    assert options.question_limit(study, "Every") == options.question_limit(study, "Made") == []


def test_last_labels_are_repaired_only_if_the_dataset_says_so() -> None:
    config = read_yaml(MINIATURE)
    hub = {"reader": "versaprm_csv", "source": ["file.csv"], "categories": ["law"]}
    config["datasets"] |= {"Hub": hub, "Repaired": {**hub, "repair_last_labels": True}}
    study = load_study(config, [])
    assert options.repair(study, "Repaired") == ["--repair-last-labels"]
    assert options.repair(study, "Hub") == options.repair(study, "Facts_junior") == []
    config["datasets"]["Repaired"]["reader"] = "versaprm"
    with pytest.raises(InputError, match=r"Repaired: .*only with the reader versaprm_csv"):
        load_study(config, [])
