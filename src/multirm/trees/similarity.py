"""When two segments say the same: similar enough texts, with the same numbers and the same option letters."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler, Levenshtein

from multirm.text.segments import KeepApart, Similarity


@dataclass(frozen=True)
class Likeness:
    """Which segments say the same.

    Attributes:
        similarity: how alike two texts are.
        threshold: what it must be at least, in [0, 1].
        keep_apart: what they must have in common besides.
    """

    similarity: Similarity
    threshold: float
    keep_apart: tuple[KeepApart, ...] = ()

    def must_share(self, segment: str) -> tuple[tuple[str, ...], ...]:
        """What a segment that says the same must have, too."""
        return tuple([each.found(segment) for each in self.keep_apart])

    def first_alike(self, segment: str, others: "Texts") -> int | None:
        """The position of the first of `others` that is similar enough to a segment; None if none is."""
        if not others.texts:
            return None
        if self.similarity is Similarity.EXACT:
            return None if segment not in others.texts else others.texts.index(segment)
        measure = _MEASURES[self.similarity]
        for place in self._worth_comparing(segment, others):
            # 0 below the threshold, which is cheaper than the similarity.
            if measure(segment, others.texts[place], self.threshold) >= self.threshold:
                return place
        return None

    def _worth_comparing(self, segment: str, others: "Texts") -> Iterable[int]:
        """Positions of the texts that may be similar enough, in order."""
        if len(others.texts) < _MANY or self.similarity not in _BOUNDED:
            return range(len(others.texts))
        differences, lengths = others.differences(segment)
        # Both measures are 1 - d / size. The number of edits d is at least the number of characters that one text has
        # more of than the other, divided by 2 if a character can be substituted for another.
        if self.similarity is Similarity.RATIO:
            most = (1 - self.threshold) * (lengths + len(segment))
        else:
            most = 2 * (1 - self.threshold) * np.maximum(lengths, len(segment))
        return np.flatnonzero(differences <= most + _ROUNDING).tolist()


class Texts:
    """Texts in the order in which they came, and which characters they have."""

    __slots__ = ("_counts", "_n_counted", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        # For each kind of character and text, how many the text has; filled as far as it was asked for.
        self._counts = _NOTHING
        self._n_counted = 0

    def differences(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """How many characters `text` or one of these texts has more of than the other at least, and their lengths.

        Returns:
            int64 [texts] each. Characters are put into a few kinds: what differs within a kind is not counted.
        """
        n = len(self.texts)
        if n > self._counts.shape[1]:
            self._counts = np.pad(self._counts, ((0, 0), (0, 2 * n - self._counts.shape[1])))
        for place in range(self._n_counted, n):
            self._counts[:, place] = _counted(self.texts[place])
        self._n_counted = n
        counts = self._counts[:, :n]
        return np.abs(counts - _counted(text)[:, None]).sum(0), counts.sum(0)


# From here on, counting characters of all siblings takes less time than comparing the texts.
_MANY = 48
_KINDS = 64
_ROUNDING = 1e-6
_NOTHING = np.zeros((_KINDS, 0), dtype=np.int32)

_MEASURES: dict[Similarity, Callable[[str, str, float], float]] = {
    Similarity.RATIO: lambda a, b, least: fuzz.ratio(a, b, score_cutoff=100 * least) / 100,
    Similarity.LEVENSHTEIN: lambda a, b, least: Levenshtein.normalized_similarity(
        a, b, score_cutoff=least
    ),
    Similarity.JARO_WINKLER: lambda a, b, least: JaroWinkler.similarity(a, b, score_cutoff=least),
    Similarity.TOKEN_SET_RATIO: lambda a, b, least: (
        fuzz.token_set_ratio(a, b, score_cutoff=100 * least) / 100
    ),
}
_BOUNDED = (Similarity.RATIO, Similarity.LEVENSHTEIN)


def _counted(text: str) -> np.ndarray:
    """How many characters of each kind a text has, int64 [kinds]."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return np.bincount(points % _KINDS, minlength=_KINDS)
