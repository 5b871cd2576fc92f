"""Snakemake's locks are removed if and only if the runs that held them are known to be dead."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from multirm.site.locks import enter_run

HELD = """
import time
from pathlib import Path
from multirm.site.locks import enter_run
run = enter_run(Path({!r}))
print(run[1], flush=True)
time.sleep(600)
"""


def begin(state: Path) -> subprocess.Popen[str]:
    """A process that holds a run's lock, as one that runs Snakemake."""
    command = [sys.executable, "-c", HELD.format(str(state))]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "False\n"
    return process


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Snakemake's own folder, with a lock in it."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.output.lock").touch()
    return tmp_path


def end(process: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(how)
    process.communicate()


def is_freed(state: Path) -> bool:
    """Whether a run that starts and ends now removes the lock."""
    handle, is_stale = enter_run(state)
    handle.close()
    for file in (state / "runs").iterdir():
        file.unlink()
    assert is_stale == (not any((state / "locks").iterdir()))
    return is_stale


def test_the_lock_of_a_killed_run_is_removed(state: Path) -> None:
    end(begin(state))
    assert is_freed(state)


def test_the_lock_of_an_active_run_is_kept(state: Path) -> None:
    killed, going = begin(state), begin(state)
    try:
        end(killed)
        assert not is_freed(state)
    finally:
        end(going)


def test_a_lock_of_unknown_origin_is_kept(state: Path) -> None:
    assert not is_freed(state)


def test_a_run_on_another_machine_may_be_alive(state: Path) -> None:
    end(begin(state))
    (state / "runs" / "another-machine 1").touch()
    assert not is_freed(state)


def test_runs_on_other_machines_are_over_if_nothing_is_locked(state: Path) -> None:
    (state / "runs").mkdir()
    (state / "runs" / "another-machine 1").touch()
    (state / "locks" / "0.output.lock").unlink()
    enter_run(state)[0].close()
    assert not (state / "runs" / "another-machine 1").exists()


def test_a_finished_run_leaves_nothing(state: Path) -> None:
    process = begin(state)
    assert len(list((state / "runs").iterdir())) == 1
    end(process, signal.SIGINT)
    assert list((state / "runs").iterdir()) == []
