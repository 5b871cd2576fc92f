"""What a long job has finished so far, on disk: a killed job resumes from there.

A journal lies beside the output as `.NAME.journal`, and is removed once the output is complete. It is an
SQLite database: each addition is atomic, and one process at a time has exclusive access.
"""

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multirm.errors import InputError
from multirm.running.provenance import Origin, to_text

logger = logging.getLogger(__name__)

Item = dict[str, Any]


class Journal:
    """The finished items of a job, by name; values are JSON."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path, self._database = path, database
        rows = database.execute("SELECT name, value FROM items").fetchall()
        self.items: dict[str, Any] = {name: json.loads(value) for name, value in rows}

    def add(self, items: Mapping[str, Any]) -> None:
        """Write items to disk; once this returns, they survive the process.

        Raises:
            InputError: no room on the disk; earlier items are kept.
        """
        rows = [(name, json.dumps(value)) for name, value in items.items()]
        try:
            with self._database:
                self._database.executemany("INSERT INTO items VALUES (?, ?)", rows)
        except sqlite3.OperationalError as error:
            raise _unwritable(self._path, error) from error
        self.items.update(items)

    def close(self) -> None:
        self._database.close()


@contextmanager
def open_journal(output: Path, origin: Origin) -> Iterator[Journal]:
    """Open the journal of the job that makes `output`; it is removed if the block succeeds.

    Args:
        origin: origin of the items. A journal of another origin is emptied.

    Raises:
        InputError: another process has the journal open, or the file is damaged or cannot be written.
    """
    path = output.with_name(f".{output.name}.journal")
    output.parent.mkdir(parents=True, exist_ok=True)
    journal = _open(path, to_text("journal", origin))
    try:
        if journal.items:
            logger.info("%s: resuming, %d already finished", path, len(journal.items))
        yield journal
        path.unlink()
        # SQLite's rollback journal: closing the last connection does not always remove it.
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    finally:
        journal.close()


def _open(path: Path, origin: str) -> Journal:
    try:
        database = sqlite3.connect(path, timeout=0)
    except sqlite3.OperationalError as error:
        raise _unwritable(path, error) from error
    try:
        # The lock is held until the connection is closed or the process dies.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS origin (text TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS items (name TEXT PRIMARY KEY, value TEXT)")
        found = database.execute("SELECT text FROM origin").fetchall()
        if found != [(origin,)]:
            if found:
                logger.warning("%s: made with other inputs, settings or code; starting over", path)
            database.execute("DELETE FROM origin")
            database.execute("DELETE FROM items")
            database.execute("INSERT INTO origin VALUES (?)", (origin,))
        database.commit()
        return Journal(path, database)
    except sqlite3.OperationalError as error:
        database.close()
        if "locked" not in str(error):
            raise _unwritable(path, error) from error
        raise InputError(
            path,
            expected="no other process working on the same table",
            found="one",
            remedy="wait for it, or stop it",
        ) from error
    except sqlite3.DatabaseError as error:
        database.close()
        raise InputError(
            path, expected="a journal", found=str(error), remedy="remove it: the job starts over"
        ) from error


def _unwritable(path: Path, error: sqlite3.OperationalError) -> InputError:
    return InputError(
        path,
        expected="room on the disk, in a writable folder, for finished items",
        found=str(error),
        remedy="free some space or allow writing, and start again: the job resumes",
    )
