"""Vocabularies and weights for tests: what is missing is named, with what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pretrained import pretrained

ROOT = Path(__file__).resolve().parents[1]


def test_make_says_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in (
        "pyproject.toml",
        "envs/constraints.txt",
        ".venv/installed",
        "tests/pretrained.py",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    make = str(shutil.which("make"))
    run = subprocess.run(
        [make, "pretrained"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert run.stderr.startswith("expected npm, which fetches vocabularies for tests, found none;")
    assert "apt-get install npm" in run.stderr
    assert not (tmp_path / ".venv" / "pretrained").exists()


def test_missing_files_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    # Begun and interrupted.
    (tmp_path / "pretrained" / "qwen3").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"expected .*qwen3; run `make pretrained`"):
        pretrained("qwen3")
