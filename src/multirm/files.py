"""Files that appear whole or not at all, and digests that say which bytes an output was made from."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; rename it to `path` once the block ends without an error.

    The block may make a file or a folder there. An existing folder at `path` is replaced; until the
    rename, and whenever the block fails, what stood at `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if part.is_dir() and path.is_dir():
            shutil.rmtree(path)
        elif part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        if part.is_dir():
            shutil.rmtree(part)
        else:
            part.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes, or of the names and digests of everything in a folder, as 64 hex digits."""
    if path.is_dir():
        listing = "\n".join(
            f"{file.relative_to(path).as_posix()} {digest(file)}"
            for file in sorted(path.rglob("*"))
            if file.is_file()
        )
        return hashlib.sha256(listing.encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def portable(model: str) -> str:
    """A hub name or model folder as it may stand in a footer: never with an absolute path of this machine."""
    return Path(model).name if Path(model).is_absolute() else model
