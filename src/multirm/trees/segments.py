"""Divide answers into the segments that become nodes of a tree."""

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
