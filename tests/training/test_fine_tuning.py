"""Fine-tuning learns, fits into memory, and trains adapters or all weights on any objective."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import get_linear_schedule_with_warmup

from multirm.models import activations
from multirm.models.dtype import Dtype
from multirm.models.load import load_model
from multirm.models.packing import pack_tree, read_pack
from multirm.models.parallelism import Parallelism
from multirm.models.training_method import Method
from multirm.training import fine_tuning, starting_points
from multirm.training.fine_tuning import fine_tune
from multirm.training.generative import GenerativeRecipe
from multirm.training.lora import add_adapter
from multirm.training.objectives import Objective, prediction
from multirm.training.starting_points import load_backbone, starting_model
from tests.training.test_objectives import EXAMPLES, plain_loss

RECIPE: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": len(EXAMPLES),
    "weight_decay": 0.0,
}


@dataclass(frozen=True)
class Pair:
    """A pair of texts, one preferred to the other."""

    chosen: list[int]
    rejected: list[int]
    count: float = 1

    @property
    def n_tokens(self) -> int:
        return len(self.chosen) + len(self.rejected)


PAIRS = [
    Pair([*range(5, 50), 51, 52], [*range(5, 50), 61]),
    Pair([5, 6, 7], [8, 9, 10, 11]),
    Pair([12], [13, 14]),
]


def pairwise_loss(model: Any, pairs: Sequence[Pair]) -> torch.Tensor:
    """The Bradley-Terry loss, with the common prefix of a pair encoded once."""
    packed = pack_tree([text for pair in pairs for text in (pair.chosen, pair.rejected)])
    hidden = read_pack(model, *packed.tensors)
    rewards = model.reward(hidden[[int(place[-1]) for place in packed.places]]).view(-1, 2)
    counts = torch.tensor([pair.count for pair in pairs])
    return -(counts * functional.logsigmoid(rewards[:, 0] - rewards[:, 1])).sum()


def plain_pairwise_loss(model: Any, pair: Pair) -> torch.Tensor:
    chosen, rejected = (
        model.reward(model.model(torch.tensor([text])).last_hidden_state[0, -1])
        for text in (pair.chosen, pair.rejected)
    )
    return (1 + (rejected - chosen).exp()).log().sum()


def adapter(folder: Path) -> Any:
    return add_adapter(load_model(str(folder), torch.float32), 4, 8, 0.0, seed=42)


def everything(folder: Path) -> Any:
    return load_model(str(folder), torch.float32)


def everything_and_a_head(folder: Path) -> Any:
    model: Any = everything(folder)
    model.reward = nn.Linear(model.config.hidden_size, 1, bias=False)
    nn.init.constant_(model.reward.weight, 0.1)
    return model


CASES = {
    "adapter": (adapter, prediction((30, 40)), partial(plain_loss, columns=(30, 40)), EXAMPLES),
    "all weights": (everything, prediction(), partial(plain_loss, columns=None), EXAMPLES),
    "pairs": (
        everything_and_a_head,
        Objective(pairwise_loss, blank=Pair([0], [0], count=0)),
        plain_pairwise_loss,
        PAIRS,
    ),
}


@pytest.mark.parametrize("at_once", [3, 1])
@pytest.mark.parametrize("case", CASES)
def test_a_run_equals_a_plain_loop(
    tiny_model: Path, tmp_path: Path, case: str, at_once: int
) -> None:
    """In plain PyTorch, one example at a time."""
    make: Callable[[Path], Any]
    objective: Any
    make, objective, loss_of, examples = CASES[case]  # type: ignore[assignment]
    plain = make(tiny_model).train()
    trained = [weight for weight in plain.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, weight_decay=0.1)
    schedule = get_linear_schedule_with_warmup(optimizer, 1, 5)
    count = sum(example.count for example in examples)
    losses = []
    for _ in range(5):
        loss = sum(loss_of(plain, example) for example in examples) / count
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())

    model = make(tiny_model)
    first = [weight.detach().clone() for weight in model.parameters()]
    recipe = GenerativeRecipe(
        **{**RECIPE, "weight_decay": 0.1, "epochs": 5, "device_batch_size": at_once}
    )
    curve, _ = fine_tune("tiny", model, objective, examples, recipe, tmp_path / "checkpoint")
    assert [point["loss"] for point in curve] == pytest.approx(losses, abs=1e-5)
    assert losses[-1] < losses[0] - 0.01
    changes = []
    for before, weight, expected in zip(first, model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weight, expected, atol=1e-5, rtol=0)
        assert weight.requires_grad or torch.equal(weight, before)
        changes.append((weight - before).abs().max().item())
    assert max(changes) > 1e-3


def test_a_batch_that_does_not_fit_is_split_and_reported(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(activations, "_BUDGET", {"cpu": 1, "cuda": 1})
    with caplog.at_level(logging.INFO):
        fine_tune(
            "tiny",
            adapter(tiny_model),
            prediction((30, 40)),
            EXAMPLES,
            GenerativeRecipe(**RECIPE),
            tmp_path / "checkpoint",
        )
    assert "1 examples per forward pass and process, of at most 5 tokens" in caplog.text
    assert "with gradient checkpointing" in caplog.text


@pytest.mark.parametrize(("memory", "at_once"), [(1e-12, 1), (1.0, len(EXAMPLES))])
def test_a_batch_is_split_to_fit_the_memory_that_is_given(
    memory: float,
    at_once: int,
    tiny_model: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    recipe = GenerativeRecipe(**RECIPE, activation_memory=memory)
    with caplog.at_level(logging.INFO):
        fine_tune(
            "tiny", adapter(tiny_model), prediction(), EXAMPLES, recipe, tmp_path / "checkpoint"
        )
    assert f"{at_once} examples per forward pass" in caplog.text


@pytest.mark.parametrize("count", [1, 2])
def test_processes_divide_the_memory_of_a_machine(
    count: int,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = adapter(tiny_model)
    longest = max(example.n_tokens for example in EXAMPLES)
    whole = activations.reading(activations.Decoder.of(model.config), "cpu", 4, longest)
    monkeypatch.setattr(fine_tuning, "usable_memory", lambda: 2 * whole.memory)
    monkeypatch.setattr(
        fine_tuning, "processes", lambda: SimpleNamespace(num_processes=count, process_index=0)
    )
    recipe = GenerativeRecipe(**RECIPE | {"batch_size": 4})
    with caplog.at_level(logging.INFO):
        fine_tune("tiny", model, prediction(), EXAMPLES, recipe, tmp_path / "checkpoint")
    assert f"{4 // count} examples per forward pass" in caplog.text


@pytest.mark.parametrize("method", ["adapter", "all weights"])
def test_passes_in_bf16_train_fp32_weights(tiny_model: Path, tmp_path: Path, method: str) -> None:
    curves, dtypes = [], []
    for dtype in (Dtype.FLOAT32, Dtype.BFLOAT16):
        recipe = GenerativeRecipe(**RECIPE | {"epochs": 5}, dtype=dtype)
        model: Any = everything(tiny_model)
        if method == "adapter":
            model = starting_model(str(tiny_model), recipe, Method.LORA)
        model.get_decoder().norm.register_forward_hook(
            lambda _, given, __: dtypes.append(given[0].dtype)
        )
        run = fine_tune("tiny", model, prediction(), EXAMPLES, recipe, tmp_path / dtype)
        curves.append([point["loss"] for point in run.points])
        trained = [weight for weight in model.parameters() if weight.requires_grad]
        assert {weight.dtype for weight in trained} == {torch.float32}
    exact, rounded = curves
    assert rounded == pytest.approx(exact, rel=0.02)
    assert rounded != exact
    assert exact[-1] < exact[0] - 0.01
    if method == "adapter":
        assert dtypes[0] == torch.float32
        assert dtypes[-1] == torch.bfloat16


@pytest.mark.parametrize("copies", [1, 4])
def test_even_a_run_of_one_step_learns(tiny_model: Path, tmp_path: Path, copies: int) -> None:
    model = adapter(tiny_model)
    recipe = GenerativeRecipe(**RECIPE)
    curve, _ = fine_tune(
        "tiny", model, prediction((30, 40)), EXAMPLES * copies, recipe, tmp_path / "checkpoint"
    )
    assert [point["step"] for point in curve] == list(range(1, copies + 1))
    assert (curve[0]["learning_rate"] == 0) == (copies > 1)
    assert all(w.abs().max() > 0 for name, w in model.named_parameters() if "lora_B" in name)


@pytest.mark.parametrize("parallelism", Parallelism)
def test_a_model_that_is_not_sharded_is_loaded_onto_the_device(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, parallelism: Parallelism
) -> None:
    """Only a model that will be sharded is loaded into main memory."""
    asked = []
    monkeypatch.setattr(starting_points, "load_model", lambda *given: asked.append(given[-1]))
    load_backbone(str(tiny_model), parallelism)
    assert asked == [None]
