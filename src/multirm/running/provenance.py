"""Where a file came from: what it was made of, by which code and with which parameters.

Tables have this in their footers (`tables.parquet`), figures in their metadata (`running.metadata`), model folders
in a file of their own among the others. Journals and checkpoints are of no use to a job of another origin.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, shown
from multirm.running.code import code_digest
from multirm.running.files import digest, digests, whole
from multirm.version import VERSION

FILE = "provenance.json"
# What folders of models are.
ADAPTER = "adapter"
BACKBONE = "backbone"
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


@contextmanager
def whole_model(
    folder: Path, made: str, origin: Origin, base: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Give a folder to write a model's files to; it becomes `folder`, with its provenance, as `whole` does.

    Args:
        made: what it is; a folder at its place is replaced if that is one of ours, too.
        base: digests of the files of an adapter's base.

    Raises:
        InputError: another folder is there, or no room on the disk.
    """
    check_replaceable(folder, made)
    with whole(folder) as part:
        part.mkdir()
        yield part
        write_to_folder(part, made, origin, base)


def check_replaceable(folder: Path, made: str) -> None:
    """Refuse to replace a folder, unless it is empty or one of ours of the same kind with nothing else in it.

    Raises:
        InputError: says what it is.
    """
    if not folder.is_dir():
        return
    found = _in_the_way(folder, made)
    if found:
        raise InputError(
            folder,
            expected=f"a folder of ours to replace ({made}), an empty one or none",
            found=found,
            remedy="move it away, or write to another",
        )


_OF_MODELS = frozenset(
    [
        *("adapter_config.json", "adapter_model.safetensors", "added_tokens.json"),
        *("chat_template.jinja", "config.json", "generation_config.json", "merges.txt"),
        *("model.safetensors", "README.md", "special_tokens_map.json", "tokenizer.json"),
        *("tokenizer_config.json", "vocab.json"),
    ]
)


def _in_the_way(folder: Path, made: str) -> str:
    here, place = Path.cwd().resolve(), folder.resolve()
    if here.is_relative_to(place):
        return "the working directory, or one that it is in"
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    if not files:
        return ""
    try:
        told = read_from_folder(folder)
    except InputError:
        told = None
    if told is None:
        return f"{len(files)} files of others, such as {files[0].relative_to(folder)}"
    if told.made != made:
        return f"one of ours of another kind ({told.made})"
    # Models of earlier versions do not say which files are theirs.
    known = {*(told.files or _OF_MODELS), FILE}
    strange = [name for file in files if (name := file.relative_to(folder).as_posix()) not in known]
    return f"files of others in it, such as {strange[0]}" if strange else ""


def write_to_folder(
    folder: Path, made: str, origin: Origin, base: Mapping[str, str] | None = None
) -> None:
    """Put the provenance of a model among its files, when all of them are there.

    Args:
        base: digests of the files of an adapter's base.
    """
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != FILE]
    files = {file.relative_to(folder).as_posix(): digest(file) for file in found}
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
        leads_out = ".." in Path(name).parts or Path(name).is_absolute()
        if leads_out or not file.is_file() or digest(file) != recorded:
            raise InputError(
                file,
                expected=f"the file that was written, of which {FILE} has a digest",
                found="another" if file.is_file() else "none",
                remedy="delete it and make it again",
            )
