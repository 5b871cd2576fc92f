"""The segments of answers that become nodes of a tree, and ways to tell whether two of them say the same."""

import re
from collections.abc import Sequence
from enum import StrEnum

# The blank line between a solution's steps.
_BETWEEN_STEPS = "\n\n"


class Segments(StrEnum):
    """Where a solution is divided."""

    SENTENCE_LINES = "sentence_lines"
    """After each full stop at the end of a line, as in OpenPRM."""
    LINES = "lines"
    """At the end of each line."""
    STEPS = "steps"
    """Between its steps."""

    def of(self, steps: Sequence[str]) -> list[str]:
        """The segments of a solution's steps, without white space around them; empty ones are dropped."""
        if self is Segments.STEPS:
            parts = list(steps)
        else:
            end = r"(?<=\.)\n" if self is Segments.SENTENCE_LINES else r"\n"
            parts = re.split(end, _BETWEEN_STEPS.join(steps))
        return [part.strip() for part in parts if part.strip()]


class Similarity(StrEnum):
    """A similarity of two texts, from 0 to 1 for equal ones."""

    RATIO = "ratio"
    """Twice the length of the longest common subsequence, divided by the sum of the lengths."""
    LEVENSHTEIN = "levenshtein"
    """1 minus the edit distance divided by the longer length."""
    JARO_WINKLER = "jaro_winkler"
    TOKEN_SET_RATIO = "token_set_ratio"
    """The ratio of the sets of words."""
    EXACT = "exact"
    """1 for equal texts, else 0."""


class KeepApart(StrEnum):
    """What two segments must have in common, however similar they are."""

    NUMBERS = "numbers"
    """The same numbers in the same order."""
    OPTIONS = "options"
    """The same option letters in the same order: `(A)`, or a capital letter on its own before a stop or at the end."""

    def found(self, segment: str) -> tuple[str, ...]:
        """What of this kind a segment has, in order."""
        if self is KeepApart.NUMBERS:
            return tuple(_NUMBER.findall(segment))
        return tuple([bracketed or bare for bracketed, bare in _OPTION.findall(segment)])


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPTION = re.compile(r"\(([A-Z])\)|\b([A-Z])(?=\s*(?:[.,;:)]|$))")
