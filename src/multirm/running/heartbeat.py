"""A line in the log whenever a command has said nothing for a while: that it still runs, and what it is doing."""

import logging
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

logger = logging.getLogger(__name__)

SECONDS_OF_SILENCE = 30

_PACKAGE = "multirm."
# What runs a command is not what the command does.
_OUTER = ("multirm.cli", "multirm.__main__", "multirm.running.arguments", __name__)


class _LastSaid(logging.Handler):
    """Remembers when something was last logged."""

    def __init__(self) -> None:
        super().__init__()
        self.time = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        self.time = time.monotonic()


@contextmanager
def heard(seconds: float = SECONDS_OF_SILENCE) -> Iterator[None]:
    """While the block runs, log what it is doing after each so many seconds without another line."""
    last, ended = _LastSaid(), threading.Event()
    begun, main = last.time, threading.get_ident()

    def watch() -> None:
        while not ended.wait(max(0, last.time + seconds - time.monotonic())):
            if time.monotonic() - last.time < seconds or _has_bar():
                # A bar is progress, too.
                ended.wait(seconds / 10)
                continue
            logger.info("%s", _line(sys._current_frames().get(main), time.monotonic() - begun))

    root = logging.getLogger()
    root.addHandler(last)
    watching = threading.Thread(target=watch, name="heartbeat", daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()
        watching.join()
        root.removeHandler(last)


def _has_bar() -> bool:
    progress = sys.modules.get("tqdm")
    bars = getattr(getattr(progress, "tqdm", None), "_instances", ())
    try:
        return any(not bar.disable for bar in bars)
    except RuntimeError:
        # One has been added meanwhile.
        return True


def _line(frame: FrameType | None, seconds: float) -> str:
    """What a thread is doing, for how long the command has run, and the most memory that it has had."""
    # In kilobytes, as Linux has it.
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    minutes, rest = divmod(int(seconds), 60)
    return (
        f"still running after {minutes}:{rest:02}, in {doing(frame)}, memory up to {memory:.1f} GB"
    )


def doing(frame: FrameType | None) -> str:
    """The function of this package that a frame is in or was called from: `training.examples.encode`."""
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_PACKAGE) and module not in _OUTER:
            return f"{module.removeprefix(_PACKAGE)}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "its start"
