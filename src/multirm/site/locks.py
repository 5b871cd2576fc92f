"""Remove the locks that a killed Snakemake has left behind.

Snakemake records which files a run makes, and refuses another run that makes or needs one of them. The
records do not say whose they are, so after a kill they stay until somebody removes them by hand. Here, each run
also locks a file of its own, which the system unlocks however the process dies.
"""

import atexit
import fcntl
import os
import socket
import sys
from pathlib import Path
from typing import IO


def take_over(state: Path) -> IO[str]:
    """Register a run of Snakemake, and say on stderr if a killed run's locks were removed.

    Returns:
        The file that is locked as long as it is open.
    """
    this_run, is_freed = enter_run(state)
    if is_freed:
        sys.stderr.write(
            "multirm: Snakemake was killed here before; its lock is removed. Jobs that it may have left"
            " running write to files of their own.\n"
        )
    return this_run


def enter_run(state: Path) -> tuple[IO[str], bool]:
    """Register that this process runs Snakemake, and remove the locks of killed runs.

    Locks stay if another run is active, or was started on another machine, where it may still be alive.

    Args:
        state: the folder that Snakemake keeps its locks in, `.snakemake`.

    Returns:
        The file that is locked as long as it is open, and whether locks were removed.
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
        # Not the folder: Snakemake may already have made sure that it exists.
        for lock in locks.iterdir():
            lock.unlink(missing_ok=True)
    if not (locks.is_dir() and any(locks.iterdir())):
        # Without locks no run is active: those on other machines are over, too.
        killed += [file for file in others if not file.name.startswith(f"{host} ")]
    for file in killed:
        file.unlink(missing_ok=True)
    return _hold(runs / f"{host} {os.getpid()}"), is_stale


def is_running(state: Path) -> bool:
    """Whether a run of Snakemake is active: on this machine, or perhaps on another one.

    Args:
        state: the folder that Snakemake keeps its locks in, `.snakemake`.
    """
    try:
        files = list((state / "runs").iterdir())
    except FileNotFoundError:
        return False
    host = socket.gethostname()
    return any(_is_locked(file) or not file.name.startswith(f"{host} ") for file in files)


def _hold(name: Path) -> IO[str]:
    # Locked before it gets its name, so that nobody finds it unlocked.
    unnamed = name.parent.with_name(f".{name.name}")
    handle = unnamed.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        unnamed.rename(name)
    except OSError:
        # A file system without locks: Snakemake's own stay until they are removed by hand.
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
