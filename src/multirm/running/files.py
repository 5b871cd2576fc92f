"""Atomic writes of files and folders, checks of output paths, and digests of inputs."""

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

# In bytes. The temporary name beside a file is longer than its own.
LONGEST_NAME = 255 - len("..4194304.part.mode")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Write atomically: yield a temporary path beside `path`, and rename it to `path` if the block succeeds.

    The block may make a file or a folder; its files get the permissions of any new file. Until the rename,
    and if the block fails, `path` keeps what it had. A folder cannot be replaced in one operation: the old
    one is first renamed to `.NAME.PID.old` beside `path`, and a process killed at that moment leaves both.
    Leftovers of killed processes are removed when the same output is written next.

    Raises:
        InputError: no room on the disk, or a folder in place of a file (or the reverse).
    """
    with whole_together([path]) as (part,):
        yield part


@contextmanager
def whole_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """As `whole`, for several paths: all of them are replaced, or none if anything fails.

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
    """Yield a temporary folder inside `folder`, and move its files into `folder` if the block succeeds.

    Files of the same name are replaced; other files stay.

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
    """Report a full disk in one line, whichever library ran into it.

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
            remedy="free some space, and start the job again",
        ) from error


def _put_in_place(made: Sequence[tuple[Path, Path]]) -> None:
    """Rename finished parts into place; if a rename fails, restore what was there before."""
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
            # A new folder would block the old one from being restored.
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
    """The system's error number, parsed from the message where safetensors and tokenizers give it only there."""
    if isinstance(error, OSError):
        return error.errno
    # PyTorch reports only that it could not write a checkpoint.
    if isinstance(error, RuntimeError) and "inline_container" in str(error):
        return errno.ENOSPC
    found = re.search(r"\(os error ([0-9]+)\)", str(error))
    return int(found[1]) if found else None


def _clear_after_the_killed(path: Path) -> None:
    """Remove temporary files that processes which are no longer running left for `path`."""
    for left in path.parent.glob(f".{escape(path.name)}.*"):
        # If `path` is missing, the old folder is the only copy.
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
    """Refuse a path at which no file can be written, before its content is computed.

    Raises:
        InputError: says why not.
    """
    with _told_of(path, "a file to write"):
        if path.exists() and not path.is_file():
            found = "a folder" if path.is_dir() else "something other than a file"
            raise InputError(path, expected="a file to write", found=found)
        _try_out(path.parent.resolve(), _beside(path, "part.mode").name)


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be made or written to, before its content is computed.

    Raises:
        InputError: says why not.
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
    """Write and remove a trial file; missing folders are tried out as temporary ones in the nearest existing folder."""
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
    """Give the files at `part` the permissions of a new file; safetensors makes its files owner-only."""
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
    """Digests of the inputs by their portable names; a repeated name is numbered from its second use on."""
    found: dict[str, str] = {}
    for file in inputs:
        name, number = portable(file), 1
        while (numbered := name if number == 1 else f"{name} ({number})") in found:
            number += 1
        found[numbered] = digest(file)
    return found


def portable(place: str | Path) -> str:
    """A hub name, file or folder for a footer: relative to the working directory, or its last part alone.

    A path outside it would reveal how this machine is laid out; the digest identifies the content.
    """
    here = Path.cwd()
    # Links are not resolved: results may be a link to somewhere else.
    path = Path(os.path.normpath(here / place))
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name


def local(places: Iterable[str]) -> list[Path]:
    """The places that exist on this machine, and so can be digested; hub names are left out."""
    return [Path(place) for place in places if Path(place).exists()]
