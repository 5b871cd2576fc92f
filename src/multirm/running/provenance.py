"""Provenance of outputs: the inputs they were made from, the code and the parameters.

Tables carry it in their footers (`tables.parquet`), figures in their metadata (`running.metadata`), and model folders
in a file of their own. A journal or checkpoint is resumed only by a job of the same origin.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from multirm.errors import InputError, one_of, shown
from multirm.running.code import code_digest
from multirm.running.files import digest, digests, whole
from multirm.version import VERSION

FILE = "provenance.json"
# Kinds of model folders.
ADAPTER = "adapter"
BACKBONE = "backbone"
MERGED = "merged model"
TUNED = "fine-tuned model"
CLASSIFIER = "token classifier"


@dataclass(frozen=True)
class Origin:
    """What a file was made from.

    Attributes:
        multirm: version of this package that made it.
        code: SHA-256 digest of the code that made it (`code.code_digest`), by the name of its module.
        parameters: settings that it was made with, as JSON without secrets or paths.
        inputs: SHA-256 digests of input files and folders, by their names as given by `files.portable`.
    """

    multirm: str
    code: dict[str, str]
    parameters: dict[str, Any]
    inputs: dict[str, str]

    def having(self, **parameters: Any) -> Self:
        """The same origin with more parameters."""
        return replace(self, parameters={**self.parameters, **parameters})


@dataclass(frozen=True)
class Provenance(Origin):
    """The provenance of a figure or model.

    Attributes:
        made: what it is, such as `adapter`.
        files: SHA-256 digests of a model's files, by name.
        base: SHA-256 digests of the files of an adapter's base model; empty for a base on the hub.
    """

    made: str
    files: dict[str, str] = field(default_factory=dict)
    base: dict[str, str] = field(default_factory=dict)


_PROVENANCE = TypeAdapter(Provenance)


def origin_of(module: str, parameters: Mapping[str, Any], inputs: Iterable[Path]) -> Origin:
    """The origin of an output that a module of this package makes; reads the inputs to digest them."""
    return Origin(VERSION, {module: code_digest(module)}, dict(parameters), digests(inputs))


def to_text(
    made: str,
    origin: Origin,
    files: Mapping[str, str] | None = None,
    base: Mapping[str, str] | None = None,
) -> str:
    """A provenance as deterministic JSON in ASCII."""
    fields = {"made": made, **asdict(origin)}
    fields |= {name: of for name, of in (("files", files), ("base", base)) if of}
    return json.dumps(fields, sort_keys=True)


def from_text(path: Path, text: str | bytes) -> Provenance:
    """Parse what `to_text` wrote.

    Raises:
        InputError: `text`, found in `path`, is something else.
    """
    try:
        return _PROVENANCE.validate_json(text)
    except ValidationError as error:
        raise InputError(
            path, expected="a provenance in multirm's format", found=shown(text)
        ) from error


@contextmanager
def whole_model(
    folder: Path, made: str, origin: Origin, base: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Write a model folder atomically, as `whole` does, and add its provenance.

    Args:
        made: its kind; an existing folder is replaced only if multirm made it and it is of the same kind.
        base: digests of the files of an adapter's base.

    Raises:
        InputError: another folder is there, or no room on the disk.
    """
    check_replaceable(folder, made)
    with whole(folder) as part:
        part.mkdir()
        yield part
        write_to_folder(part, made, origin, base)


def check_replaceable(folder: Path, *made: str) -> None:
    """Refuse to replace a folder, unless it is empty, or a model of the same kind made by multirm and nothing else.

    Args:
        made: the kind, or several that it may be of.

    Raises:
        InputError: says what is in it.
    """
    if not folder.is_dir():
        return
    found = _in_the_way(folder, made)
    if found:
        raise InputError(
            folder,
            expected=f"to replace a folder made by multirm ({one_of(made)}), an empty one or none",
            found=found,
            remedy="move it away, or write to another folder",
        )


_MODEL_FILES = frozenset(
    [
        *("adapter_config.json", "adapter_model.safetensors", "added_tokens.json"),
        *("chat_template.jinja", "config.json", "generation_config.json", "merges.txt"),
        *("model.safetensors", "README.md", "special_tokens_map.json", "tokenizer.json"),
        *("tokenizer_config.json", "vocab.json"),
    ]
)


def _in_the_way(folder: Path, made: Sequence[str]) -> str:
    here, place = Path.cwd().resolve(), folder.resolve()
    if here.is_relative_to(place):
        return "the working directory or one of its parents"
    files = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    if not files:
        return ""
    try:
        provenance = read_from_folder(folder)
    except InputError:
        provenance = None
    if provenance is None:
        return f"{len(files)} other files, such as {files[0].relative_to(folder)}"
    if provenance.made not in made:
        return f"one of another kind ({provenance.made})"
    # Models of earlier versions do not list their files.
    known = {*(provenance.files or _MODEL_FILES), FILE}
    strange = [name for file in files if (name := file.relative_to(folder).as_posix()) not in known]
    return f"other files in it, such as {strange[0]}" if strange else ""


def write_to_folder(
    folder: Path, made: str, origin: Origin, base: Mapping[str, str] | None = None
) -> None:
    """Add the provenance of a model to its folder, once all its files are there.

    Args:
        base: digests of the files of an adapter's base.
    """
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != FILE]
    files = {file.relative_to(folder).as_posix(): digest(file) for file in found}
    text = to_text(made, origin, files, base)
    (folder / FILE).write_text(text + "\n", encoding="ascii")


def read_from_folder(folder: Path) -> Provenance | None:
    """The provenance of a model folder; None if it has none.

    Raises:
        InputError: the file is not in multirm's format.
        OSError: it cannot be read.
    """
    path = folder / FILE
    return from_text(path, path.read_bytes()) if path.is_file() else None


def made_as(folder: Path) -> str | None:
    """The kind of model that multirm made in a folder; None if it has no provenance of multirm's."""
    try:
        provenance = read_from_folder(folder)
    except InputError:
        return None
    return None if provenance is None else provenance.made


def check_files(folder: Path) -> None:
    """Refuse a model folder whose files differ from the digests in its provenance, if multirm made it.

    Raises:
        InputError: a file has changed or is missing.
    """
    try:
        provenance = read_from_folder(folder)
    except InputError:
        # Models from elsewhere may have a file of the same name.
        if b'"multirm"' in (folder / FILE).read_bytes():
            raise
        return
    for name, recorded in provenance.files.items() if provenance else ():
        file = folder / name
        # The names are untrusted: none may lead out of the folder.
        leads_out = ".." in Path(name).parts or Path(name).is_absolute()
        if leads_out or not file.is_file() or digest(file) != recorded:
            raise InputError(
                file,
                expected=f"the file whose digest is in {FILE}",
                found="another" if file.is_file() else "none",
                remedy="delete it and make it again",
            )
