"""A killed run resumes from its last checkpoint, and ends with the same weights and curve."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_pre_hook

from multirm.errors import InputError
from multirm.models.load import load_model
from multirm.training import fine_tuning_steps
from multirm.training.fine_tuning import fine_tune
from multirm.training.generative import GenerativeRecipe
from multirm.training.lora import add_adapter
from multirm.training.objectives import prediction
from tests.training.test_objectives import EXAMPLES

Made = tuple[list[dict[str, Any]], dict[str, torch.Tensor]]


def trained(folder: Path, checkpoint: Path, trains_all: bool = False) -> Made:
    """The curve and the trained weights of a run of eight steps, with dropout."""
    model: Any = load_model(str(folder), torch.float32)
    if not trains_all:
        model = add_adapter(model, 4, 8, 0.2, seed=42)
    recipe = GenerativeRecipe(learning_rate=1e-3, batch_size=3)
    curve, _ = fine_tune("tiny", model, prediction((30, 40)), EXAMPLES * 8, recipe, checkpoint)
    return curve, {n: w.detach() for n, w in model.named_parameters() if w.requires_grad}


@contextmanager
def killed_in_step(number: int) -> Iterator[None]:
    taken = 0

    def before_step(*_: Any) -> None:
        nonlocal taken
        taken += 1
        if taken == number:
            raise KeyboardInterrupt

    hook = register_optimizer_step_pre_hook(before_step)
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        hook.remove()


@pytest.mark.parametrize("trains_all", [False, True], ids=["adapter", "all weights"])
def test_a_killed_run_resumes_to_the_same_end(
    tiny_model: Path,
    tmp_path: Path,
    trains_all: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # The curve has a point every other step; the run is killed between two points.
    monkeypatch.setattr(fine_tuning_steps, "LOGGED_POINTS", 4)
    curve, learned = trained(tiny_model, tmp_path / "whole", trains_all)
    assert [point["step"] for point in curve] == [2, 4, 6, 8]
    with killed_in_step(6):
        trained(tiny_model, tmp_path / "killed", trains_all)
    with caplog.at_level(logging.INFO):
        again, relearned = trained(tiny_model, tmp_path / "killed", trains_all)
    assert "resuming from step 5" in caplog.text
    assert again == curve
    for name, weights in learned.items():
        assert torch.equal(weights, relearned[name])


def test_a_finished_run_takes_no_further_step(tiny_model: Path, tmp_path: Path) -> None:
    curve, learned = trained(tiny_model, tmp_path / "checkpoint")
    again, relearned = trained(tiny_model, tmp_path / "checkpoint")
    assert again == curve
    assert all(torch.equal(weights, relearned[name]) for name, weights in learned.items())


def test_a_damaged_checkpoint_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    trained(tiny_model, tmp_path / "checkpoint")
    whole = (tmp_path / "checkpoint").read_bytes()
    (tmp_path / "checkpoint").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="checkpoint: expected a checkpoint, found a damaged file"):
        trained(tiny_model, tmp_path / "checkpoint")
