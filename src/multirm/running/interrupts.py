"""Ctrl-C ends a command with one line: at once before it has begun, else after it has cleaned up its files."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STATUS = 130
"""The exit status of a process ended by Ctrl-C, as shells report it."""


def end_at_once() -> None:
    """Make Ctrl-C end this process immediately.

    During an import, a library might turn `KeyboardInterrupt` into another error, or print a traceback.
    """
    # A shell makes background processes ignore Ctrl-C, which is then meant for others.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Make Ctrl-C raise `KeyboardInterrupt` in the block, so that a command can clean up."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_interrupt(error: BaseException) -> bool:
    """Whether an error was caused by Ctrl-C, even if a library has wrapped it."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, KeyboardInterrupt):
            return True
        reason = reason.__cause__ or reason.__context__
    return False


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"multirm: interrupted\n")
    os._exit(STATUS)
