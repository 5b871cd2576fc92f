"""Training runs: their names, models and seeds."""

from pathlib import Path

import pytest

from multirm.study.load import load_study, read_yaml
from multirm.study.study import Study

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def study(**changes: object) -> Study:
    return load_study(read_yaml(MINIATURE) | changes, [])


def test_each_seed_trains_each_model_once() -> None:
    runs = study(training_seeds=[7, 43]).runs
    assert [(run.name, run.model, run.seed) for run in runs.values()][:2] == [
        ("dORM-mini", "dORM-mini", 7),
        ("dORM-mini@43", "dORM-mini", 43),
    ]
    assert len(runs) == 8


def test_external_rewards_have_one_run_without_training() -> None:
    models = {
        "theirs": {"kind": "gPRM", "rewards": {"Facts_junior": ["a/b"], "Facts_senior": ["c/d"]}}
    }
    run = study(models=models, training_seeds=[1, 2]).runs["theirs"]
    assert (run.seed, run.is_external, run.kind) == (None, True, "gPRM")
    with pytest.raises(TypeError, match="theirs does not score here"):
        run.scoring  # noqa: B018
