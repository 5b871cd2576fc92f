"""Which models of the study of noise, changed one setting at a time, differ in noise alone."""

from pathlib import Path
from typing import Any

import pytest

from multirm.study.load import load_study, read_yaml
from multirm.study.noise import noise_baselines

CONFIG = Path(__file__).resolve().parents[2] / "config" / "noise.yaml"


def baselines(**sections: dict[str, Any]) -> dict[str, str]:
    """Those of the study of noise with further entries in its sections."""
    config = read_yaml(CONFIG)
    for section, entries in sections.items():
        config[section] |= entries
    return noise_baselines(load_study(config, []))


def test_the_study_of_noise_has_a_baseline_for_each_kind() -> None:
    found = baselines()
    assert {name: of for name, of in found.items() if of != f"{name.split('-')[0]}-mini"} == {}
    assert len(found) == 14


DPRM = read_yaml(CONFIG)["models"]["dPRM-share50_steps10"]
GPRM = read_yaml(CONFIG)["models"]["gPRM-share50_steps10"]
TAKE = {"from": "Facts_train", "take": {"questions": 25}}
JUDGED = {"from": "Facts_train", "label": {"judge": {"model": "mini"}}}
NOISE = {"share": 0.5, "steps": 0.1}


@pytest.mark.parametrize(
    ("model", "sections"),
    [
        (DPRM | {"categories": ["history"]}, {}),
        (DPRM | {"dataset": "Fewer"}, {"datasets": {"Fewer": TAKE}}),
        (DPRM | {"training": {"learning_rate": 1e-4}}, {}),
        (DPRM | {"dataset": "Judged"}, {"datasets": {"Judged": JUDGED}}),
        (DPRM | {"scoring": {"dtype": "bfloat16"}}, {}),
        (DPRM | {"kind": "dORM"}, {}),
        (
            DPRM | {"backbone": "other"},
            {"backbones": {"other": {"model": "a/b", "parameters": 1e6}}},
        ),
        (GPRM | {"scoring": {"samples": 3, "max_tokens": 160}}, {}),
        (
            GPRM | {"critiques": "relaxed"},
            {
                "critiques": {
                    "relaxed": {
                        "from": "facts",
                        "dataset": "Noisy_share50_steps10",
                        "agreement": "relaxed",
                    }
                }
            },
        ),
        (
            GPRM | {"critiques": "short"},
            {
                "critiques": {
                    "short": {"dataset": "Facts_train", "teacher": "mini", "max_tokens": 99}
                }
            },
        ),
    ],
)
def test_models_that_differ_otherwise_are_their_own_baselines(
    model: dict[str, Any], sections: dict[str, dict[str, Any]]
) -> None:
    assert baselines(models={"other": model}, **sections)["other"] == "other"


def test_what_only_jobs_need_and_the_order_of_changes_make_no_difference() -> None:
    datasets = {
        "Fewer": TAKE,
        "Fewer_noisy": {"from": "Fewer", "noise": NOISE},
        "Noisy_fewer": {"from": "Noisy_share50_steps10", "take": {"questions": 25}},
    }
    models = {
        "clean": DPRM | {"dataset": "Fewer"},
        "noise last": DPRM | {"dataset": "Fewer_noisy"},
        "noise first": DPRM | {"dataset": "Noisy_fewer"},
        "two processes": DPRM | {"training": {"learning_rate": 5e-4, "processes": 2}},
        "external": {"kind": "dPRM", "rewards": {"Facts_junior_50": ["x"]}},
    }
    models = {name.replace(" ", "_"): model for name, model in models.items()}
    found = baselines(datasets=datasets, models=models)
    assert {name: found.get(name) for name in models} == {
        "clean": "clean",
        "noise_last": "clean",
        "noise_first": "clean",
        "two_processes": "dPRM-mini",
        "external": None,
    }
