"""Examples to fine-tune on, and how many rows of each category became one."""

import logging
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from multirm.errors import InputError

logger = logging.getLogger(__name__)

UNLABELLED = -100


@dataclass(frozen=True)
class Example:
    """Token ids, and what the network should predict at each of them, or `UNLABELLED`.

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

    @property
    def n_tokens(self) -> int:
        """Its length."""
        return len(self.ids)

    @property
    def count(self) -> int:
        """The number of its labels: each counts the same in the loss."""
        return len(self.labels) - self.labels.count(UNLABELLED)


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
