"""Fine-tuning examples, and counts of the rows that became one."""

import logging
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from typing import Any, Self

from multirm.errors import InputError

logger = logging.getLogger(__name__)

UNLABELLED = -100


@dataclass(frozen=True)
class Example:
    """Token ids, and the label to predict at each of them, or `UNLABELLED`.

    `labels[t]` belongs to the output at position t: for a discriminative model, the index of the right candidate;
    for a generative one, the token `ids[t + 1]`. Arrays of C ints, because lists would take five times the memory
    for millions of examples.
    """

    ids: "array[int]"
    labels: "array[int]"

    @classmethod
    def of(cls, ids: Sequence[int], labels: Sequence[int]) -> Self:
        """Make an example from equally many ids and labels."""
        return cls(array("i", ids), array("i", labels))

    @property
    def n_tokens(self) -> int:
        """Its length."""
        return len(self.ids)

    @property
    def count(self) -> int:
        """Its number of labels, which all have the same weight in the loss."""
        return len(self.labels) - self.labels.count(UNLABELLED)

    def targets(self) -> list[tuple[int, float]]:
        """The labelled positions and their labels."""
        return [(t, label) for t, label in enumerate(self.labels) if label != UNLABELLED]


@dataclass(frozen=True)
class SoftExample:
    """Token ids, and the probability of the second candidate to predict at each of them, or NaN for none."""

    ids: "array[int]"
    values: "array[float]"

    @classmethod
    def of(cls, ids: Sequence[int], values: Mapping[int, float]) -> Self:
        """Make an example from ids, and the values at some of their positions."""
        placed = array("d", [nan]) * len(ids)
        for position, value in values.items():
            placed[position] = value
        return cls(array("i", ids), placed)

    @property
    def n_tokens(self) -> int:
        """Its length."""
        return len(self.ids)

    @property
    def count(self) -> int:
        """Its number of values, which all have the same weight in the loss."""
        return len(self.targets())

    def targets(self) -> list[tuple[int, float]]:
        """The positions with a value, and their values."""
        return [(t, value) for t, value in enumerate(self.values) if not isnan(value)]


@dataclass
class Tally:
    """Counts of rows by category and by what became of them, for the table `EXAMPLES`.

    Attributes:
        used, positive, too_long, unlabelled: as in the table.
        are_pairs: whether an example is a pair, which is neither positive nor negative.
    """

    used: Counter[str] = field(default_factory=Counter)
    positive: Counter[str] = field(default_factory=Counter)
    too_long: Counter[str] = field(default_factory=Counter)
    unlabelled: Counter[str] = field(default_factory=Counter)
    are_pairs: bool = False

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Rows of the table `EXAMPLES` for the model `name`, one per category."""
        categories = sorted({*self.used, *self.too_long, *self.unlabelled})
        return [
            {
                "model": name,
                "category": category,
                "n_used": self.used[category],
                "n_positive": None if self.are_pairs else self.positive[category],
                "n_too_long": self.too_long[category],
                "n_unlabelled": self.unlabelled[category],
            }
            for category in categories
        ]

    def require_examples(self, source: str, max_length: int) -> None:
        """Refuse to train without examples; warn if all of them have the same label; log those left out.

        Raises:
            InputError: there are no examples.
        """
        n_used, n_positive = self.used.total(), self.positive.total()
        if n_used == 0:
            raise InputError(
                source,
                expected="at least one example to train on",
                found=f"{self.too_long.total()} over {max_length} tokens, {self.unlabelled.total()} unlabelled",
                remedy="use more data or a larger max_length",
            )
        if not self.are_pairs and n_positive in (0, n_used):
            logger.warning(
                "%s: all %d examples are %s; the model will learn nothing else",
                source,
                n_used,
                "positive" if n_positive else "negative",
            )
        for category, n in sorted(self.too_long.items()):
            logger.info("%s: left out %d examples over %d tokens", category, n, max_length)
