"""The lock on a folder of results that a killed Snakemake has left behind.

Snakemake notes which files a run makes, and refuses another run that makes or needs one of them. The
notes do not say whose they are, so that after a kill they stand until somebody takes them away by hand.
Here each run also holds a file of its own, which the system unlocks when the process dies, however.
"""

import atexit
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO


def take_over(state: Path) -> IO[str]:
    """Enter a run of Snakemake, and say on stderr if a killed run's locks were taken away for it.

    Returns:
        The file that is locked for as long as it is open.
    """
    this_run, is_freed = enter_run(state)
    if is_freed:
        sys.stderr.write(
            "multirm: Snakemake was killed here before; its lock is taken away. Jobs that it may have left"
            " at work keep what they make to themselves.\n"
        )
    return this_run


def enter_run(state: Path) -> tuple[IO[str], bool]:
    """Note that this process runs Snakemake, and take away the locks of runs that were killed.

    Locks stay where another run is at work, and where one was begun on another machine: whether that is
    still alive cannot be known from here.

    Args:
        state: the folder that Snakemake keeps its locks in, `.snakemake`.

    Returns:
        The file that is locked for as long as it is open, and whether locks were taken away.
    """
    runs = state.absolute() / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    killed: list[Path] = []
    others: list[Path] = []
    for file in runs.iterdir():
        is_dead = file.name.startswith(f"{host} ") and not _is_locked(file)
        (killed if is_dead else others).append(file)
    locks = state / "locks"
    is_stale = bool(killed) and not others and locks.is_dir() and any(locks.iterdir())
    if is_stale:
        # Not the folder: Snakemake may have seen to it already that there is one.
        for lock in locks.iterdir():
            lock.unlink(missing_ok=True)
    if not (locks.is_dir() and any(locks.iterdir())):
        # Nobody has begun anything: those on other machines are over, too.
        killed += [file for file in others if not file.name.startswith(f"{host} ")]
    for file in killed:
        file.unlink(missing_ok=True)
    return _hold(runs / f"{host} {os.getpid()}"), is_stale


def _hold(name: Path) -> IO[str]:
    # Locked before it bears its name, so that nobody finds it unlocked.
    unnamed = name.parent.with_name(f".{name.name}")
    handle = unnamed.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        unnamed.rename(name)
    except OSError:
        # A file system without locks: Snakemake's own stay until they are taken away by hand.
        unnamed.unlink()
    atexit.register(name.unlink, missing_ok=True)
    return handle


def _is_locked(file: Path) -> bool:
    try:
        with file.open() as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
