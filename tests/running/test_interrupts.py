"""Ctrl-C gives one line and exit code 130, whatever is running."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from multirm.cli import main

MINIATURE = Path(__file__).resolve().parents[2] / "config" / "config.yaml"

PRESSED = """
import os, signal, sys
module, *sys.argv = sys.argv[1:]
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            print("pressed", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press())
{before}
from multirm.__main__ import main
main()
"""


def press_at(module: str, *arguments: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command, and press Ctrl-C when it starts to import a module."""
    script = PRESSED.format(before=before)
    return subprocess.run(
        [sys.executable, "-c", script, module, "multirm", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "module", ["multirm.cli", "cyclopts", "pydantic_core", "pyarrow", "duckdb"]
)
def test_an_interrupted_import_is_one_line(module: str, tmp_path: Path) -> None:
    run = press_at(module, "query", "SELECT 1", "--results", str(tmp_path))
    assert (run.stdout, run.stderr) == ("pressed\n", "multirm: interrupted\n")
    assert run.returncode == 130


def test_a_process_in_the_background_leaves_ctrl_c_to_others() -> None:
    ignored = "signal.signal(signal.SIGINT, signal.SIG_IGN)"
    run = press_at("cyclopts", "--version", before=ignored)
    assert run.stdout.startswith("pressed\n")
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("made_of_it", [None, ImportError, SystemError])
def test_an_interrupted_command_is_one_line_after_cleaning_up(
    made_of_it: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(MINIATURE.read_text())
    tidied = []

    def work(*_: Any) -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            for _ in range(1000):
                pass
        except KeyboardInterrupt as error:
            if made_of_it is None:
                raise
            raise made_of_it("initialization failed") from error
        finally:
            tidied.append(True)

    monkeypatch.setattr("multirm.study.load.missing_sources", work)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(SystemExit) as ended:
        main(["check-study", str(study)])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "multirm: interrupted\n"
    assert tidied == [True]
    assert signal.getsignal(signal.SIGINT) is handler


def test_other_errors_are_not_interrupts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(MINIATURE.read_text())

    def work(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("multirm.study.load.missing_sources", work)
    with pytest.raises(ZeroDivisionError):
        main(["check-study", str(study)])
