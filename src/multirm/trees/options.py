"""The options of commands that merge answers to trees."""

from dataclasses import asdict, dataclass
from typing import Any

from cyclopts import Parameter

from multirm.running.numbers import FractionAboveZero
from multirm.text.segments import KeepApart, Segments, Similarity
from multirm.trees.similarity import Likeness


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MergingOptions:
    """How answers become segments, and which segments say the same.

    Attributes:
        segments: where solutions are divided.
        similarity: how alike two segments are.
        threshold: the similarity from which on two segments are merged.
        keep_apart: what two segments must have in common to be merged, however similar they are.
    """

    segments: Segments = Segments.SENTENCE_LINES
    similarity: Similarity = Similarity.RATIO
    threshold: FractionAboveZero = 0.88
    keep_apart: list[KeepApart] | None = None

    @property
    def likeness(self) -> Likeness:
        """Which segments say the same."""
        return Likeness(self.similarity, self.threshold, tuple(sorted(set(self.keep_apart or ()))))

    @property
    def parameters(self) -> dict[str, Any]:
        """The options for a table's provenance."""
        return {**asdict(self), "keep_apart": list(self.likeness.keep_apart)}


MERGING = MergingOptions()
