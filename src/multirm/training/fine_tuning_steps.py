"""The steps of fine-tuning: batches in an order given by the seed alone, and the recipe's learning rates."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from multirm.running.randomness import item_generator, item_seed
from multirm.training.recipe import Recipe
from multirm.training.steps import E, Step

BATCHES_PER_GROUP = 50
LOGGED_POINTS = 100


def fine_tuning_steps(
    examples: Sequence[E],
    blank: E,
    recipe: Recipe,
    at_once: int,
    process: int = 0,
    n_processes: int = 1,
) -> list[Step[E]]:
    """The steps of one process: its share of every batch. The batches are the same for any number of processes.

    Args:
        examples: at least one.
        blank: an example without loss. It fills up the last batch of an epoch, so that every process has
            something to read.
        at_once: examples per forward pass; a divisor of the process's share of a batch.
        process: number of this process, from 0.
    """
    seed = run_seed(recipe.seed)
    lengths = [example.n_tokens for example in examples]
    per_epoch = math.ceil(len(examples) / recipe.batch_size)
    rates = learning_rates(recipe, math.ceil(recipe.epochs * per_epoch))
    log_every = max(1, len(rates) // LOGGED_POINTS)
    orders = (
        order
        for epoch in range(math.ceil(recipe.epochs))
        for order in shuffled_batches(lengths, recipe.batch_size, seed, epoch)
    )
    steps = []
    for number, (rate, order) in enumerate(zip(rates, orders, strict=False), start=1):
        batch = [examples[index] for index in order]
        filled = batch + [blank] * (recipe.batch_size - len(batch))
        starts = range(process * at_once, recipe.batch_size, n_processes * at_once)
        steps.append(
            Step(
                parts=[filled[start : start + at_once] for start in starts],
                count=sum(example.count for example in batch),
                n_tokens=sum(example.n_tokens for example in batch),
                learning_rate=rate,
                epoch=number / per_epoch,
                is_logged=number % log_every == 0,
            )
        )
    return steps


def run_seed(seed: int) -> int:
    """The 31-bit seed of a training run's order and dropout, derived from the study's seed."""
    return item_seed(seed, "train") % 2**31


def learning_rates(recipe: Recipe, n_steps: int) -> list[float]:
    """The learning rate of each of `n_steps` steps: a linear warm-up from 0, then the recipe's schedule down to 0."""
    # The first step of a warm-up has rate 0, so a run of one step needs to have none.
    warmup = min(math.ceil(recipe.warmup * n_steps), n_steps - 1)

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        if recipe.schedule == "linear":
            return (n_steps - step) / (n_steps - warmup)
        return 0.5 * (1 + math.cos(math.pi * ((step - warmup) / (n_steps - warmup))))

    return [recipe.learning_rate * factor(step) for step in range(n_steps)]


def shuffled_batches(
    lengths: Sequence[int], batch_size: int, seed: int, epoch: int
) -> Iterator[list[int]]:
    """All indices of `lengths` in batches, in a random order that depends on the seed and the epoch alone.

    The examples of a batch have similar lengths, so that devices that share it finish at the same time. An incomplete
    batch comes last.
    """
    generator = item_generator(seed, "order", epoch)
    sizes = np.asarray(lengths)
    order = generator.permutation(len(sizes))
    group = batch_size * BATCHES_PER_GROUP
    sorted_in_groups = [
        members[np.argsort(-sizes[members], kind="stable")]
        for members in np.split(order, range(group, len(order), group))
    ]
    order = np.concatenate(sorted_in_groups)
    batches = np.split(order, range(batch_size, len(order), batch_size))
    for place in [*generator.permutation(len(batches) - 1), len(batches) - 1]:
        yield batches[place].tolist()
