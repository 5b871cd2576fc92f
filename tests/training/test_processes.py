"""Real training in several processes on the CPU: the same result as in one, joint failure, and resuming."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from multirm.cli import build_app
from multirm.errors import InputError
from multirm.tables import parquet
from multirm.tables.critiques import CRITIQUES
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES, EXAMPLES, VALIDATION
from multirm.text.prompts import VERDICT_MARKS
from multirm.training.processes import share_batch
from tests.origins import made_of

SCRIPT = Path(__file__).with_name("train_together.py")
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def solution(number: int) -> dict[str, Any]:
    right = number % 3 != 0
    return {
        "dataset": "toy",
        "category": "law",
        "question_id": "q",
        "solution_id": number,
        "question": "Is it lawful?",
        "answer": "A",
        "steps": ["It is so."] * (1 + number % 4) + ["So be it." if right else "It was not!"],
        "parsed_answer": "A",
        "outcome": int(right),
        "step_labels": None,
    }


def critique(of: int) -> dict[str, Any]:
    verdict = int(of % 3 != 0)
    return {
        "dataset": "toy",
        "category": "law",
        "question_id": "q",
        "solution_id": of,
        "critique_id": 0,
        "critique": f" Hm.\n</think>\n{VERDICT_MARKS[Kind.GORM]} {'Yes' if verdict else 'No'}",
        "verdict": verdict,
        "step_verdicts": None,
        "n_tokens": None,
        "truncated": False,
        "kept": True,
        "reason": None,
    }


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with solutions and critiques whose last batch is incomplete."""
    folder = tmp_path_factory.mktemp("given")
    solutions = [solution(number) for number in range(33)]
    parquet.write(folder / "solutions.parquet", SOLUTIONS, solutions, made_of())
    others = [row | {"question": "Is it fair?", "dataset": "others"} for row in solutions[:7]]
    parquet.write(folder / "others.parquet", SOLUTIONS, others, made_of())
    critiques = [critique(number) for number in range(33)]
    stage = {"kind": "gORM", "stage": "filtered"}
    parquet.write(folder / "critiques.parquet", CRITIQUES, critiques, made_of(stage))
    return folder


def training(kind: str, backbone: Path, given: Path, made: Path, **settings: object) -> list[str]:
    """The command line of a training run that makes `adapter`, `curve.parquet` and `examples.parquet`."""
    options: dict[str, object] = {
        "--kind": kind,
        "--name": "toy",
        "--backbone": backbone,
        "--solutions": given / "solutions.parquet",
        "--output": made / "adapter",
        "--curve": made / "curve.parquet",
        "--examples": made / "examples.parquet",
        "--batch-size": 6,
        "--learning-rate": 0.001,
    }
    options |= {f"--{name.replace('_', '-')}": value for name, value in settings.items()}
    command = "train-discriminative"
    if kind == "gORM":
        command = "train-generative"
        options["--critiques"] = given / "critiques.parquet"
    listed = [str(part) for option in options.items() for part in option]
    return [command, *listed]


def full(backbone: Path, given: Path, made: Path, **settings: object) -> list[str]:
    """The command line of a run that trains all weights, and evaluates them on another question."""
    settings |= {"method": "full", "validation": given / "others.parquet", "patience": 9}
    settings |= {"metrics": made / "validation.parquet", "evaluate_every": 2}
    return training("dORM", backbone, given, made, **settings)


