"""Files and folders are written atomically."""

import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from multirm.errors import InputError
from multirm.running.files import (
    check_folder,
    digest,
    local,
    portable,
    room_for,
    whole,
    whole_files,
    whole_together,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole(path) as part:
        part.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with (
            pytest.raises(
                InputError, match="table: expected room on the disk, found File too large"
            ),
            whole(path) as part,
        ):
            part.write_text("new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table"]


def test_a_full_disk_while_writing_weights_is_reported_the_same_way(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with (
            pytest.raises(InputError, match="model: expected room on the disk, found File too la"),
            whole(tmp_path / "model") as part,
        ):
            part.mkdir()
            save_file({"x": torch.zeros(1000)}, part / "model.safetensors")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == []


def test_a_file_is_replaced_and_a_missing_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table"
    for text in ("old", "new"):
        with whole(path) as part:
            part.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert names(path.parent) == ["table"]


def test_files_appear_together_and_leave_others_alone(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    with pytest.raises(RuntimeError), whole_files(tmp_path) as part:
        (part / "a").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["other"]
    for text in ("old", "new"):
        with whole_files(tmp_path) as part:
            (part / "a").write_text(text)
    assert names(tmp_path) == ["a", "other"]
    assert (tmp_path / "a").read_text() == "new"


def test_several_files_are_replaced_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / name for name in ("a", "b", "new")]
    order = [paths[2], *paths[:2]]
    for path in paths[:2]:
        path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match="room on the disk"), whole_together(paths) as parts:
            parts[0].write_text("new")
            parts[1].write_text("new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.read_text() for path in paths[:2]] == ["old", "old"]
    assert names(tmp_path) == ["a", "b"]

    replace = Path.replace

    def fails_for_b(self: Path, target: Path) -> Path:
        if target.name == "b":
            raise PermissionError
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", fails_for_b)
    with pytest.raises(PermissionError), whole_together(order) as parts:
        for part in parts:
            part.write_text("new")
    assert [path.read_text() for path in paths[:2]] == ["old", "old"]
    assert names(tmp_path) == ["a", "b"]
    monkeypatch.undo()
    with whole_together(paths) as parts:
        for part in parts:
            part.write_text("new")
    assert [path.read_text() for path in paths] == ["new"] * 3
    assert names(tmp_path) == ["a", "b", "new"]


def test_a_file_does_not_replace_a_folder_or_a_folder_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with (
        pytest.raises(InputError, match="file: expected a folder to replace, or none, found a f"),
        whole(tmp_path / "file") as part,
    ):
        part.mkdir()
    with (
        pytest.raises(InputError, match="folder: expected a file to replace, or none, found a fo"),
        whole(tmp_path / "folder") as part,
    ):
        part.touch()
    assert names(tmp_path) == ["file", "folder"]


def test_a_full_disk_while_writing_a_checkpoint_is_reported_the_same_way(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match="room on the disk"), room_for(tmp_path):
            torch.save(torch.zeros(10**5), tmp_path / "checkpoint")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with pytest.raises(RuntimeError, match="a bug"), room_for(tmp_path):
        raise RuntimeError("a bug")


def test_files_left_by_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".files.4194305.part").mkdir()
    with whole_files(tmp_path) as part:
        (part / "a").touch()
    assert names(tmp_path) == ["a"]


def test_a_link_to_a_folder_is_replaced_and_the_folder_kept(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "old").touch()
    (tmp_path / "link").symlink_to("real")
    with whole(tmp_path / "link") as part:
        part.mkdir()
        (part / "new").touch()
    assert names(tmp_path / "link") == ["new"]
    assert names(tmp_path / "real") == ["old"]
    assert names(tmp_path) == ["link", "real"]


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


def test_a_folder_is_never_lost_between_two_renames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").touch()

    def killed(self: Path, target: Path) -> None:
        kept = [file.name for folder in tmp_path.iterdir() for file in folder.iterdir()]
        assert sorted(kept) == ["new", "old"]
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt), whole(path) as part:
        part.mkdir()
        (part / "new").touch()
    assert names(path) == ["old"]
    assert names(tmp_path) == ["model"]


def test_leftovers_of_killed_processes_are_removed_and_those_of_running_ones_kept(
    tmp_path: Path,
) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    (tmp_path / f".model.{killed.pid}.part").mkdir()
    (tmp_path / f".model.{killed.pid}.part" / "half").touch()
    (tmp_path / f".model.{killed.pid}.part.mode").touch()
    (tmp_path / f".model.{killed.pid}.old").mkdir()
    others = [f".model.{os.getppid()}.part", f".model.2.{killed.pid}.part", ".model.journal"]
    for name in others:
        (tmp_path / name).touch()
    for left in ({f".model.{killed.pid}.old"}, set()):
        with whole(tmp_path / "model") as part:
            assert {*names(tmp_path)} - {"model"} == {*others} | left
            part.mkdir()
    assert names(tmp_path) == sorted([*others, "model"])


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_files_have_the_permissions_of_new_files(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        with whole(tmp_path / "model") as part:
            (part / "deep").mkdir(parents=True)
            save_file({"x": torch.zeros(1)}, part / "deep" / "weights.safetensors")
        with whole(tmp_path / "weights.safetensors") as part:
            save_file({"x": torch.zeros(1)}, part)
    finally:
        os.umask(before)
    for file in (tmp_path / "model" / "deep", tmp_path):
        assert (file / "weights.safetensors").stat().st_mode & 0o777 == 0o666 & ~mask
    assert names(tmp_path) == ["model", "weights.safetensors"]


def test_digests_follow_bytes_and_names(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "x").write_bytes(b"1")
    assert digest(tmp_path / "a" / "deep" / "x") == hashlib.sha256(b"1").hexdigest()
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    (tmp_path / "b" / "deep" / "x").rename(tmp_path / "b" / "deep" / "y")
    assert digest(tmp_path / "a") != digest(tmp_path / "b")


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("results/backbone", "results/backbone"),
        ("results/backbone/", "results/backbone"),
        ("org/model-8B", "org/model-8B"),
        ("/home/someone/models/tiny", "tiny"),
        ("../models/tiny", "tiny"),
        ("results/../../tiny", "tiny"),
        (Path.cwd() / "results" / "backbone", "results/backbone"),
    ],
)
def test_no_path_of_this_machine_reaches_a_footer(place: str | Path, name: str) -> None:
    assert portable(place) == name


def test_local_places_are_those_that_exist(tmp_path: Path) -> None:
    assert local([str(tmp_path), "org/model-8B", "nowhere"]) == [tmp_path]


def test_checking_an_output_folder_leaves_no_trace(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new" / "below"):
        check_folder(folder)
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["file", "file/below", "file/below/that", "x" * 300])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder to write to, found "):
        check_folder(tmp_path / name)
    assert names(tmp_path) == ["file"]


def test_a_relative_folder_starts_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    check_folder(Path("results/mine"))
    Path("file").write_text("")
    with pytest.raises(InputError, match="file/x: expected a folder to write to, found the file"):
        check_folder(Path("file/x"))
