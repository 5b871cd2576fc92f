"""Checkpoints belong to one training run, are removed when it ends, and are used by one process at a time."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.training.checkpoints import open_checkpoint
from tests.origins import made_of


def test_a_checkpoint_belongs_to_one_run_and_is_removed_at_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    output, given = tmp_path / "adapter", tmp_path / "solutions"
    given.write_text("one")
    with (
        pytest.raises(RuntimeError),
        open_checkpoint(output, made_of({"seed": 1}, [given])) as checkpoint,
    ):
        checkpoint.touch()
        raise RuntimeError
    with (
        pytest.raises(RuntimeError),
        open_checkpoint(output, made_of({"seed": 1}, [given])) as checkpoint,
    ):
        assert checkpoint.is_file()
        raise RuntimeError
    with open_checkpoint(output, made_of({"seed": 2}, [given])) as checkpoint:
        assert not checkpoint.exists()
    assert "starting over" in caplog.text
    assert list(tmp_path.iterdir()) == [given]


def test_a_second_process_training_the_same_model_is_refused(tmp_path: Path) -> None:
    output = tmp_path / "adapter"
    with open_checkpoint(output, made_of({"seed": 1})) as checkpoint:
        checkpoint.touch()
        with (
            pytest.raises(InputError, match="no other process training the same model, found"),
            open_checkpoint(output, made_of({"seed": 2})),
        ):
            pass
        assert checkpoint.is_file()
    with open_checkpoint(output, made_of({"seed": 2})):
        pass
    assert not list(tmp_path.iterdir())


def test_a_killed_run_does_not_block_the_next(tmp_path: Path) -> None:
    output = tmp_path / "adapter"
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from multirm.training.checkpoints import open_checkpoint\n"
        "from tests.origins import made_of\n"
        "with open_checkpoint(Path(sys.argv[1]), made_of()) as checkpoint:\n"
        "    checkpoint.touch()\n"
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
        with pytest.raises(InputError, match="wait for it"), open_checkpoint(output, made_of()):
            pass
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    assert (tmp_path / ".adapter.checkpoints.lock").is_file()
    with open_checkpoint(output, made_of()) as checkpoint:
        assert checkpoint.is_file()
    assert not list(tmp_path.iterdir())
