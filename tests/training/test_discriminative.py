"""Labels are where scoring reads rewards, training learns, and bad input is refused."""

import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerFast

from multirm.errors import InputError
from multirm.models.load import load_model, load_tokenizer
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import CURVES
from multirm.text.encoding import step_candidates
from multirm.training.discriminative import (
    DiscriminativeRecipe,
    label_solutions,
    train_discriminative,
)
from multirm.training.examples import UNLABELLED
from multirm.training.step_labels import step_targets
from tests.origins import made_of
from tests.training.test_loop import killed_in_step

LEARNABLE = {"epochs": 8.0, "learning_rate": 1e-2, "batch_size": 8, "dropout": 0.0}


def solution(
    solution_id: int, steps: list[str], labels: list[int] | None, **values: Any
) -> dict[str, Any]:
    return {
        "dataset": "toy",
        "category": "law",
        "question_id": "q",
        "solution_id": solution_id,
        "question": "Is it lawful?",
        "answer": "A",
        "steps": steps,
        "parsed_answer": "A",
        "outcome": None if labels is None else labels[-1],
        "step_labels": labels,
        **values,
    }


def toy_solutions(n: int) -> list[dict[str, Any]]:
    """Solutions whose steps say whether they are correct."""
    texts = {1: "It is so.", 0: "It was not!"}
    patterns = [[1, 1], [1, 0], [0, 0], [1, 1, 1]]
    return [
        solution(i, [texts[label] for label in patterns[i % 4]], patterns[i % 4]) for i in range(n)
    ]


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerFast:
    return load_tokenizer(str(tiny_model))


