"""Statements that are kept beside bytecode."""

import os
import pickle
import sys
from pathlib import Path

import pytest

from multirm.running.statements import Module, read_module


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "pack" / "numbers.py"
    path.parent.mkdir()
    path.write_text("import math\n\nHALF = 0.5\nONE, TWO = 1, 2\n")
    return path


def kept(file: Path) -> list[Path]:
    folder = file.parent / "__pycache__"
    return sorted(folder.iterdir()) if folder.exists() else []


def names(module: Module) -> list[str]:
    return sorted(module.definitions)


def test_the_same_statements_are_read_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = read_module("pack", "numbers", file)
    monkeypatch.setattr("ast.parse", None)
    again = read_module("pack", "numbers", file)
    assert names(again) == names(parsed) == ["HALF", "ONE", "TWO"]
    assert again.imports == parsed.imports
    # One statement defines both.
    assert again.definitions["ONE"][0] is again.definitions["TWO"][0]


def test_another_source_is_parsed(file: Path) -> None:
    read_module("pack", "numbers", file)
    before = file.stat()
    file.write_text(file.read_text().replace("HALF", "MOST"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert names(read_module("pack", "numbers", file)) == ["MOST", "ONE", "TWO"]
    assert len(kept(file)) == 1


@pytest.mark.parametrize("damage", [b"", b"\x80", pickle.dumps("other")])
def test_damage_is_mended(file: Path, damage: bytes) -> None:
    read_module("pack", "numbers", file)
    [path] = kept(file)
    whole = path.read_bytes()
    for left in (damage, whole[:32] + damage[:1], whole[:-1]):
        path.write_bytes(left)
        assert names(read_module("pack", "numbers", file)) == ["HALF", "ONE", "TWO"]
        assert path.read_bytes() == whole


def test_nothing_is_kept_where_no_bytecode_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    read_module("pack", "numbers", file)
    assert kept(file) == []


def test_a_folder_that_cannot_be_made_changes_nothing(file: Path) -> None:
    (file.parent / "__pycache__").write_text("in the way")
    assert names(read_module("pack", "numbers", file)) == ["HALF", "ONE", "TWO"]