def together(
    trainings: list[list[str]], folder: Path, *dying: str
) -> subprocess.CompletedProcess[str]:
    """Train in two processes."""
    (folder / "trainings.json").write_text(json.dumps(trainings))
    return subprocess.run(
        [*LAUNCH, SCRIPT, folder / "trainings.json", *dying],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def assert_alike(one: Path, other: Path) -> None:
    """The same curve and the same weights, within 1e-5, and the same counts of examples."""
    expected, found = (parquet.read(made / "curve.parquet", CURVES) for made in (one, other))
    for column in ("step", "epoch", "learning_rate", "loss"):
        assert found[column].to_pylist() == pytest.approx(expected[column].to_pylist(), abs=1e-5)
    counts = [parquet.read(made / "examples.parquet", EXAMPLES) for made in (one, other)]
    assert counts[0].to_pylist() == counts[1].to_pylist()
    weights = [load_file(made / "adapter" / "adapter_model.safetensors") for made in (one, other)]
    assert weights[0].keys() == weights[1].keys()
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, atol=1e-5, rtol=0)
    assert {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
    names = [{path.name for path in (made / "adapter").iterdir()} for made in (one, other)]
    assert names[0] == names[1]


@pytest.fixture(scope="module")
def two(tiny_model: Path, given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of two processes, a folder for each run; shared by tests, because starting them is slow."""
    folder = tmp_path_factory.mktemp("two")
    trainings = [
        training(
            kind,
            tiny_model,
            given,
            folder / f"{kind}-{parallelism}",
            parallelism=parallelism,
            # A process's share of a batch at once, or one example at a time.
            device_batch_size=3 if kind == "dORM" else 1,
            dropout=0,
        )
        for kind in ("dORM", "gORM")
        for parallelism in ("ddp", "fsdp")
    ]
    trainings += [
        full(tiny_model, given, folder / f"full-{parallelism}", parallelism=parallelism)
        for parallelism in ("ddp", "fsdp")
    ]
    trainings += [
        training("dORM", tiny_model, given, folder / "dropout", parallelism="fsdp"),
        training("dORM", tiny_model, given, folder / "uneven", batch_size=7),
    ]
    run = together(trainings, folder)
    assert run.returncode == 0, run.stderr[:4000]
    (folder / "log").write_text(run.stdout + run.stderr)
    return folder


@pytest.fixture(scope="module")
def alone(tiny_model: Path, given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Outputs of a single process from the same inputs."""
    folder = tmp_path_factory.mktemp("alone")
    for kind in ("dORM", "gORM"):
        arguments = training(kind, tiny_model, given, folder / kind, dropout=0)
        build_app()(arguments, exit_on_error=False, result_action="return_value")
    arguments = full(tiny_model, given, folder / "full")
    build_app()(arguments, exit_on_error=False, result_action="return_value")
    return folder


@pytest.mark.parametrize("parallelism", ["ddp", "fsdp"])
@pytest.mark.parametrize("kind", ["dORM", "gORM"])
def test_two_processes_train_like_one(alone: Path, two: Path, kind: str, parallelism: str) -> None:
    assert_alike(alone / kind, two / f"{kind}-{parallelism}")


@pytest.mark.parametrize("parallelism", ["ddp", "fsdp"])
def test_all_weights_and_their_evaluations_are_those_of_one_process(
    alone: Path, two: Path, parallelism: str
) -> None:
    made = [alone / "full", two / f"full-{parallelism}"]
    one, other = (parquet.read(each / "validation.parquet", VALIDATION) for each in made)
    assert one["step"].to_pylist() == [0, 2, 4, 6]
    assert set(one["n"].to_pylist()) == {7}
    for expected, found in zip(one.to_pylist(), other.to_pylist(), strict=True):
        assert found == pytest.approx(expected, abs=1e-5)
    weights = [load_file(each / "adapter" / "model.safetensors") for each in made]
    assert weights[0].keys() == weights[1].keys()
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, atol=1e-5, rtol=0)


def test_outputs_are_written_and_logged_once(two: Path) -> None:
    assert {path.name for path in (two / "dORM-fsdp").iterdir()} == {
        "adapter",
        "curve.parquet",
        "examples.parquet",
    }
    # Seven runs of six steps, each logged by one process.
    assert (two / "log").read_text().count("toy: step 6 of 6") == 7


def test_a_batch_that_two_processes_cannot_share_is_refused(two: Path) -> None:
    line = "batch_size: expected a multiple of 2 processes × 3 examples at once, found 7"
    for process in "01":
        assert f"process {process} refused: {line}" in (two / "log").read_text()
    assert not (two / "uneven").exists()


def test_a_batch_that_one_process_cannot_share_is_refused() -> None:
    assert share_batch(16, None) == 16
    assert share_batch(16, 4) == 4
    with pytest.raises(InputError, match="batch_size: expected a multiple of 1 processes × 5"):
        share_batch(16, 5)


def test_if_one_process_dies_all_end_and_the_next_run_resumes(
    tiny_model: Path, given: Path, two: Path, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    trainings = [training("dORM", tiny_model, given, made, parallelism="fsdp")]
    died = together(trainings, tmp_path, "4")
    assert died.returncode != 0
    left = [process for process in psutil.process_iter(["cmdline"]) if _of(process, tmp_path)]
    assert not left
    assert {path.name for path in made.iterdir()} <= {
        ".adapter.checkpoints",
        ".adapter.checkpoints.lock",
    }
    assert (made / ".adapter.checkpoints" / "checkpoint.pt").is_file()

    again = together(trainings, tmp_path)
    assert again.returncode == 0, again.stderr[:4000]
    assert "toy: resuming from step 3" in again.stderr
    assert_alike(two / "dropout", made)


def _of(process: psutil.Process, folder: Path) -> bool:
    """Whether a process runs the training jobs of a folder."""
    return str(folder / "trainings.json") in (process.info["cmdline"] or [])
