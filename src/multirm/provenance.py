"""Where a file came from: what it is, what made it of which parameters, and the digests of what was read.

Tables have this in their footers (`tables.py`), figures in their metadata (`metadata.py`), model folders
in a file of their own among the others.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.files import digests
from multirm.version import VERSION

FILE = "provenance.json"


@dataclass(frozen=True)
class Provenance:
    """Where a file came from.

    Attributes:
        made: what it is, such as `adapter`.
        multirm: version of this package that made it.
        parameters: what made it, apart from the inputs; JSON, with no secret and no path in it.
        inputs: SHA-256 digests by names of files and folders, as `files.portable` has them.
    """

    made: str
    multirm: str
    parameters: dict[str, Any]
    inputs: dict[str, str]


_PROVENANCE = TypeAdapter(Provenance)


def provenance(made: str, parameters: Mapping[str, Any], inputs: Iterable[Path]) -> Provenance:
    """The provenance of what this process makes; reads the inputs for their digests."""
    return Provenance(made, VERSION, dict(parameters), digests(inputs))


def to_text(origin: Provenance) -> str:
    """As JSON, in ASCII, the same for the same."""
    return json.dumps(asdict(origin), sort_keys=True)


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


def write_to_folder(folder: Path, origin: Provenance) -> None:
    """Put the provenance of a model among its files."""
    (folder / FILE).write_text(to_text(origin) + "\n", encoding="ascii")


def read_from_folder(folder: Path) -> Provenance | None:
    """The provenance of a model folder; None where it has none.

    Raises:
        InputError: a file of that name, but not one of ours.
        OSError: it cannot be read.
    """
    path = folder / FILE
    return from_text(path, path.read_bytes()) if path.is_file() else None
