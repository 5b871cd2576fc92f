"""The loss is the plain one, batches are full and short of padding, and the order is the seed's alone."""

import logging
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional
from torch.utils.data import BatchSampler

from multirm.models import activations
from multirm.models.load import load_model
from multirm.models.parallelism import Parallelism
from multirm.training import run
from multirm.training.examples import UNLABELLED, Example, LengthGrouped, Tally, collate
from multirm.training.generative import GenerativeRecipe
from multirm.training.lora import add_adapter
from multirm.training.run import LabelledLoss, train

EXAMPLES = [
    Example.of([5, 6, 7, 8, 9], [UNLABELLED, 1, UNLABELLED, UNLABELLED, 0]),
    Example.of([11, 12], [UNLABELLED, 1]),
    Example.of([21, 22, 23], [UNLABELLED, 0, 1]),
]


@pytest.mark.parametrize("columns", [(30, 40), None], ids=["two columns", "vocabulary"])
def test_the_loss_is_the_mean_over_labelled_positions(
    tiny_model: Path, columns: tuple[int, int] | None
) -> None:
    model = load_model(str(tiny_model), torch.float32)
    plain = load_model(str(tiny_model), torch.float32)
    losses = []
    for example in EXAMPLES:
        logits = plain(torch.tensor([list(example.ids)], device=model.device)).logits[0]
        for position, label in enumerate(example.labels):
            if label != UNLABELLED:
                scores = logits[position] if columns is None else logits[position, list(columns)]
                losses.append(
                    functional.cross_entropy(scores, torch.tensor(label).to(scores.device))
                )

    batch = {name: values.to(model.device) for name, values in collate(EXAMPLES).items()}
    loss = LabelledLoss(model, columns)(**batch)["loss"]
    torch.testing.assert_close(loss, torch.stack(losses).mean(), atol=1e-6, rtol=1e-5)

    halves = LabelledLoss(model, columns)(**batch, num_items_in_batch=2 * len(losses))["loss"]
    torch.testing.assert_close(halves, loss / 2)


