"""One table passed as the rewards of several models."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from multirm.errors import InputError
from multirm.evaluation.accuracy import evaluate
from multirm.evaluation.uncertainty import measure_uncertainty
from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet
from multirm.tables.accuracy import ACCURACY, Estimator
from multirm.tables.samples import SAMPLES
from tests.origins import made_of


def drawn(models: list[str], *rewards: float) -> dict[str, Any]:
    """Five questions with pools of 4, whose solutions have the same reward from all models."""
    generator = random.Random(0)

    def solution() -> tuple[str, dict[str, list[float | None]]]:
        reward = generator.choice(rewards)
        return generator.choice("AB"), {model: [reward] for model in models}

    return {"law": {str(k): ("A", [solution() for _ in range(4)]) for k in range(5)}}


def run(command: Any, folder: Path, written: Any, models: list[str], **others: Any) -> None:
    given = {"n": others.pop("n", None), "samples": others.pop("samples", None)}
    options = written.options([f"{model}=last" for model in models], **given)
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


@pytest.fixture
def sampled(write_tables: Any) -> tuple[Any, str]:
    """Solutions to four questions, one right and one wrong each, and samples, of which a third has no answer."""
    pool = [("A", {"dPRM": [0.9]}), ("B", {"dPRM": [0.1]}), (None, {"dPRM": []})]
    written = write_tables({"law": {f"q{k}": ("A", pool) for k in range(4)}}, ["dPRM"])
    (samples,) = written.as_sampled()
    return written, samples


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda rows: [*rows, {**rows[0], "question_id": "q9"}],
            "1 without their solution .*/q9/0",
        ),
        (lambda rows: rows[1:], r"1 of others \('small/law/q0/0"),
        (
            lambda rows: [{**row, "reason": row["reason"] or "cut_off"} for row in rows],
            "8 of others",
        ),
        (
            lambda rows: [{**row, "reason": None} for row in rows],
            "only samples of the solutions given, found 4 without their solution",
        ),
    ],
)
def test_samples_of_other_solutions_are_refused(
    tmp_path: Path, sampled: tuple[Any, str], change: Any, message: str
) -> None:
    written, samples = sampled
    rows = parquet.read(Path(samples), SAMPLES).to_pylist()
    parquet.write(Path(samples), SAMPLES, change(rows), made_of())
    with pytest.raises(InputError, match=message):
        run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=[samples])


def test_a_sample_twice_is_refused(tmp_path: Path, sampled: tuple[Any, str]) -> None:
    written, samples = sampled
    with pytest.raises(InputError, match=r"each sample once, found 12 repeated"):
        run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=[samples, str(copied(samples))])


def copied(table: str) -> Path:
    return Path(shutil.copy(table, Path(table).with_name("again.parquet")))


def test_a_place_without_samples_is_refused(tmp_path: Path, sampled: tuple[Any, str]) -> None:
    written, _ = sampled
    (tmp_path / "none").mkdir()
    given = [str(tmp_path / "none")]
    with pytest.raises(InputError, match="none: expected tables of samples, found none"):
        run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=given)
    given = [str(written.solutions[0])]
    with pytest.raises(InputError, match=r"law\.parquet: expected .*samples"):
        run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=given)


def test_samples_are_those_of_a_dataset_that_was_derived_from_their_solutions(
    tmp_path: Path, sampled: tuple[Any, str]
) -> None:
    written, samples = sampled
    rows = parquet.read(Path(samples), SAMPLES).to_pylist()
    renamed = [{**row, "dataset": "before shuffling"} for row in rows]
    parquet.write(Path(samples), SAMPLES, renamed, made_of())
    run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=[samples])
    row = parquet.read(tmp_path / "accuracy.parquet", ACCURACY).to_pylist()[0]
    assert (row["n"], row["selection"]) == (1, "majority_vote")
    assert row["accuracy"] == pytest.approx(100 / 3)


def test_samples_without_any_solution_are_refused(tmp_path: Path, write_tables: Any) -> None:
    pool = [(None, {"dPRM": []}), (None, {"dPRM": []})]
    written = write_tables({"law": {"q": ("A", pool)}}, ["dPRM"])
    samples = written.as_sampled()
    with pytest.raises(InputError, match="expected at least one solution, found none; no sample"):
        run(evaluate, tmp_path, written, ["dPRM"], n=[1], samples=samples)
