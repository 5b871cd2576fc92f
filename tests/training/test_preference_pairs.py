"""The Bradley-Terry loss and its gradients against transformers' classifier on each text by itself."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from multirm.models.packing import attend_in_packs
from multirm.models.training_method import Method
from multirm.training.classifiers import starting_classifier
from multirm.training.pairwise import PairwiseRecipe
from multirm.training.preference_pairs import PairExample, bradley_terry

# The first pair shares a long beginning, the second only its question, the third one nothing.
START = list(range(5, 60))
PAIRS = [
    PairExample.of([*START, 61, 62, 63], [*START, 71, 72], weight=1.0, margin=0.5),
    PairExample.of([*START[:40], 91, 92], [*START[:40], 81, 82, 83, 84], weight=0.5),
    PairExample.of([7, 8, 9], [11, 12], weight=2.0, margin=1.0),
]


def classifier(tiny_model: Path, method: Method) -> Any:
    model = starting_classifier(str(tiny_model), PairwiseRecipe(rank=4, alpha=8), method)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.linspace(-0.3, 0.3, weight.numel()).view_as(weight))
    return model.train()


def plain_loss(model: Any, pairs: list[PairExample], centring: float) -> Tensor:
    losses = []
    for pair in pairs:
        texts = [torch.tensor([list(text)]) for text in (pair.chosen, pair.rejected)]
        chosen, rejected = (model(text).logits[0, 0] for text in texts)
        loss = -torch.log(torch.sigmoid(chosen - rejected - pair.margin))
        losses.append(pair.weight * (loss + centring * (chosen + rejected) ** 2))
    return torch.stack(losses).sum()


def gradients(model: Any) -> dict[str, Tensor]:
    found = {name: w.grad.clone() for name, w in model.named_parameters() if w.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("centring", [0.0, 0.01])
def test_against_each_text_by_itself(tiny_model: Path, method: Method, centring: float) -> None:
    model = classifier(tiny_model, method)
    expected = plain_loss(model, PAIRS, centring)
    expected.backward()
    plain = gradients(model)
    assert any("score" in name for name in plain)
    attend_in_packs(model)
    loss = bradley_terry(centring).loss(model, PAIRS)
    loss.backward()
    shared = gradients(model)
    torch.testing.assert_close(loss, expected, atol=1e-5, rtol=0)
    assert shared.keys() == plain.keys()
    largest = max(gradient.abs().max().item() for gradient in plain.values())
    assert largest > 1e-2
    for name, gradient in plain.items():
        torch.testing.assert_close(shared[name], gradient, atol=1e-5, rtol=1e-4)


def test_a_blank_pair_has_no_loss(tiny_model: Path) -> None:
    model = classifier(tiny_model, Method.FULL)
    attend_in_packs(model)
    objective = bradley_terry(0.01)
    assert objective.blank.count == 0
    assert objective.loss(model, [objective.blank]) == 0
    both = objective.loss(model, [*PAIRS, objective.blank])
    torch.testing.assert_close(both, objective.loss(model, PAIRS))


def test_equal_texts_have_the_loss_of_a_coin(tiny_model: Path) -> None:
    model = classifier(tiny_model, Method.FULL)
    attend_in_packs(model)
    same = PairExample.of([5, 6], [5, 6])
    assert bradley_terry().loss(model, [same]).item() == pytest.approx(math.log(2))


def test_the_size_of_a_pair() -> None:
    assert [pair.n_tokens for pair in PAIRS] == [115, 86, 5]
    assert [pair.count for pair in PAIRS] == [1.0, 0.5, 2.0]
