"""When a long job should say how it gets on, and how fast it is."""

import time

SECONDS_BETWEEN_REPORTS = 10


class Progress:
    """A job of `total` items, from now on."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._started = self._reported = time.monotonic()

    def is_due(self, done: int) -> bool:
        """Whether to say that so many items are done: at the end, and after ten seconds of silence."""
        now = time.monotonic()
        if now - self._reported < SECONDS_BETWEEN_REPORTS and done < self._total:
            return False
        self._reported = now
        return True

    def per_second(self, amount: float) -> float:
        """How much of `amount`, which was done since the start, was done in a second."""
        return amount / max(time.monotonic() - self._started, 1e-9)
