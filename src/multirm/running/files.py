"""Files that appear whole or not at all, and digests that say which bytes an output was made from."""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from multirm.errors import InputError

# Of bytes in a name; what is written beside a file until it is whole has a longer one.
LONGEST_NAME = 255 - len("..4194304.part.mode")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; rename it to `path` once the block ends without an error.

    The block may make a file or a folder there, whose files get the permissions of any new file. An
    existing folder at `path` is replaced by a folder; until the rename, and whenever the block fails, what
    stood at `path` stays as it was. A folder cannot be replaced at one stroke: the old one steps aside, to
    `.NAME.PID.old` beside `path`, and whoever is killed there has both. What processes that were killed
    had written goes when the same output is written next.

    Raises:
        InputError: no room on the disk, or a folder where a file must be.
    """
    with whole_together([path]) as (part,):
        yield part


@contextmanager
def whole_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As `whole`, for several paths: all of them are replaced, or none of them if anything fails before.

    Raises:
        InputError: as `whole`.
    """
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_after_the_killed(path)
    parts = [_beside(path, "part") for path in paths]
    try:
        with room_for(paths[0]):
            yield parts
            for part in parts:
                _open_to_others(part)
            _put_in_place(list(zip(parts, paths, strict=True)))
    finally:
        for part in parts:
            _remove(part)


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Give a folder inside `folder` to write to; move its files into `folder` once the block ends without an error.

    Files of the same name are replaced, others stay.

    Raises:
        InputError: as `whole`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inner = folder / "files"
    _clear_after_the_killed(inner)
    part = _beside(inner, "part")
    part.mkdir()
    try:
        with room_for(folder):
            yield part
            _put_in_place([(file, folder / file.name) for file in sorted(part.iterdir())])
    finally:
        _remove(part)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Tell of a full disk in one line, whichever library found it so.

    Raises:
        InputError: no room on the disk that `path` is on.
    """
    try:
        yield
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


def _put_in_place(made: Sequence[tuple[Path, Path]]) -> None:
    """Rename what was made; should one of the renames fail, what stood there before stands there again."""
    for part, path in made:
        if path.is_dir() is not part.is_dir() and path.exists():
            expected, found = ("file", "folder") if path.is_dir() else ("folder", "file")
            raise InputError(path, expected=f"a {expected} to replace, or none", found=f"a {found}")
        if part.is_file():
            with part.open("rb") as file:
                os.fsync(file.fileno())
    new = {path for _, path in made if not path.exists()}
    begun: list[Path] = []
    try:
        for part, path in made:
            begun.append(path)
            if path.is_dir():
                path.rename(_beside(path, "old"))
            elif len(made) > 1 and path.is_file():
                with suppress(OSError):
                    os.link(path, _beside(path, "old"))
            part.replace(path)
    except BaseException:
        for path in begun:
            old = _beside(path, "old")
            # A new folder in the place of an old one would be in the way.
            if path in new or (old.exists() and path.is_dir()):
                _remove(path)
            if old.exists():
                old.rename(path)
        raise
    finally:
        for path in begun:
            if path.exists():
                _remove(_beside(path, "old"))


def _beside(path: Path, what: str) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.{what}")


def _error_number(error: Exception) -> int | None:
    """What the system says is wrong, also by way of safetensors and tokenizers, whose errors only tell it in words."""
    if isinstance(error, OSError):
        return error.errno
    # PyTorch only says that it could not write all of a checkpoint.
    if isinstance(error, RuntimeError) and "inline_container" in str(error):
        return errno.ENOSPC
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
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left)
    else:
        left.unlink(missing_ok=True)


def check_file(path: Path) -> None:
    """Refuse a path at which no file can be written, before anybody computes what is to be in it.

    Raises:
        InputError: says what is in the way.
    """
    with _told_of(path, "a file to write"):
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "something else than a file"
            raise InputError(path, expected="a file to write", found=found)
        _try_out(path.parent.resolve(), _beside(path, "part.mode").name)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before anybody computes what is to be in it.

    Raises:
        InputError: says what is in the way.
    """
    with _told_of(folder, "a folder to write to"):
        place = folder.resolve()
        if not place.exists():
            _try_out(place.parent, _beside(place, "part.mode").name)
        _try_out(place, _beside(place / "files", "part").name)


@contextmanager
def _told_of(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        found = getattr(error, "strerror", None) or str(error)
        raise InputError(path, expected=expected, found=found) from error


def _try_out(folder: Path, name: str) -> None:
    """Write a file of a name, and take it away; folders that are not there are made beside where they would be."""
    above = next(path for path in [folder, *folder.parents] if path.exists())
    if not above.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"the file {above}")
    if above == folder:
        (folder / name).touch()
        (folder / name).unlink(missing_ok=True)
        return
    with TemporaryDirectory(prefix=".", suffix=".part", dir=above) as trial:
        inner = Path(trial) / folder.relative_to(above)
        inner.mkdir(parents=True)
        (inner / name).touch()


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
