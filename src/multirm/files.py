"""Files that appear whole or not at all, and digests that say which bytes an output was made from."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from multirm.errors import InputError


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; rename it to `path` once the block ends without an error.

    The block may make a file or a folder there, whose files get the permissions of any new file. An
    existing folder at `path` is replaced; until the rename, and whenever the block fails, what stood at
    `path` stays as it was. A folder cannot be replaced at one stroke: the old one steps aside, to
    `.NAME.PID.old` beside `path`, and whoever is killed there has both. What processes that were killed
    had written goes when the same output is written next.

    Raises:
        InputError: no room on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_after_the_killed(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        yield part
        _open_to_others(part)
        if part.is_dir() and path.is_dir():
            path.rename(aside)
        elif part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    except Exception as error:
        number = _error_number(error)
        if number not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise InputError(
            path,
            expected="room on the disk",
            found=os.strerror(number),
            remedy="make room, and start the job again",
        ) from error
    finally:
        if aside.is_dir() and not path.exists():
            aside.rename(path)
        for left in (part, aside):
            _remove(left)


def _error_number(error: Exception) -> int | None:
    """What the system says is wrong, also by way of safetensors and tokenizers, whose errors only tell it in words."""
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"\(os error ([0-9]+)\)", str(error))
    return int(found[1]) if found else None


def _clear_after_the_killed(path: Path) -> None:
    """Remove what processes that are no more were about to make `path` from."""
    for left in path.parent.glob(f".{escape(path.name)}.*"):
        # An old folder is the only one while nothing stands in its place.
        found = re.fullmatch(r"([0-9]+)\.(part|part\.mode|old)", left.name[len(path.name) + 2 :])
        if found and not _is_running(int(found[1])) and (found[2] != "old" or path.exists()):
            _remove(left)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _remove(left: Path) -> None:
    if left.is_dir():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before anybody computes what is to be in it.

    Raises:
        InputError: says what is in the way.
    """
    try:
        above = next(path for path in [folder, *folder.absolute().parents] if path.exists())
        if not above.is_dir():
            raise InputError(folder, expected="a folder to write to", found=f"the file {above}")
        with TemporaryDirectory(prefix=".", suffix=".part", dir=above) as trial:
            (Path(trial) / folder.absolute().relative_to(above.absolute())).mkdir(
                parents=True, exist_ok=True
            )
    except OSError as error:
        raise InputError(
            folder, expected="a folder to write to", found=error.strerror or str(error)
        ) from error


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Give a folder inside `folder` to write to; move its files into `folder` once the block ends without an error.

    Files of the same name are replaced, others stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", suffix=".part", dir=folder) as part:
        yield Path(part)
        for file in sorted(Path(part).iterdir()):
            file.replace(folder / file.name)


def _open_to_others(part: Path) -> None:
    """Give the files at `part` the permissions of a new file; safetensors makes its own for the owner alone."""
    probe = part.with_name(f"{part.name}.mode")
    probe.touch()
    mode = probe.stat().st_mode
    probe.unlink()
    for file in [part, *part.rglob("*")]:
        if file.is_file():
            file.chmod(mode & 0o777)


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


def digests(inputs: Iterable[Path]) -> dict[str, str]:
    """The inputs by their portable names; those that come to the same name are numbered from the second on."""
    found: dict[str, str] = {}
    for file in inputs:
        name, number = portable(file), 1
        while (numbered := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[numbered] = digest(file)
    return found


def portable(place: str | Path) -> str:
    """A hub name, file or folder as it may stand in a footer: from the working directory, or the name alone.

    What lies elsewhere is told by its digest; the way to it would say where this machine keeps things.
    """
    here = Path.cwd()
    # Links are left as they are: results may well lie elsewhere and be linked to from here.
    path = Path(os.path.normpath(here / place))
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def local(places: Iterable[str]) -> list[Path]:
    """Those of some files, folders and hub names that are on this machine, and can be digested."""
    return [Path(place) for place in places if Path(place).exists()]
