"""Examples to train on: what they hold, how they are batched, and what became of the rows they come from."""

import logging
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from multirm.errors import InputError
from multirm.models.packing import pack
from multirm.running.randomness import item_generator

logger = logging.getLogger(__name__)

UNLABELLED = -100
BATCHES_PER_GROUP = 50


@dataclass(frozen=True)
class Example:
    """Token ids, and for each what the network should predict there, or `UNLABELLED`.

    `labels[t]` belongs to the output at position t: for a discriminative model the index of the right
    candidate, for a generative one the token `ids[t + 1]`. Arrays of C ints: lists of millions of examples
    would take five times the memory.
    """

    ids: "array[int]"
    labels: "array[int]"

    @classmethod
    def of(cls, ids: Sequence[int], labels: Sequence[int]) -> Self:
        """From as many ids as labels."""
        return cls(array("i", ids), array("i", labels))


@dataclass
class Tally:
    """What became of the rows of each category, as `tables.EXAMPLES` counts them."""

    used: Counter[str] = field(default_factory=Counter)
    positive: Counter[str] = field(default_factory=Counter)
    too_long: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """One row of `tables.EXAMPLES` per category, for the model `name`."""
        categories = sorted({*self.used, *self.too_long, *self.unlabelled})
        return [
            {
                "model": name,
                "category": category,
                "n_used": self.used[category],
                "n_positive": self.positive[category],
                "n_too_long": self.too_long[category],
                "n_unlabelled": self.unlabelled[category],
            }
            for category in categories
        ]

    def require_examples(self, source: str, max_length: int) -> None:
        """Say where the rows went if none is left; warn if all that are left have one label.

        Raises:
            InputError: nothing to train on.
        """
        n_used, n_positive = self.used.total(), self.positive.total()
        if n_used == 0:
            raise InputError(
                source,
                expected="at least one example to train on",
                found=f"{self.too_long.total()} over {max_length} tokens, {self.unlabelled.total()} unlabelled",
                remedy="give more data, or a greater max_length",
            )
        if n_positive in (0, n_used):
            logger.warning(
                "%s: all %d examples are %s; the model will learn nothing but that",
                source,
                n_used,
                "positive" if n_positive else "negative",
            )
        for category, n in sorted(self.too_long.items()):
            logger.info("%s: left out %d examples over %d tokens", category, n, max_length)


def collate(examples: Sequence[Example]) -> dict[str, Tensor]:
    """A batch as one pack, nothing shared and nothing padded: what `packing.read_pack` takes, and labels.

    Returns:
        input_ids, positions and labels, int64 [1, tokens]; segments, int64 [examples, 3].
    """
    packed = pack([example.ids for example in examples])
    labels = torch.tensor([[label for example in examples for label in example.labels]])
    return {
        "input_ids": packed.input_ids,
        "positions": packed.positions,
        "segments": packed.segments,
        "labels": labels,
    }


def filled_up(examples: Sequence[Example], batch_size: int) -> list[Example]:
    """The examples, and after them as many without a label as the last batch lacks.

    They weigh nothing. Without them, devices that get nothing of the last batch would be given the first
    examples once more.
    """
    return [*examples, *[Example.of([0], [UNLABELLED])] * (-len(examples) % batch_size)]


class LengthGrouped(Sampler[int]):
    """A random order in which the examples of each batch are about equally long: devices that share one are
    done with it at the same time.

    The order depends on the seed and the epoch alone, so it is the same in every process. The last batch
    is filled up with what follows the examples (`filled_up`).
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the data loader before each pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths) + self._lacking

    @property
    def _lacking(self) -> int:
        return -len(self.lengths) % self.batch_size

    def __iter__(self) -> Iterator[int]:
        generator = item_generator(self.seed, "order", self.epoch)
        order = generator.permutation(len(self.lengths))
        group = self.batch_size * BATCHES_PER_GROUP
        sorted_in_groups = [
            members[np.argsort(-self.lengths[members], kind="stable")]
            for members in np.split(order, range(group, len(order), group))
        ]
        order = np.concatenate(sorted_in_groups)
        batches = np.split(order, range(self.batch_size, len(order), self.batch_size))
        # An incomplete batch stays last: data loaders cut a flat order into batches by counting.
        places = [*generator.permutation(len(batches) - 1), len(batches) - 1]
        for place in places:
            yield from batches[place].tolist()
        yield from range(len(self.lengths), len(self))
