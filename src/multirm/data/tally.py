"""Count what readers leave out of a source, or change in it: per category and reason, with the first place of each."""

import logging
from collections import defaultdict

logger = logging.getLogger(__name__)


class Tally:
    """Counts of rows, solutions or steps that a reader left out or changed, for the log and the table's footer."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], str] = {}
        self._counts: defaultdict[tuple[str, str], int] = defaultdict(int)

    def add(self, category: str, reason: str, where: str, n: int = 1) -> None:
        """Count `n` things in the source at `where`; `reason` is plural, such as "empty steps left out"."""
        if n:
            self._counts[category, reason] += n
            self._first.setdefault((category, reason), where)

    def of(self, category: str) -> dict[str, int]:
        """The counts of a category by reason, in order of first appearance."""
        return {reason: n for (name, reason), n in self._counts.items() if name == category}

    def warn(self, category: str) -> None:
        """Log the counts of a category."""
        for reason, n in self.of(category).items():
            logger.warning("%s: %d, the first at %s", reason, n, self._first[category, reason])