def test_a_loss_in_pieces_is_the_loss(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, gradients = [], []
    vocabulary = load_model(str(tiny_model)).config.vocab_size
    for name, at_once in (("TOKENS_OF_LOGITS", 2), ("LOGITS_AT_ONCE", 3 * vocabulary), (None, 0)):
        if name:
            monkeypatch.setattr(run, name, at_once)
        else:
            monkeypatch.undo()
        model = load_model(str(tiny_model), torch.float32)
        loss = LabelledLoss(model)(**collate(EXAMPLES))["loss"]
        loss.backward()
        losses.append(loss.detach())
        gradients.append(model.get_input_embeddings().weight.grad)
    for loss, gradient in zip(losses[:2], gradients[:2], strict=True):
        torch.testing.assert_close(loss, losses[2])
        torch.testing.assert_close(gradient, gradients[2], atol=1e-6, rtol=1e-4)


def gradients(model: Any) -> torch.Tensor:
    found = [w.grad.ravel() for w in model.parameters() if w.requires_grad]
    model.zero_grad()
    return torch.cat(found)


@pytest.mark.parametrize("columns", [(30, 40), None], ids=["two columns", "vocabulary"])
def test_memory_is_spared_without_another_gradient(
    tiny_model: Path, columns: tuple[int, int] | None
) -> None:
    def adapted() -> Any:
        model = add_adapter(load_model(str(tiny_model), torch.float32), 4, 8, 0.0, seed=42)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.copy_(torch.linspace(-0.3, 0.3, weight.numel()).view_as(weight))
        return model.train()

    plain = adapted()
    n_labelled = sum(label != UNLABELLED for e in EXAMPLES for label in e.labels)
    for example in EXAMPLES:
        logits = plain(torch.tensor([list(example.ids)])).logits[0]
        scores = logits if columns is None else logits[:, list(columns)]
        labels = torch.tensor(list(example.labels))
        loss = functional.cross_entropy(scores, labels, ignore_index=UNLABELLED, reduction="sum")
        (loss / n_labelled).backward()
    expected = gradients(plain)
    assert expected.abs().max() > 1e-3

    for at_once in (3, 1):
        model = adapted()
        run.spare_memory(model)
        learner = LabelledLoss(model, columns).train()
        for start in range(0, len(EXAMPLES), at_once):
            batch = collate(EXAMPLES[start : start + at_once])
            learner(**batch, num_items_in_batch=n_labelled)["loss"].backward()
        torch.testing.assert_close(gradients(model), expected, atol=1e-6, rtol=0)


def test_layers_computed_twice_drop_out_the_same(tiny_model: Path) -> None:
    found = []
    for is_spared in (False, True):
        model = add_adapter(load_model(str(tiny_model), torch.float32), 4, 8, 0.5, seed=42).train()
        if is_spared:
            run.spare_memory(model)
        kept: list[int] = []

        def keep(tensor: torch.Tensor, kept: list[int] = kept) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        torch.manual_seed(7)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = LabelledLoss(model)(**collate(EXAMPLES))["loss"]
        loss.backward()
        found.append((sum(kept), loss.detach(), gradients(model)))
    (kept_whole, loss, gradient), (kept_spared, same_loss, same_gradient) = found
    assert kept_spared < kept_whole / 2
    assert torch.equal(same_loss, loss)
    assert torch.equal(same_gradient, gradient)


def test_what_would_not_fit_is_read_in_parts_and_said(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(activations, "_BUDGET", {"cpu": 1, "cuda": 1})
    with caplog.at_level(logging.INFO):
        trained(tiny_model, tmp_path, EXAMPLES)
    assert "reads 1 examples at once, of 5 tokens at most" in caplog.text
    assert "computing layers twice" in caplog.text


def test_a_batch_is_a_pack_without_padding() -> None:
    batch = collate(EXAMPLES)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9, 11, 12, 21, 22, 23]]
    assert batch["positions"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 0, 1, 2]]
    assert batch["segments"].tolist() == [[0, 5, -1], [5, 7, -1], [7, 10, -1]]
    assert batch["labels"].tolist()[0][3:7] == [UNLABELLED, 0, UNLABELLED, 1]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 9)
)
def test_every_example_comes_once_an_epoch(lengths: list[int], batch_size: int, seed: int) -> None:
    sampler = LengthGrouped(lengths, batch_size, seed)
    first = list(sampler)
    assert sorted(first) == list(range(len(sampler)))
    assert 0 <= len(sampler) - len(lengths) < batch_size
    assert len(sampler) % batch_size == 0
    # What fills up the last batch comes last.
    assert max(first[: len(lengths)]) < len(lengths)
    assert first == list(LengthGrouped(lengths, batch_size, seed))
    sampler.set_epoch(1)
    assert sorted(sampler) == sorted(first)


@pytest.mark.parametrize(("processes", "at_once"), [(1, 4), (2, 4), (4, 1), (8, 1)])
def test_every_step_has_the_same_examples_whatever_the_number_of_processes(
    processes: int, at_once: int
) -> None:
    sampler = LengthGrouped(list(range(1, 22)), 8, seed=1)
    expected = np.array(list(sampler)).reshape(-1, 8)
    shares = [
        list(BatchSamplerShard(BatchSampler(sampler, at_once, False), processes, process))
        for process in range(processes)
    ]
    times = 8 // (processes * at_once)
    for step, batch in enumerate(expected):
        read = [share[step * times : (step + 1) * times] for share in shares]
        assert sorted(np.concatenate(read).ravel()) == sorted(batch)
    assert all(len(share) == len(expected) * times for share in shares)


