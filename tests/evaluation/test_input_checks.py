"""One table passed as the rewards of several models."""

import random
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator


def drawn(models: list[str], *rewards: float) -> dict[str, Any]:
    """Five questions with pools of 4, whose solutions have the same reward from all models."""
    generator = random.Random(0)

    def solution() -> tuple[str, dict[str, list[float | None]]]:
        reward = generator.choice(rewards)
        return generator.choice("AB"), {model: [reward] for model in models}

    return {"law": {str(k): ("A", [solution() for _ in range(4)]) for k in range(5)}}


def run(command: Any, folder: Path, written: Any, models: list[str], **others: Any) -> None:
    options = written.options([f"{model}=last" for model in models], n=others.pop("n", None))
    command(options, folder, **others)


def models_of(folder: Path) -> set[str | None]:
    return set(parquet.read(folder / "accuracy.parquet", ACCURACY)["model"].to_pylist())


@pytest.mark.parametrize(
    ("command", "options"),
    [
        (evaluate, {"n": [1, 2]}),
        (evaluate, {"n": [1, 2], "estimator": Estimator.PAPER}),
        (measure_uncertainty, {"n": [1, 2]}),
        (evaluate_verification, {}),
    ],
)
def test_two_training_runs_with_the_same_rewards_are_refused(
    tmp_path: Path, write_tables: Any, command: Any, options: dict[str, Any]
) -> None:
    models = ["dORM", "dORM@43"]
    written = write_tables(drawn(models, 0.1, 0.5, 0.9), models)
    with pytest.raises(
        InputError, match="different rewards for each training run of dORM, found"
    ) as e:
        run(command, tmp_path / "out", written, models, **options)
    assert "by dORM and dORM@43" in str(e.value)


def test_one_different_reward_is_accepted(tmp_path: Path, write_tables: Any) -> None:
    models = ["dORM", "dORM@43"]
    study = drawn(models, 0.1, 0.5, 0.9)
    study["law"]["3"][1][2][1]["dORM@43"] = [0.2]
    run(evaluate, tmp_path / "out", write_tables(study, models), models, n=[1])
    assert models_of(tmp_path / "out") == {None, "dORM", "dORM@43", "dORM@mean"}


def test_models_with_constant_rewards_are_not_copies(tmp_path: Path, write_tables: Any) -> None:
    models = ["dORM", "dORM@43"]
    run(evaluate, tmp_path / "out", write_tables(drawn(models, 0.5), models), models, n=[1])
    assert models_of(tmp_path / "out") == {None, "dORM", "dORM@43", "dORM@mean"}


def test_the_same_rewards_from_two_models_are_logged(
    tmp_path: Path, write_tables: Any, caplog: pytest.LogCaptureFixture
) -> None:
    models = ["dORM", "gORM"]
    run(evaluate, tmp_path, write_tables(drawn(models, 0.1, 0.9), models), models, n=[1])
    assert "dORM and gORM have the same rewards for every solution" in caplog.text
