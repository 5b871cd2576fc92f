"""Files and folders appear whole or not at all."""

import hashlib
from pathlib import Path

import pytest

from multirm.files import digest, portable, whole


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table"]


def test_a_file_replaces_a_file_in_a_folder_that_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table"
    for text in ("old", "new"):
        with whole(path) as part:
            part.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(path.parent) == ["table"]


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with whole(path) as part:
            part.mkdir()
            (part / name).write_text(name)
    assert names(path) == ["new"]
    with pytest.raises(RuntimeError), whole(path) as part:
        part.mkdir()
        (part / "half").write_text("half")
        raise RuntimeError
    assert names(path) == ["new"]
    assert names(tmp_path) == ["model"]


def test_digests_follow_bytes_and_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "x").write_bytes(b"1")
    assert digest(tmp_path / "a" / "deep" / "x") == hashlib.sha256(b"1").hexdigest()
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    (tmp_path / "b" / "deep" / "x").rename(tmp_path / "b" / "deep" / "y")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


def test_no_path_of_this_machine_reaches_a_footer() -> None:
    assert portable("results/backbone") == "results/backbone"
    assert portable("org/model-8B") == "org/model-8B"
    assert portable("/home/someone/models/tiny") == "tiny"