def trained(
    model_folder: Path, checkpoints: Path, examples: list[Example], **settings: Any
) -> tuple[list[dict[str, Any]], dict[str, torch.Tensor]]:
    """The curve and the trained weights of a run that drops out."""
    model = add_adapter(load_model(str(model_folder), torch.float32), 4, 8, 0.2, seed=42)
    recipe = GenerativeRecipe(**{**RECIPE, **settings})
    curve = train("tiny", model, (30, 40), examples, recipe, checkpoints)
    learned = {n: w.detach() for n, w in model.named_parameters() if w.requires_grad}
    return curve, learned


RECIPE = {
    "epochs": 1,
    "learning_rate": 1e-3,
    "batch_size": len(EXAMPLES),
    "device_batch_size": None,
    "parallelism": Parallelism.DDP,
    "weight_decay": 0.0,
    "warmup": 0.1,
    "seed": 42,
}


@pytest.mark.parametrize("copies", [1, 4])
def test_every_run_learns_something_be_it_one_step_long(
    tiny_model: Path, tmp_path: Path, copies: int
) -> None:
    curve, learned = trained(tiny_model, tmp_path, EXAMPLES * copies)
    assert [point["step"] for point in curve] == list(range(1, copies + 1))
    assert (curve[0]["learning_rate"] == 0) == (copies > 1)
    assert all(w.abs().max() > 0 for name, w in learned.items() if "lora_B" in name)


def test_the_gradient_does_not_depend_on_how_much_is_read_at_once(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = {"batch_size": 4, "warmup": 0.0}
    examples = EXAMPLES * 5
    losses, weights = [], []
    for at_once in (None, 2, 1):
        model = add_adapter(load_model(str(tiny_model), torch.float32), 4, 8, 0.0, seed=42)
        recipe = GenerativeRecipe(**{**RECIPE, **settings, "device_batch_size": at_once})
        curve = train("tiny", model, (30, 40), examples, recipe, tmp_path / str(at_once))
        losses.append([point["loss"] for point in curve])
        weights.append(torch.cat([w.ravel() for w in model.parameters() if w.requires_grad]))
    for other in (1, 2):
        assert losses[other] == pytest.approx(losses[0], abs=1e-4)
        torch.testing.assert_close(weights[other], weights[0], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("cut_short", [False, True])
def test_a_run_goes_on_from_its_last_whole_checkpoint(
    tiny_model: Path, tmp_path: Path, cut_short: bool, caplog: pytest.LogCaptureFixture
) -> None:
    examples = EXAMPLES * 8
    curve, learned = trained(tiny_model, tmp_path / "whole", examples)
    for path in (tmp_path / "whole").glob("checkpoint-*"):
        # As if the run had been killed after its seventh step, maybe while it wrote the checkpoint.
        if path.name == "checkpoint-7":
            shutil.copytree(path, tmp_path / "killed" / path.name)
    if cut_short:
        shutil.copytree(tmp_path / "killed" / "checkpoint-7", tmp_path / "killed" / "checkpoint-8")
        state = tmp_path / "killed" / "checkpoint-8" / "trainer_state.json"
        state.write_text(state.read_text()[:100])
    with caplog.at_level(logging.INFO):
        again, relearned = trained(tiny_model, tmp_path / "killed", examples)
    assert "going on from checkpoint-7" in caplog.text
    assert again == curve
    for name, weights in learned.items():
        assert torch.equal(weights, relearned[name])


def test_batches_are_of_similar_length_and_in_another_order_each_epoch() -> None:
    lengths = np.random.default_rng(0).integers(10, 600, 400).tolist()
    sampler = LengthGrouped(lengths, 8, 42)

    def padded() -> int:
        order = np.array(list(sampler)).reshape(-1, 8)
        return int((np.array(lengths)[order].max(axis=1) * 8).sum())

    first = list(sampler)
    assert padded() < 1.1 * sum(lengths)
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_a_category_without_used_examples_is_still_counted() -> None:
    tally = Tally(used=Counter(law=2), positive=Counter(law=1), too_long=Counter(math=3))
    assert [(row["category"], row["n_used"], row["n_too_long"]) for row in tally.rows("toy")] == [
        ("law", 2, 0),
        ("math", 0, 3),
    ]
