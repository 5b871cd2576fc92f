"""Losses equal plain ones however they are split; gradients, too, when memory is saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from multirm.models.load import load_model
from multirm.models.packing import attend_in_packs
from multirm.training import objectives
from multirm.training.examples import UNLABELLED, Example, SoftExample
from multirm.training.fine_tuning import spare_memory
from multirm.training.lora import add_adapter
from multirm.training.objectives import prediction, soft_prediction

EXAMPLES = [
    Example.of([5, 6, 7, 8, 9], [UNLABELLED, 1, UNLABELLED, UNLABELLED, 0]),
    Example.of([11, 12], [UNLABELLED, 1]),
    Example.of([21, 22, 23], [UNLABELLED, 0, 1]),
]
COLUMNS = pytest.mark.parametrize("columns", [(30, 40), None], ids=["two columns", "vocabulary"])


def plain_loss(model: Any, example: Example, columns: Sequence[int] | None) -> torch.Tensor:
    """The summed loss of one example, from all logits, computed by itself."""
    logits = model(torch.tensor([list(example.ids)])).logits[0]
    scores = logits if columns is None else logits[:, list(columns)]
    labels = torch.tensor(list(example.labels))
    return functional.cross_entropy(scores, labels, ignore_index=UNLABELLED, reduction="sum")


def gradients(model: Any) -> torch.Tensor:
    found = [w.grad.ravel() for w in model.parameters() if w.requires_grad]
    model.zero_grad()
    return torch.cat(found)


def adapted(tiny_model: Path, dropout: float) -> Any:
    """A model with an adapter that changes its output."""
    model = add_adapter(load_model(str(tiny_model), torch.float32), 4, 8, dropout, seed=42)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.linspace(-0.3, 0.3, weight.numel()).view_as(weight))
    return model.train()


def test_the_count_of_an_example_is_its_number_of_labels() -> None:
    assert [example.count for example in EXAMPLES] == [2, 1, 2]
    assert prediction().blank.count == 0


@COLUMNS
def test_a_blank_example_has_no_loss(tiny_model: Path, columns: Sequence[int] | None) -> None:
    model = load_model(str(tiny_model), torch.float32)
    attend_in_packs(model)
    objective = prediction(columns)
    loss = objective.loss(model, [objective.blank])
    loss.backward()
    assert loss == 0
    assert not gradients(model).any()
    both = objective.loss(model, [*EXAMPLES, objective.blank])
    torch.testing.assert_close(both, objective.loss(model, EXAMPLES))


@COLUMNS
def test_saving_memory_does_not_change_the_gradient(
    tiny_model: Path, columns: Sequence[int] | None
) -> None:
    plain = adapted(tiny_model, dropout=0)
    expected_loss = sum(plain_loss(plain, example, columns) for example in EXAMPLES)
    expected_loss.backward()
    expected = gradients(plain)
    assert expected.abs().max() > 1e-3

    for at_once in (3, 1):
        for is_saved in (False, True):
            model = adapted(tiny_model, dropout=0)
            attend_in_packs(model)
            if is_saved:
                spare_memory(model)
            total = 0.0
            for start in range(0, len(EXAMPLES), at_once):
                loss = prediction(columns).loss(model, EXAMPLES[start : start + at_once])
                loss.backward()
                total += loss.item()
            assert total == pytest.approx(expected_loss.item(), abs=1e-5)
            torch.testing.assert_close(gradients(model), expected, atol=1e-5, rtol=0)


def test_a_loss_in_parts_is_the_loss(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses, found = [], []
    vocabulary = load_model(str(tiny_model)).config.vocab_size
    for name, at_once in (("TOKENS_OF_LOGITS", 2), ("LOGITS_AT_ONCE", 3 * vocabulary), (None, 0)):
        if name:
            monkeypatch.setattr(objectives, name, at_once)
        else:
            monkeypatch.undo()
        model = load_model(str(tiny_model), torch.float32)
        attend_in_packs(model)
        loss = prediction().loss(model, EXAMPLES)
        loss.backward()
        losses.append(loss.detach())
        found.append(gradients(model))
    for loss, gradient in zip(losses[:2], found[:2], strict=True):
        torch.testing.assert_close(loss, losses[2])
        torch.testing.assert_close(gradient, found[2], atol=1e-5, rtol=1e-4)


def test_checkpointed_layers_repeat_their_dropout(tiny_model: Path) -> None:
    found = []
    for is_saved in (False, True):
        model = adapted(tiny_model, dropout=0.5)
        attend_in_packs(model)
        if is_saved:
            spare_memory(model)
        kept: list[int] = []

        def keep(tensor: torch.Tensor, kept: list[int] = kept) -> torch.Tensor:
            kept.append(tensor.numel())
            return tensor

        torch.manual_seed(7)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = prediction().loss(model, EXAMPLES)
        loss.backward()
        found.append((sum(kept), loss.detach(), gradients(model)))
    (kept_whole, loss, gradient), (kept_saved, same_loss, same_gradient) = found
    assert kept_saved < kept_whole / 2
    assert torch.equal(same_loss, loss)
    assert torch.equal(same_gradient, gradient)


def test_soft_labels_equal_a_plain_loss(tiny_model: Path) -> None:
    """Of a probability v of the second candidate: v times its loss, and 1 - v times that of the first."""
    model = load_model(str(tiny_model), torch.float32)
    soft = [SoftExample.of([5, 6, 7, 8], {1: 0.3, 3: 1.0}), SoftExample.of([11, 12], {1: 0.0})]
    expected = 0.0
    for example in soft:
        logits = model(torch.tensor([list(example.ids)])).logits[0, :, [30, 40]].log_softmax(-1)
        for t, value in example.targets():
            expected -= (value * logits[t, 1] + (1 - value) * logits[t, 0]).item()
    attend_in_packs(model)
    objective = soft_prediction((30, 40))
    assert objective.loss(model, soft).item() == pytest.approx(expected, abs=1e-5)
    assert [example.count for example in soft] == [2, 1]
    assert objective.blank.count == objective.loss(model, [objective.blank]) == 0
    hard = prediction((30, 40)).loss(model, EXAMPLES)
    same = [SoftExample.of(each.ids, dict(each.targets())) for each in EXAMPLES]
    torch.testing.assert_close(objective.loss(model, same), hard)
