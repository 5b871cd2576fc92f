"""Where a file came from: what it was made of, by which code and with which parameters.

Tables have this in their footers (`tables.py`), figures in their metadata (`metadata.py`), model folders
in a file of their own among the others. Journals and checkpoints are of no use to a job of another origin.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.files import digest, digests
from multirm.sources import code_digest
from multirm.version import VERSION

FILE = "provenance.json"
MERGED = "merged model"


@dataclass(frozen=True)
class Origin:
    """What a file was made of.

    Attributes:
        multirm: version of this package that made it.
        code: SHA-256 digest, by the name of the module that made it, of the package's files that it uses.
        parameters: what made it, apart from the inputs; JSON, with no secret and no path in it.
        inputs: SHA-256 digests by names of files and folders, as `files.portable` has them.
    """

    multirm: str
    code: dict[str, str]
    parameters: dict[str, Any]
    inputs: dict[str, str]

    def having(self, **parameters: Any) -> Self:
        """The same with more parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


@dataclass(frozen=True)
class Provenance(Origin):
    """Where a figure or model came from.

    Attributes:
        made: what it is, such as `adapter`.
        files: SHA-256 digests of a model's files, by their names.
        base: of an adapter, likewise those of the base that it belongs to; empty for a base on the hub.
    """

    made: str
    files: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)


_PROVENANCE = TypeAdapter(Provenance)


def origin_of(module: str, parameters: Mapping[str, Any], inputs: Iterable[Path]) -> Origin:
    """The origin of what a module of this package makes here; reads the inputs for their digests."""
    return Origin(VERSION, {module: code_digest(module)}, dict(parameters), digests(inputs))


def to_text(
    made: str,
    origin: Origin,
    files: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> str:
    """As JSON, in ASCII, the same for the same."""
    words = {"made": made, **asdict(origin)}
    words |= {name: of for name, of in (("files", files), ("base", base)) if of}
    return json.dumps(words, sort_keys=True)


def from_text(path: Path, text: str | bytes) -> Provenance:
    """What `to_text` wrote.

    Raises:
        InputError: `text`, which stands in `path`, is something else.
    """
    try:
        return _PROVENANCE.validate_json(text)
    except ValidationError as error:
        raise InputError(
            path, expected="a provenance as multirm writes it", found=shown(text)
        ) from error


def write_to_folder(
    folder: Path, made: str, origin: Origin, base: Mapping[str, str] | None = None
) -> None:
    """Put the provenance of a model among its files, when all of them are there.

    Args:
        base: digests of the files of an adapter's base.
    """
    found = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name != FILE]
    files = {file.name: digest(file) for file in found}
    text = to_text(made, origin, files, base)
    (folder / FILE).write_text(text + "\n", encoding="ascii")


def read_from_folder(folder: Path) -> Provenance | None:
    """The provenance of a model folder; None where it has none.

    Raises:
        InputError: a file of that name, but not one of ours.
        OSError: it cannot be read.
    """
    path = folder / FILE
    return from_text(path, path.read_bytes()) if path.is_file() else None


def made_as(folder: Path) -> str | None:
    """What kind of model of ours a folder holds; None where it has no provenance, or somebody else's."""
    try:
        told = read_from_folder(folder)
    except InputError:
        return None
    return None if told is None else told.made


def check_files(folder: Path) -> None:
    """Refuse a model folder whose files are not those that its provenance tells of, if it has one of ours.

    Raises:
        InputError: a bit of one is another, or a file is missing.
    """
    try:
        told = read_from_folder(folder)
    except InputError:
        # Others publish models too, and may have a file of that name.
        if b'"multirm"' in (folder / FILE).read_bytes():
            raise
        return
    for name, recorded in told.files.items() if told else ():
        file = folder / name
        # Names in it may be anybody's: none of them leads out of the folder.
        if file.parent != folder or not file.is_file() or digest(file) != recorded:
            raise InputError(
                file,
                expected=f"the file that was written, of which {FILE} has a digest",
                found="another" if file.is_file() else "none",
                remedy="delete it and make it again",
            )
