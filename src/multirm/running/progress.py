"""Progress of a long job: a bar in a terminal, a line every ten seconds in a log."""

import logging
import sys
import time
from types import TracebackType
from typing import Self

from tqdm import tqdm

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10


class Progress:
    """Progress through `total` items, timed from its creation.

    Args:
        done: what is done to an item, such as "scored".
        items: what the items are, such as "solutions".
    """

    def __init__(self, done: str, items: str, total: int) -> None:
        self._done, self._items, self._total = done, items, total
        self._n = self._tokens = 0
        self._started = self._reported = time.monotonic()
        # Without a terminal the bar is disabled.
        self._bar = tqdm(
            total=total, desc=done, unit=f" {items}", disable=not sys.stderr.isatty(), leave=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._bar.close()

    def add(self, items: int, tokens: int = 0) -> None:
        """Count finished items, and the tokens read or written for them, if tokens are counted."""
        if not items:
            return
        self._n += items
        self._tokens += tokens
        now = time.monotonic()
        seconds = max(now - self._started, 1e-9)
        if self._tokens:
            self._bar.set_postfix_str(_tokens_per_second(self._tokens / seconds), refresh=False)
        self._bar.update(items)
        ended = self._n >= self._total
        if ended or (self._bar.disable and now - self._reported >= SECONDS_BETWEEN_LINES):
            self._reported = now
            logger.info("%s", self._line(seconds))

    def _line(self, seconds: float) -> str:
        parts = [f"{self._done} {self._n:,} of {self._total:,} {self._items}"]
        rate = self._n / seconds
        parts.append(f"{rate:,.1f}/s" if rate >= 1 else f"{1 / rate:,.1f} s each")
        if self._tokens:
            parts.append(_tokens_per_second(self._tokens / seconds))
        if 0 < self._n < self._total:
            left = (self._total - self._n) * seconds / self._n
            parts.append(f"{tqdm.format_interval(left)} left")
        return ", ".join(parts)


def _tokens_per_second(rate: float) -> str:
    return f"{rate:,.0f} tokens/s" if rate >= 10 else f"{rate:.2g} tokens/s"
