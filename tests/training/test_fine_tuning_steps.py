"""Steps have the same examples for any number of processes, in the recipe's order and at its learning rates."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import get_scheduler

from multirm.training.discriminative import DiscriminativeRecipe
from multirm.training.fine_tuning_steps import fine_tuning_steps, learning_rates, shuffled_batches
from multirm.training.generative import GenerativeRecipe
from multirm.training.recipe import Recipe


@dataclass(frozen=True)
class Numbered:
    """An example that is only a number."""

    number: int
    n_tokens: int
    count: float


BLANK = Numbered(-1, 1, 0)


def numbered(n: int) -> list[Numbered]:
    return [Numbered(k, 1 + 7 * k % 11, 1 + k % 3) for k in range(n)]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=300), st.integers(1, 9), st.integers(0, 9)
)
def test_every_example_comes_once_per_epoch(lengths: list[int], batch_size: int, seed: int) -> None:
    batches = list(shuffled_batches(lengths, batch_size, seed, epoch=0))
    assert sorted(k for batch in batches for k in batch) == list(range(len(lengths)))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert batches == list(shuffled_batches(lengths, batch_size, seed, epoch=0))


def test_batches_are_of_similar_length_and_in_another_order_each_epoch() -> None:
    lengths = np.random.default_rng(0).integers(10, 600, 400).tolist()
    first, second = (list(shuffled_batches(lengths, 8, 42, epoch)) for epoch in (0, 1))
    padded = (np.array(lengths)[np.array(first)].max(axis=1) * 8).sum()
    assert padded < 1.1 * sum(lengths)
    assert first != second


@pytest.mark.parametrize(("n_processes", "at_once"), [(1, 4), (2, 4), (4, 1), (8, 1)])
def test_processes_share_the_batches_of_one(n_processes: int, at_once: int) -> None:
    examples, recipe = numbered(21), GenerativeRecipe(batch_size=8, epochs=2)
    alone = fine_tuning_steps(examples, BLANK, recipe, 8)
    shares = [
        fine_tuning_steps(examples, BLANK, recipe, at_once, process, n_processes)
        for process in range(n_processes)
    ]
    for whole, *parts in zip(alone, *shares, strict=True):
        (batch,) = whole.parts
        read = [example for share in parts for part in share.parts for example in part]
        assert sorted(e.number for e in read) == sorted(e.number for e in batch)
        assert whole.count == sum(example.count for example in batch)
        for share in parts:
            assert len(share.parts) * n_processes * at_once == 8
            assert replace(share, parts=whole.parts) == whole


def test_the_last_batch_is_filled_up_with_blanks() -> None:
    steps = fine_tuning_steps(numbered(5), BLANK, GenerativeRecipe(batch_size=4), 4)
    assert [sum(e is BLANK for e in step.parts[0]) for step in steps] == [0, 3]
    assert [step.epoch for step in steps] == [0.5, 1]
    assert sum(step.n_tokens for step in steps) == sum(e.n_tokens for e in numbered(5))


@pytest.mark.parametrize(("epochs", "n_steps"), [(0.1, 1), (0.5, 3), (1, 5), (2.5, 13)])
def test_epochs_may_be_fractions(epochs: float, n_steps: int) -> None:
    steps = fine_tuning_steps(numbered(20), BLANK, GenerativeRecipe(epochs=epochs, batch_size=4), 4)
    assert len(steps) == n_steps
    assert steps[-1].epoch == n_steps / 5


def test_a_curve_has_a_hundred_points_and_more() -> None:
    steps = fine_tuning_steps(numbered(250), BLANK, GenerativeRecipe(batch_size=1), 1)
    assert [number for number, step in enumerate(steps, 1) if step.is_logged] == list(
        range(2, 251, 2)
    )


@pytest.mark.parametrize("kind", [DiscriminativeRecipe, GenerativeRecipe])
@pytest.mark.parametrize(("n_steps", "warmup"), [(40, 4), (7, 1), (3, 1)])
def test_rates_are_those_of_transformers_schedules(
    kind: type[Recipe], n_steps: int, warmup: int
) -> None:
    recipe: Any = kind(learning_rate=3e-4)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=3e-4)
    schedule = get_scheduler(recipe.schedule, optimizer, warmup, n_steps)
    expected = []
    for _ in range(n_steps):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert learning_rates(recipe, n_steps) == pytest.approx(expected, rel=1e-12)


def test_one_step_is_taken_at_the_full_rate() -> None:
    assert learning_rates(GenerativeRecipe(learning_rate=0.5), 1) == [0.5]
