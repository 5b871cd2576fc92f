"""Validation measures what scoring would, changes nothing, resumes, and stops early only if asked to."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from multirm.errors import InputError
from multirm.models.learned_from import question_digest
from multirm.models.load import load_model
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import load_discriminative
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.training import VALIDATION
from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative
from multirm.training.examples import UNLABELLED, Example
from multirm.training.fine_tuning import Run, fine_tune
from multirm.training.lora import add_adapter
from multirm.training.objectives import prediction
from multirm.training.step_metrics import step_metrics
from multirm.training.validation import Validation, hold_out, without_learned
from tests.origins import made_of
from tests.training.test_discriminative import solution, toy_solutions
from tests.training.test_loop import killed_in_step

CANDIDATES = (30, 40)
TRAINED = [
    Example.of([5, 6, 7], [UNLABELLED, 1, 0]),
    Example.of([11, 12], [UNLABELLED, 1]),
] * 8
# What is right of these is wrong of the others, so that learning makes them worse.
OPPOSITE = [Example.of([5, 6, 7], [UNLABELLED, 0, 1]), Example.of([11, 12], [UNLABELLED, 0])]


def trained(
    folder: Path, checkpoint: Path, validation: Validation | None
) -> tuple[Run, dict[str, torch.Tensor]]:
    """The history and the trained weights of a run of eight steps, with dropout."""
    model = add_adapter(load_model(str(folder), torch.float32), 4, 8, 0.2, seed=42)
    recipe = DiscriminativeRecipe(learning_rate=1e-2, batch_size=2)
    run = fine_tune("tiny", model, prediction(CANDIDATES), TRAINED, recipe, checkpoint, validation)
    return run, {n: w.detach().clone() for n, w in model.named_parameters() if w.requires_grad}


def test_evaluations_change_nothing_and_resume(tiny_model: Path, tmp_path: Path) -> None:
    for name in ("plain", "whole", "killed"):
        (tmp_path / name).mkdir()
    plain, weights = trained(tiny_model, tmp_path / "plain" / "checkpoint", None)
    validation = Validation(OPPOSITE, CANDIDATES, every=3)
    run, watched = trained(tiny_model, tmp_path / "whole" / "checkpoint", validation)
    assert run.points == plain.points
    assert all(torch.equal(weights[name], watched[name]) for name in weights)
    assert [row["step"] for row in run.evaluations] == [0, 3, 6, 8]
    assert [row["is_kept"] for row in run.evaluations] == [False, False, False, True]
    assert {row["n"] for row in run.evaluations} == {3}

    with killed_in_step(7):
        trained(tiny_model, tmp_path / "killed" / "checkpoint", validation)
    again, relearned = trained(tiny_model, tmp_path / "killed" / "checkpoint", validation)
    assert again == run
    assert all(torch.equal(weights[name], relearned[name]) for name in weights)


def test_patience_ends_the_run_and_keeps_the_best_weights(tiny_model: Path, tmp_path: Path) -> None:
    validation = Validation(OPPOSITE, CANDIDATES, every=1, patience=2)
    run, weights = trained(tiny_model, tmp_path / "checkpoint", validation)
    losses = [row["loss"] for row in run.evaluations]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 9
    assert [row["is_kept"] for row in run.evaluations].index(True) == best
    if best == 0:
        assert not any(weight.any() for name, weight in weights.items() if "lora_B" in name)
    # Resuming a run that has ended takes no further step.
    assert trained(tiny_model, tmp_path / "checkpoint", validation)[0] == run


def test_measures_are_those_of_the_scored_solutions(tiny_model: Path, tmp_path: Path) -> None:
    table, held = tmp_path / "law.parquet", tmp_path / "held.parquet"
    parquet.write(table, SOLUTIONS, toy_solutions(16), made_of())
    others = [row | {"question": "Is it fair?"} for row in toy_solutions(7)]
    parquet.write(held, SOLUTIONS, others + toy_solutions(16)[7:], made_of())
    train_discriminative(
        kind=Kind.DPRM,
        name="toy",
        backbone=str(tiny_model),
        solutions=[table],
        validation=[held],
        output=tmp_path / "adapter",
        metrics=tmp_path / "validation.parquet",
        recipe=DiscriminativeRecipe(batch_size=8, learning_rate=1e-2),
    )
    *_, last = parquet.read(tmp_path / "validation.parquet", VALIDATION).to_pylist()
    found = load_discriminative(tmp_path / "adapter").score(
        [Solution(row["question"], tuple(row["steps"])) for row in others]
    )
    rewards, labels = [], []
    for row, scored in zip(others, found, strict=True):
        for reward, label in zip(scored.rewards, row["step_labels"], strict=True):
            rewards.append(reward)
            labels.append(label)
            if label == 0:
                break
    scores = np.array(rewards, float)
    expected = step_metrics(np.log(scores / (1 - scores)), np.array(labels, float))
    assert {name: last[name] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert last["model"] == "toy" and last["is_kept"]


def questions(n: int) -> list[dict[str, Any]]:
    return [solution(k, ["So."], [1], question=f"Question {k % n}?") for k in range(3 * n)]


def test_held_out_questions_depend_on_their_texts_alone() -> None:
    rows = questions(10)
    learned, held_out = hold_out(rows, 0.25, 42, "toy")
    assert len({row["question"] for row in held_out}) == 2
    assert not {row["question"] for row in held_out} & {row["question"] for row in learned}
    assert len(learned) + len(held_out) == 30
    turned = hold_out(rows[::-1], 0.25, 42, "toy")[1]
    assert sorted(row["solution_id"] for row in turned) == [row["solution_id"] for row in held_out]
    assert hold_out(rows, 0.25, 43, "toy")[1] != held_out
    # Spelling and white space do not make another question.
    rows[3] = rows[3] | {"question": " QUESTION  3? "}
    assert question_digest(rows[3]["question"]) == question_digest(rows[13]["question"])
    learned, held_out = hold_out(rows, 0.01, 42, "toy")
    assert len({question_digest(row["question"]) for row in held_out}) == 1
    with pytest.raises(InputError, match="at least two questions"):
        hold_out(questions(1), 0.5, 42, "toy")


def test_questions_that_are_trained_on_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    rows = questions(4)
    kept = without_learned(rows, [rows[0] | {"question": "question  0?"}], "--validation")
    assert {row["question"] for row in kept} == {"Question 1?", "Question 2?", "Question 3?"}
    assert "left out 3 of 12 solutions" in caplog.text
    with pytest.raises(InputError, match="found 12 to those that are"):
        without_learned(rows, rows, "--validation")
