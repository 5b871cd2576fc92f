"""Ctrl-C ends a command in one line: at once while it has begun nothing, else once its files are in order."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

STATUS = 130
"""What shells say of a process that Ctrl-C ended."""


def end_at_once() -> None:
    """Have Ctrl-C end this process without further ado.

    A library that is being imported would make another error of a `KeyboardInterrupt`, or say more of it.
    """
    # Who starts a process in the background lets it ignore Ctrl-C, which is meant for others then.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Meanwhile Ctrl-C raises `KeyboardInterrupt`, so that a command can tidy up."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def is_interrupt(error: BaseException) -> bool:
    """Whether Ctrl-C is behind an error, whatever a library has made of it."""
    reason: BaseException | None = error
    while reason is not None:
        if isinstance(reason, KeyboardInterrupt):
            return True
        reason = reason.__cause__ or reason.__context__
    return False


def _end(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"multirm: interrupted\n")
    os._exit(STATUS)
