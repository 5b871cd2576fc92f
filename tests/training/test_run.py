"""The loss is the plain one, batches are full and short of padding, and the order is the seed's alone."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from multirm.models import load_model
from multirm.training.examples import UNLABELLED, Example, LengthGrouped, Tally, collate
from multirm.training.lora import add_adapter
from multirm.training.run import LabelledLoss, Recipe, train

EXAMPLES = [
    Example([5, 6, 7, 8, 9], [UNLABELLED, 1, UNLABELLED, UNLABELLED, 0]),
    Example([11, 12], [UNLABELLED, 1]),
    Example([21, 22, 23], [UNLABELLED, 0, 1]),
]


@pytest.mark.parametrize("columns", [(30, 40), None], ids=["two columns", "vocabulary"])
def test_the_loss_is_the_mean_over_labelled_positions(
    tiny_model: Path, columns: tuple[int, int] | None
) -> None:
    model = load_model(str(tiny_model), torch.float32)
    plain = load_model(str(tiny_model), torch.float32)
    losses = []
    for example in EXAMPLES:
        logits = plain(torch.tensor([example.ids], device=model.device)).logits[0]
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
    assert sorted(first) == list(range(len(lengths)))
    assert first == list(LengthGrouped(lengths, batch_size, seed))
    sampler.set_epoch(1)
    assert sorted(sampler) == sorted(first)


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


@pytest.mark.parametrize("copies", [1, 4])
def test_every_run_learns_something_be_it_one_step_long(tiny_model: Path, copies: int) -> None:
    model = add_adapter(load_model(str(tiny_model), torch.float32), 4, 8, 0.0, seed=42)
    recipe = Recipe(1, 1e-3, "linear", len(EXAMPLES), 0.0, 0.1, seed=42)
    curve = train("tiny", model, (30, 40), EXAMPLES * copies, recipe)
    assert [point["step"] for point in curve] == list(range(1, copies + 1))
    assert (curve[0]["learning_rate"] == 0) == (copies > 1)
    learned = [weights for name, weights in model.named_parameters() if "lora_B" in name]
    assert all(weights.abs().max() > 0 for weights in learned)
