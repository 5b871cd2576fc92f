"""A journal survives its process, and belongs to one job and one process at a time."""

import multiprocessing
import os
import resource
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from multirm.errors import InputError
from multirm.running.journal import open_journal
from multirm.running.provenance import Origin
from tests.origins import made_of


@pytest.fixture
def output(tmp_path: Path) -> Path:
    (tmp_path / "solutions").write_text("one")
    return tmp_path / "made" / "rewards.parquet"


def settings(output: Path, **parameters: object) -> tuple[Path, Origin]:
    return output, made_of({"batch_tokens": 4, **parameters}, [output.parents[1] / "solutions"])


def files(output: Path) -> list[str]:
    return sorted(file.name for file in output.parent.iterdir())


def interrupted(output: Path, items: dict[str, object]) -> None:
    """A job that fails after adding some items."""
    with pytest.raises(RuntimeError), open_journal(*settings(output)) as journal:
        journal.add(items)
        raise RuntimeError


def test_items_survive_a_job_that_fails_and_are_removed_by_one_that_succeeds(output: Path) -> None:
    interrupted(output, {"1": [0.1, None], "2": [1 / 3]})
    assert files(output) == [".rewards.parquet.journal"]
    with open_journal(*settings(output)) as journal:
        assert journal.items == {"1": [0.1, None], "2": [1 / 3]}
        journal.add({"3": []})
        assert journal.items["3"] == []
    assert files(output) == []


def add_and_wait(output: Path, added: "multiprocessing.synchronize.Event") -> None:
    with open_journal(*settings(output)) as journal:
        journal.add({"1": "kept"})
        added.set()
        signal.pause()


def test_a_second_process_is_refused_and_the_items_of_a_killed_one_are_kept(output: Path) -> None:
    context = multiprocessing.get_context("fork")
    added = context.Event()
    first = context.Process(target=add_and_wait, args=(output, added))
    first.start()
    assert added.wait(30)
    with (
        pytest.raises(InputError, match="no other process working on the same table, found one"),
        open_journal(*settings(output)),
    ):
        pass
    os.kill(first.pid or 0, signal.SIGKILL)
    first.join()
    with open_journal(*settings(output)) as journal:
        assert journal.items == {"1": "kept"}


@pytest.mark.parametrize("change", ["settings", "inputs", "code"])
def test_a_journal_of_another_job_starts_over(
    output: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    interrupted(output, {"1": 1})
    if change == "inputs":
        (output.parents[1] / "solutions").write_text("two")
    path, origin = settings(output, **({"seed": 1} if change == "settings" else {}))
    if change == "code":
        origin = replace(origin, code=dict.fromkeys(origin.code, "0" * 64))
    with open_journal(path, origin) as journal:
        assert journal.items == {}
    assert "made with other inputs, settings or code" in caplog.text


def test_another_file_is_refused(output: Path) -> None:
    output.parent.mkdir()
    path = output.parent / ".rewards.parquet.journal"
    path.write_text("not a database, " * 100)
    with (
        pytest.raises(InputError, match="expected a journal, found file is not a database"),
        open_journal(*settings(output)),
    ):
        pass
    assert path.exists()


def test_a_damaged_journal_is_refused(output: Path) -> None:
    interrupted(output, {str(k): "kept" * 100 for k in range(100)})
    path = output.parent / ".rewards.parquet.journal"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(b"damage" * 1000)
    with (
        pytest.raises(InputError, match=r"expected a journal, found .*malformed; remove it"),
        open_journal(*settings(output)),
    ):
        pass


def test_a_full_disk_keeps_earlier_items(output: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with (
            pytest.raises(
                InputError,
                match="expected room on the disk, in a writable folder, for finished items, found",
            ),
            open_journal(*settings(output)) as journal,
        ):
            journal.add({"1": "small"})
            journal.add({"2": "large" * 20_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with open_journal(*settings(output)) as journal:
        assert journal.items == {"1": "small"}
        journal.add({"2": "large" * 20_000})


def test_items_are_added_atomically(output: Path) -> None:
    with open_journal(*settings(output)) as journal:
        journal.add({"2": 2})
        with pytest.raises(sqlite3.IntegrityError):
            journal.add({"1": 1, "2": 2})
        assert journal.items == {"2": 2}
