"""TRL's stepwise data trains a process reward model without any table, from three options."""

import json
from pathlib import Path
from typing import Any

import pytest

from multirm.cli import main
from multirm.errors import InputError
from multirm.formats.trl import read_stepwise
from multirm.models.training_method import Targets
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.running.provenance import read_from_folder
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative
from multirm.training.step_data import read_solutions
from tests.origins import made_of


def stepwise(folder: Path, path: Path, n: int) -> Path:
    """PRMBench's modified processes in TRL's layout: a label says whether the step is an error."""
    lines = []
    for file in sorted(folder.glob("test_*.jsonl")):
        for line in file.read_text("utf-8").splitlines()[:n]:
            row = json.loads(line)
            steps = row["modified_process"]
            labels = [k not in row["error_steps"] for k in range(1, len(steps) + 1)]
            lines.append({"prompt": row["question"], "completions": steps, "labels": labels})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    return path


def test_three_options_train_a_model_that_scores(
    shared_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    data = stepwise(shared_data / "prmbench", tmp_path / "my_steps.jsonl", 4)
    output = tmp_path / "my-prm"
    main(
        ["train-discriminative", "--data", str(data), "--model", str(tiny_model)]
        + ["--output", str(output)]
    )
    assert {path.name for path in tmp_path.iterdir()} == {"my_steps.jsonl", "my-prm"}
    solutions = [Solution(each.prompt, tuple(each.steps)) for each in read_stepwise([data])]
    found = load_discriminative(output).score(solutions)
    assert [len(each.rewards) for each in found] == [len(each.steps) for each in solutions]
    provenance = read_from_folder(output)
    assert provenance and provenance.parameters["name"] == "my-prm"
    assert any(name.endswith("my_steps.jsonl") for name in provenance.inputs)


def written(path: Path, *labels: list[Any]) -> Path:
    rows = [
        {"prompt": "Q?", "completions": [f"S{k}" for k in range(len(each))], "labels": each}
        for each in labels
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_numbers_are_learned_as_values(tmp_path: Path) -> None:
    hard = read_solutions([], [written(tmp_path / "hard.jsonl", [True, False, None])], [], "mine")
    assert hard.targets is Targets.LABELS
    assert list(hard.labels.values()) == [{0: (1, None), 1: (0, None)}]
    soft = read_solutions([], [written(tmp_path / "soft.jsonl", [0.5, True], [1])], [], "mine")
    assert soft.targets is Targets.VALUES
    assert list(soft.labels.values()) == [{0: (None, 0.5), 1: (1, None)}, {0: (None, 1.0)}]
    assert [row["dataset"] for row in soft.rows] == ["mine", "mine"]


def test_settings_without_effect_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    data = written(tmp_path / "a.jsonl", [True, False])

    def train(kind: Kind = Kind.DPRM, recipe: dict[str, Any] | None = None, **given: Any) -> None:
        settings = DiscriminativeRecipe(**(recipe or {}))
        train_discriminative(str(tiny_model), tmp_path / "out", kind=kind, recipe=settings, **given)

    with pytest.raises(InputError, match=r"--data: expected solutions with labels, found none"):
        train()
    with pytest.raises(InputError, match="targets: expected only with dPRM"):
        train(Kind.DORM, {"targets": Targets.VALUES}, data=[data])
    with pytest.raises(InputError, match="patience: expected something to evaluate"):
        train(recipe={"patience": 3}, data=[data])
    with pytest.raises(InputError, match="validation_share: expected none beside --validation"):
        train(recipe={"validation_share": 0.5}, data=[data], validation=[data])
    assert not (tmp_path / "out").exists()


def test_tables_without_solutions_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A category may have no variants."""
    some, none = tmp_path / "some.parquet", tmp_path / "none.parquet"
    trl = read_solutions([], [written(tmp_path / "a.jsonl", [True])], [], "mine")
    parquet.write(some, SOLUTIONS, trl.rows, made_of())
    parquet.write(none, SOLUTIONS, [], made_of())
    with caplog.at_level("WARNING"):
        found = read_solutions([some, none], [], [], "mine")
    assert list(found.rows) == list(trl.rows)
    assert f"1 of 2 tables have no solutions: {none}" in caplog.text
    with pytest.raises(InputError, match="expected solutions, found none; train on other data"):
        read_solutions([none], [], [], "mine")
