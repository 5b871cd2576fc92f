"""Checkpoints belong to one training, go when it is done, and one process at a time works on them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.training.checkpoints import open_checkpoints
from tests.origins import made_of


def test_checkpoints_go_when_all_is_made_and_are_of_one_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output, given = tmp_path / "adapter", tmp_path / "solutions"
    given.write_text("one")
    with (
        pytest.raises(RuntimeError),
        open_checkpoints(output, made_of({"seed": 1}, [given])) as folder,
    ):
        (folder / "checkpoint-1").mkdir()
        raise RuntimeError
    with (
        pytest.raises(RuntimeError),
        open_checkpoints(output, made_of({"seed": 1}, [given])) as folder,
    ):
        assert (folder / "checkpoint-1").is_dir()
        raise RuntimeError
    with open_checkpoints(output, made_of({"seed": 2}, [given])) as folder:
        assert not (folder / "checkpoint-1").exists()
    assert "begun anew" in caplog.text
    assert list(tmp_path.iterdir()) == [given]


def test_two_trainings_of_the_same_are_refused(tmp_path: Path) -> None:
    output = tmp_path / "adapter"
    with open_checkpoints(output, made_of({"seed": 1})) as folder:
        (folder / "checkpoint-1").mkdir()
        with (
            pytest.raises(InputError, match="no other process that trains the same model, found"),
            open_checkpoints(output, made_of({"seed": 2})),
        ):
            pass
        assert (folder / "checkpoint-1").is_dir()
    with open_checkpoints(output, made_of({"seed": 2})):
        pass
    assert not list(tmp_path.iterdir())


def test_a_training_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    output = tmp_path / "adapter"
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from multirm.training.checkpoints import open_checkpoints\n"
        "from tests.origins import made_of\n"
        "with open_checkpoints(Path(sys.argv[1]), made_of()) as folder:\n"
        "    (folder / 'checkpoint-1').mkdir()\n"
        "    sys.stdout.write('at work\\n')\n"
        "    sys.stdout.flush()\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, output],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout and other.stdout.readline() == "at work\n"
        with pytest.raises(InputError, match="wait for it"), open_checkpoints(output, made_of()):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert (tmp_path / ".adapter.checkpoints.lock").is_file()
    with open_checkpoints(output, made_of()) as folder:
        assert (folder / "checkpoint-1").is_dir()
    assert not list(tmp_path.iterdir())
