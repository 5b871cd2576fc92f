"""What a long job has finished so far, on disk: a job that is killed goes on from there.

A journal lies beside the output that is being made, as `.NAME.journal`, and goes when the output stands.
It is a database of SQLite, which holds what was added whole or not at all whenever the job dies, and
which one process at a time has to itself.
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
    """The finished items of a job, by their names. Values are what JSON can hold."""

    def __init__(self, path: Path, database: sqlite3.Connection) -> None:
        self._path, self._database = path, database
        rows = database.execute("SELECT name, value FROM items").fetchall()
        self.items: dict[str, Any] = {name: json.loads(value) for name, value in rows}

    def add(self, items: Mapping[str, Any]) -> None:
        """Write items down; once this returns they outlive the process.

        Raises:
            InputError: no room on the disk; what was added before stays.
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
    """The journal of the job that makes `output`; it goes when the block ends without an error.

    Args:
        origin: of the items. A journal of another one is begun anew.

    Raises:
        InputError: another process has the journal open, or the file is damaged or cannot be written.
    """
    path = output.with_name(f".{output.name}.journal")
    output.parent.mkdir(parents=True, exist_ok=True)
    journal = _open(path, to_text("journal", origin))
    try:
        if journal.items:
            logger.info("%s: %d finished before, going on", path, len(journal.items))
        yield journal
        path.unlink()
        # What SQLite keeps beside it to undo half a change: it does not always go with the last connection.
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    finally:
        journal.close()


def _open(path: Path, origin: str) -> Journal:
    try:
        database = sqlite3.connect(path, timeout=0)
    except sqlite3.OperationalError as error:
        raise _unwritable(path, error) from error
    try:
        # The lock stays until the connection is closed, or its process has died.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS origin (text TEXT)")
        database.execute("CREATE TABLE IF NOT EXISTS items (name TEXT PRIMARY KEY, value TEXT)")
        found = database.execute("SELECT text FROM origin").fetchall()
        if found != [(origin,)]:
            if found:
                logger.warning("%s: of other inputs, settings or code, begun anew", path)
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
            expected="no other process at work on the same table",
            found="one that is",
            remedy="wait for it, or stop it",
        ) from error
    except sqlite3.DatabaseError as error:
        database.close()
        raise InputError(
            path, expected="a journal", found=str(error), remedy="remove it: the job begins anew"
        ) from error


def _unwritable(path: Path, error: sqlite3.OperationalError) -> InputError:
    return InputError(
        path,
        expected="room to write down what is finished",
        found=str(error),
        remedy="make room, in a folder that may be written to, and start again: the job goes on where it was",
    )
