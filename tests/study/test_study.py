"""What a study knows of its datasets and reward models."""

from pathlib import Path
from typing import Any

import pytest

from multirm.study import files
from multirm.study.figures import FIGURES
from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

CONFIG = Path(__file__).resolve().parents[2] / "config"


def noise_study() -> Study:
    return load_study(read_yaml(CONFIG / "noise.yaml"), [])


def test_noise_is_that_of_the_datasets_that_a_dataset_is_made_of() -> None:
    study = noise_study()
    assert study.noise_of("Facts_train") == (0.0, 0.0)
    assert study.noise_of("Noisy_share50_steps25") == (0.5, 0.25)
    assert study.noise_of("Noisy_share100_steps10") == (1.0, 0.1)


@pytest.mark.parametrize(
    "dataset",
    [
        {"from": "Noisy_share50_steps25", "noise": {"steps": 0.1}},
        {"from": "Facts_train", "noise": {"outcomes": 0.4}},
        {"from": "Facts_train", "noise": {"steps": 0.1, "outcomes": 0.4}},
    ],
)
def test_noise_added_twice_or_to_outcomes_is_not_known(dataset: dict[str, Any]) -> None:
    config = read_yaml(CONFIG / "noise.yaml")
    config["datasets"]["Other"] = dataset
    config["models"] = {"dPRM": config["models"]["dPRM-mini"] | {"dataset": "Other"}}
    study = load_study(config, [])
    assert study.noise_of("Other") == (None, None)
    assert not FIGURES["noise_best_of_n"].is_drawn(study)


def test_a_model_learns_from_its_dataset_or_from_that_of_its_critiques() -> None:
    study = noise_study()
    assert study.training_datasets_of("dPRM-mini") == ["Facts_train"]
    assert study.training_datasets_of("gPRM-share50_steps10") == ["Noisy_share50_steps10"]


def test_critiques_of_another_set_are_filtered_like_those_of_that_set() -> None:
    config = read_yaml(CONFIG / "noise.yaml")
    config["critiques"]["facts"] |= {"max_length": 300, "agreement": "relaxed"}
    config["critiques"]["share50_steps10"]["max_length"] = 200
    config["critiques"]["share50_steps25"]["agreement"] = "strict"
    sets = load_study(config, []).critiques
    settings = {name: (each.max_length, each.agreement) for name, each in sets.items()}
    assert settings["facts"] == settings["share100_steps50"] == (300, "relaxed")
    assert settings["share50_steps10"] == (200, "relaxed")
    assert settings["share50_steps25"] == (300, "strict")
    # A set before the one that it is from, which has only defaults.
    facts = config["critiques"].pop("facts")
    config["critiques"]["facts"] = {"dataset": "Facts_train", "teacher": facts["teacher"]}
    other = load_study(config, []).critiques["share100_steps50"]
    assert (other.max_length, other.agreement) == (8192, "strict")


def test_noise_is_drawn_where_a_model_learns_from_it() -> None:
    is_drawn = FIGURES["noise_best_of_n"].is_drawn
    assert is_drawn(noise_study())
    assert not is_drawn(load_study(read_yaml(CONFIG / "config.yaml"), []))
    assert not is_drawn(load_study(read_yaml(CONFIG / "published.yaml"), []))


def test_shuffled_datasets_are_drawn_beside_the_ones_that_they_are_made_of() -> None:
    figure = FIGURES["shuffled"]
    config = read_yaml(CONFIG / "shuffled.yaml")
    study = load_study(config, [])
    assert study.shuffled_from() == {"Facts_junior_40_shuffled": "Facts_junior_40"}
    folder = "<results>/evaluation"
    assert files.drawn_tables(study, figure) == {
        "changes": [f"{folder}/Facts_junior_40_shuffled/changes.parquet"],
        **{
            table: [
                f"{folder}/{dataset}/{table}.parquet"
                for dataset in ("Facts_junior_40", "Facts_junior_40_shuffled")
            ]
            for table in ("accuracy", "reward_models")
        },
    }
    compared = files.compared_tables(study, "Facts_junior_40_shuffled")
    assert compared["before_solutions"] == files.solution_tables(study, "Facts_junior_40")
    assert compared["solutions"] == files.solution_tables(study, "Facts_junior_40_shuffled")
    assert figure.is_drawn(study)
    config["evaluation"]["datasets"] = ["Facts_junior_40_shuffled"]
    assert not figure.is_drawn(load_study(config, []))
    assert not figure.is_drawn(load_study(read_yaml(CONFIG / "config.yaml"), []))


def test_the_reward_models_with_shuffled_steps_are_the_miniatures() -> None:
    """So that they are not trained again."""
    miniature, study = (read_yaml(CONFIG / f"{name}.yaml") for name in ("config", "shuffled"))
    for section in ("seed", "categories", "backbones", "critiques", "models"):
        assert study[section] == miniature[section]
    shared = ("Facts_drills", "Facts_pretrain", "Facts_train", "Facts_junior")
    assert all(study["datasets"][name] == miniature["datasets"][name] for name in shared)
