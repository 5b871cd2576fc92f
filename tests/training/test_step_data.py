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
from multirm.tables.labels import LABELS
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import VALIDATION
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


def test_empty_steps_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    row = {"prompt": "Q?", "completions": ["A", "", "B"], "labels": [True, True, False]}
    path.write_text(f"{json.dumps(row)}\n" * 4)
    with caplog.at_level("WARNING"):
        read_solutions([], [path], [], "mine")
    assert "--data: 4 empty steps left out with their labels" in caplog.text


def test_labels_of_other_solutions_are_refused_beside_stepwise_data(
    tiny_model: Path, tmp_path: Path
) -> None:
    """Labels in `--data` are no sign that those of `--labels` are of the solutions given."""
    data = written(tmp_path / "a.jsonl", [True, False])
    rows = read_solutions([], [data], [], "mine").rows
    table, labels = tmp_path / "t.parquet", tmp_path / "l.parquet"
    parquet.write(table, SOLUTIONS, rows, made_of())
    key = {name: rows[0][name] for name in SOLUTIONS.key}
    label = dict.fromkeys(LABELS.columns.names) | key | {"step": 0, "source": "judge", "label": 1}
    parquet.write(labels, LABELS, [label | {"dataset": "other"}], made_of())
    with pytest.raises(InputError, match="labels of some of the solutions, found of others"):
        train_discriminative(
            str(tiny_model), tmp_path / "out", [table], [data], [str(labels)], name="theirs"
        )


def trained_on_numbers(folder: Path, model: Path, **settings: Any) -> list[dict[str, Any]]:
    """The validation table of a model that learns true and false, and is evaluated on numbers."""
    data = written(folder / "a.jsonl", [True, False], [True, True])
    held = folder / "b.jsonl"
    rows = [
        {"prompt": "Other?", "completions": ["S", "S"], "labels": [0.75, 0.25]},
        {"prompt": "Other?", "completions": ["S"], "labels": [None]},
        {"prompt": "Other?", "completions": ["S " * 200], "labels": [0.75]},
    ]
    held.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    metrics = folder / "validation.parquet"
    train_discriminative(
        str(model), folder / "out", data=[data], validation=[held], metrics=metrics,
        recipe=DiscriminativeRecipe(max_length=100, **settings),
    )  # fmt: skip
    found: list[dict[str, Any]] = parquet.read(metrics, VALIDATION).to_pylist()
    return found


def test_a_model_is_evaluated_on_numbers_whatever_it_learns(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        rows = trained_on_numbers(tmp_path, tiny_model)
    assert {(row["n"], row["n_positive"], row["n_solutions"]) for row in rows} == {(2, 1, 1)}
    # Solutions that cannot be evaluated stand beside those that are.
    assert {(row["n_too_long"], row["n_unlabelled"]) for row in rows} == {(1, 1)}
    assert "left out of 3 solutions: 1 over 100 tokens, 1 unlabelled" in caplog.text


def test_what_cannot_be_evaluated_is_said(tiny_model: Path, tmp_path: Path) -> None:
    message = "found 0 over 100 tokens, 3 unlabelled; use .* or other --targets"
    with pytest.raises(InputError, match=message):
        trained_on_numbers(tmp_path, tiny_model, targets=Targets.LABELS)