@pytest.fixture
def run(tiny_model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Train on rows; return the folder with `adapter`, `curve.parquet` and `examples.parquet`."""

    def train(
        kind: Kind, rows: Sequence[dict[str, Any]], folder: str = "made", **settings: Any
    ) -> Path:
        table = tmp_path / "law.parquet"
        parquet.write(table, SOLUTIONS, rows, made_of())
        made = tmp_path / folder
        train_discriminative(
            kind=kind,
            name="toy",
            backbone=str(tiny_model),
            solutions=[table],
            output=made / "adapter",
            curve=made / "curve.parquet",
            examples=made / "examples.parquet",
            recipe=DiscriminativeRecipe(**settings),
        )
        return made

    return train


@pytest.mark.parametrize(
    ("kind", "outcome", "labels", "targets"),
    [
        (Kind.DORM, 1, [1, 0, 0], {2: 1}),
        (Kind.DORM, 0, None, {2: 0}),
        (Kind.DORM, None, [1, 1, 1], None),
        (Kind.DPRM, 0, [1, 1, 1], {0: 1, 1: 1, 2: 1}),
        (Kind.DPRM, 1, [1, 0, 1], {0: 1, 1: 0}),
        (Kind.DPRM, 1, [0, 1, 1], {0: 0}),
        (Kind.DPRM, 1, None, None),
    ],
)
def test_steps_that_are_trained_on(
    kind: Kind, outcome: int | None, labels: list[int] | None, targets: dict[int, int] | None
) -> None:
    assert step_targets(kind, outcome, labels, 3) == targets


def test_a_label_is_on_the_last_token_of_its_step(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [solution(0, ["One.", "Two.", "Three."], [1, 0, 1])]
    (example,), _ = label_solutions(Kind.DPRM, tokenizer, rows, 650)
    labelled = [t for t, label in enumerate(example.labels) if label != UNLABELLED]
    assert [example.labels[t] for t in labelled] == [1, 0]
    read = [tokenizer.decode(list(example.ids[: t + 1])) for t in labelled]
    assert read[0].endswith("Is it lawful? \n\nOne. \n\n\n\n")
    assert read[1].endswith("One. \n\n\n\nTwo. \n\n\n\n")


def test_an_example_ends_with_its_last_label(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [solution(0, ["One.", "Two.", "Long. " * 100], [1, 0, 1])]
    (example,), tally = label_solutions(Kind.DPRM, tokenizer, rows, 100)
    assert tokenizer.decode(list(example.ids)).endswith("Two. \n\n\n\n")
    assert example.labels[-1] == 0
    assert tally.too_long.total() == 0
    # dORM's only label is at the end.
    assert label_solutions(Kind.DORM, tokenizer, rows, 100)[1].too_long.total() == 1
    (example,), _ = label_solutions(Kind.DORM, tokenizer, rows, 1000)
    assert tokenizer.decode(list(example.ids)).endswith("Long.  \n\n\n\n")


@pytest.mark.parametrize("max_length", [650, 1100])
def test_prmbench_is_cut_before_its_length_is_checked(
    shared_data: Path, tokenizer: PreTrainedTokenizerFast, max_length: int
) -> None:
    rows = []
    for path in sorted((shared_data / "prmbench").glob("test_*.jsonl")):
        for line in path.read_text("utf-8").splitlines()[:40]:
            found = json.loads(line)
            steps = found["modified_process"]
            labels = [int(k not in found["error_steps"]) for k in range(1, len(steps) + 1)]
            rows.append(solution(len(rows), steps, labels, question=found["question"]))

    def n_tokens(text: str, special: bool = False) -> int:
        return len(tokenizer.encode(text, add_special_tokens=special))

    expected, whole = [], 0
    for row in rows:
        length = n_tokens(row["question"] + " \n\n", special=True)
        labels = []
        for step, label in zip(row["steps"], row["step_labels"], strict=True):
            length += n_tokens(step + " \n\n\n\n")
            labels.append(label)
            if label == 0:
                break
        if length <= max_length:
            expected.append((length, labels))
        rest = row["steps"][len(labels) :]
        whole += length + sum(n_tokens(step + " \n\n\n\n") for step in rest) <= max_length

    examples, tally = label_solutions(Kind.DPRM, tokenizer, rows, max_length)
    found = [(len(e.ids), [label for label in e.labels if label != UNLABELLED]) for e in examples]
    assert found == expected
    assert tally.used.total() + tally.too_long.total() == len(rows)
    assert len(expected) > whole


def test_every_solution_is_used_or_counted(tokenizer: PreTrainedTokenizerFast) -> None:
    rows = [
        solution(0, ["Right."], [1]),
        solution(1, ["Wrong."], [0]),
        solution(2, ["Who knows."], None),
        solution(3, ["Long. " * 100], [1]),
        solution(4, ["Far too long. " * 100], [1], category="math"),
    ]
    _, tally = label_solutions(Kind.DPRM, tokenizer, rows, max_length=100)
    counts = {row["category"]: list(row.values())[2:] for row in tally.rows("toy")}
    assert counts == {"law": [2, 1, 1, 1], "math": [0, 0, 1, 0]}


@pytest.mark.parametrize("kind", [Kind.DORM, Kind.DPRM])
def test_training_learns(
    kind: Kind, run: Callable[..., Path], tokenizer: PreTrainedTokenizerFast
) -> None:
    made = run(kind, toy_solutions(64), **LEARNABLE)
    curve = parquet.read(made / "curve.parquet", CURVES).to_pylist()
    assert [point["step"] for point in curve] == list(range(1, 65))
    # The output layer is frozen and random, so the loss cannot get close to 0.
    assert curve[-1]["loss"] < 0.5 < 0.6 < curve[0]["loss"]
    assert max(point["learning_rate"] for point in curve) == pytest.approx(1e-2)
    assert curve[-1]["learning_rate"] < 1e-3

    model, candidates = load_model(str(made / "adapter")), step_candidates(tokenizer)
    (example,), _ = label_solutions(
        kind, tokenizer, [solution(0, ["It is so.", "It was not!"], [1, 0])], 650
    )
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([list(example.ids)], device=model.device)).logits[0]
    for t, label in enumerate(example.labels):
        if label != UNLABELLED:
            assert logits[t, list(candidates)].softmax(0)[label] > 0.6


def test_an_adapter_is_an_ordinary_peft_folder_and_nothing_else(run: Callable[..., Path]) -> None:
    made = run(Kind.DPRM, toy_solutions(8), batch_size=8)
    names = {path.name for path in (made / "adapter").iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors", "tokenizer.json"} <= names
    assert not any("checkpoint" in name or name.endswith(".bin") for name in names)
    assert {path.name for path in made.iterdir()} == {
        "adapter",
        "curve.parquet",
        "examples.parquet",
    }
    footer = parquet.read_footer(made / "examples.parquet")
    assert footer.parameters["kind"] == "dPRM"
    assert footer.parameters["dtype"] == "float32"
    assert not any(str(value).startswith("/") for value in footer.parameters.values())


def test_a_killed_run_resumes_with_less_memory(
    run: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"batch_size": 4, "dropout": 0.0}
    rows = toy_solutions(16)
    whole = run(Kind.DPRM, rows, "whole", **settings)
    with killed_in_step(4):
        run(Kind.DPRM, rows, "killed", **settings)
    with caplog.at_level(logging.INFO):
        killed = run(Kind.DPRM, rows, "killed", **settings, activation_memory=1e-9)
    assert "resuming from step 3" in caplog.text
    assert "1 examples per forward pass" in caplog.text
    weights = [
        load_file(made / "adapter" / "adapter_model.safetensors") for made in (whole, killed)
    ]
    for name, values in weights[0].items():
        torch.testing.assert_close(weights[1][name], values, atol=1e-5, rtol=0)


def test_the_same_seed_makes_the_same_adapter(run: Callable[..., Path]) -> None:
    first, again, other = (
        run(Kind.DPRM, toy_solutions(24), folder=folder, batch_size=8, seed=seed)
        for folder, seed in [("first", 1), ("again", 1), ("other", 2)]
    )
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (first / "adapter" / name).read_bytes() == (again / "adapter" / name).read_bytes()
    name = "adapter_model.safetensors"
    assert (first / "adapter" / name).read_bytes() != (other / "adapter" / name).read_bytes()


def test_nothing_to_train_on(run: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match=r"law\.parquet: expected solutions, found none"):
        run(Kind.DORM, [])
    with pytest.raises(InputError, match="found 0 over 650 tokens, 2 unlabelled"):
        run(Kind.DORM, [solution(i, ["Who knows."], None) for i in range(2)])
    with pytest.raises(InputError, match="found 4 over 5 tokens, 0 unlabelled"):
        run(Kind.DORM, toy_solutions(4), max_length=5)


def test_one_class_only_is_warned_of(
    run: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    run(Kind.DORM, [solution(i, ["So."], [1]) for i in range(4)], batch_size=4)
    assert "toy: all 4 examples are positive" in caplog.text


def test_a_generative_kind_is_refused(run: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="kind: expected dORM or dPRM, found gORM"):
        run(Kind.GORM, toy_solutions(4))
