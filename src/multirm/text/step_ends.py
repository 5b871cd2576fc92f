"""Where a step ends while a policy writes it."""

from collections.abc import Sequence
from enum import StrEnum


class StepEnd(StrEnum):
    """What ends a step."""

    BLANK_LINE = "blank_line"
    """A blank line, as between the steps of solutions."""
    SENTENCE_LINE = "sentence_line"
    """A full stop at the end of a line, as in OpenPRM; it belongs to the step."""

    @property
    def stop(self) -> str:
        """The stop string."""
        return "\n\n" if self is StepEnd.BLANK_LINE else ".\n"

    def joined(self, steps: Sequence[str]) -> str:
        """The text of a solution from its steps."""
        return ("\n\n" if self is StepEnd.BLANK_LINE else "\n").join(steps)
