"""Which evaluations there are, and which settings their commands take."""

from pathlib import Path

import pytest

from multirm.cli import COMMANDS
from multirm.study.evaluations import EVALUATIONS
from multirm.study.load import load_study, read_yaml
from multirm.tables.registry import SCHEMAS

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"


def test_settings_become_options() -> None:
    config = read_yaml(MINIATURE) | {"seed": 7}
    config["evaluation"] |= {"n": [1, 4], "runs": 5, "answers": "strict"}
    study = load_study(config, [])
    assert EVALUATIONS["measure_uncertainty"].words(study) == [
        "--answers strict",
        "--n 1 4",
        "--runs 5",
        "--seed 7",
    ]
    assert EVALUATIONS["evaluate_verification"].words(study) == ["--answers strict", "--seed 7"]


@pytest.mark.parametrize("name", EVALUATIONS)
def test_each_has_a_command_and_makes_known_tables(name: str) -> None:
    evaluating = EVALUATIONS[name]
    commands = {name: target for group in COMMANDS.values() for name, (target, _) in group.items()}
    assert commands[evaluating.command].startswith(f"multirm.evaluation.{evaluating.module}:")
    assert set(evaluating.tables) <= set(SCHEMAS)
