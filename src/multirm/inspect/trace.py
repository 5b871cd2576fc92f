"""The provenance of a table, figure or model: what it was made from, and whether that has changed since."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from multirm.errors import InputError, escaped, shown
from multirm.running import provenance
from multirm.running.arguments import entry
from multirm.running.code import code_digest
from multirm.running.files import digest
from multirm.running.metadata import FORMATS, text_in
from multirm.running.provenance import Provenance
from multirm.tables import parquet

WEIGHTS = ".safetensors"

AS_RECORDED = "as recorded"
CHANGED = "changed since"
GONE = "gone"
# Of a file outside the job's working directory, only the name is recorded: it may well exist.
UNPLACED = "place not recorded"
UNREADABLE = "unreadable"

# Inputs with the same name are numbered from the second on (`files.digests`).
_NUMBER = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class Step:
    """A file in a chain of provenance.

    Attributes:
        name: as recorded by the file made from it.
        depth: how many steps back it is.
        state: whether it is still the file that was read: one of the words above; "" for the traced file itself.
        origin: its own provenance, if it has one.
        seen: whether its origin is listed further up.
        problem: why it could not be read, if it could not.
    """

    name: str
    depth: int
    state: str
    origin: Provenance | None = None
    seen: bool = False
    problem: str = ""


@entry
def trace(file: Path, results: Path = Path("results")) -> None:
    """Print what a table, figure or model was made from, and what that was made from, back to the beginning.

    Each file is listed once with its parameters. Every file is read for its digest, and marked "changed since" if it
    is not what was read then, or "gone"; likewise the code that made it. Of files outside the job's working
    directory, names and digests are recorded, but not the place.

    Args:
        file: A table, a figure (svg, pdf, png or html), or a model folder.
        results: The results folder, which is searched for the inputs.
    """
    steps = []
    try:
        for step in way_back(file, results):
            steps.append(step)
            sys.stdout.writelines(f"{line}\n" for line in lines(step))
        sys.stdout.write(f"\n{summary(steps)}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would still flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def way_back(file: Path, results: Path) -> Iterator[Step]:
    """The file and everything it was made from, each before its own inputs.

    Raises:
        InputError: there is no such file, or it has no provenance.
    """
    path = file.parent if file.suffix == WEIGHTS else file
    origin = read_origin(path)
    if origin is None:
        raise InputError(
            file,
            expected="a table, figure or model that multirm wrote",
            found="no provenance",
            remedy="a CSV has none: trace the table beside it" if file.suffix == ".csv" else "",
        )
    yield Step(str(file), 0, "", origin)
    seen = {path.resolve()}
    digest_of = cache(digest)
    # A stack rather than recursion: files written by others may form a chain of any length.
    ahead = _inputs(origin, 1)
    while ahead:
        name, depth, recorded = ahead.pop()
        state, origin, place = AS_RECORDED, None, None
        try:
            place = find_input(name, results)
            if place is None:
                yield Step(name, depth, UNPLACED if _is_bare(name) else GONE)
                continue
            if digest_of(place) != recorded:
                state = CHANGED
            origin = read_origin(place)
        except (InputError, OSError) as error:
            state = state if state == CHANGED else UNREADABLE
            yield Step(name, depth, state, problem=str(error))
            continue
        known = origin is not None and place.resolve() in seen
        yield Step(name, depth, state, origin, known)
        if origin is not None and not known:
            seen.add(place.resolve())
            ahead += _inputs(origin, depth + 1)


def read_origin(path: Path) -> Provenance | None:
    """The provenance of a table, figure or model folder; None if it has none.

    Raises:
        InputError: there is no such file, or it is truncated or was edited by hand.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return provenance.read_from_folder(path)
    if not path.is_file():
        raise InputError(path, expected="a table, figure or model", found="no such file")
    if path.suffix == ".parquet":
        footer = parquet.find_footer(path)
        if footer is None:
            return None
        made = f"table {footer.schema} {footer.schema_version}"
        return Provenance(footer.multirm, footer.code, footer.parameters, footer.inputs, made)
    if path.suffix in FORMATS:
        try:
            text = text_in(path.read_bytes(), path.suffix)
        except ValueError as error:
            raise InputError(
                path, expected="a provenance in multirm's format", found=shown(str(error))
            ) from error
        return None if text is None else provenance.from_text(path, text)
    return None


def find_input(name: str, results: Path) -> Path | None:
    """The current path of a file by its recorded name; None if not found.

    Names start at the parent of the results folder. A name that starts elsewhere, or climbs out, was not recorded by
    multirm and is not looked up.
    """
    for spelling in (name, _NUMBER.sub("", name)):
        parts = PurePosixPath(spelling).parts
        if not parts or "\0" in spelling or spelling.startswith("/") or ".." in parts:
            return None
        path = results.joinpath(*parts[1:])
        if parts[0] != "results":
            path = results.parent.joinpath(*parts)
        if path.is_file() or path.is_dir():
            return path
    return None


def _is_bare(name: str) -> bool:
    """Whether a name has no folder, as `files.portable` records files outside."""
    return PurePosixPath(name).parts == (name,) and not name.startswith(("/", "..", "\0"))


def lines(step: Step) -> list[str]:
    """A step as lines of text, indented by depth; names and values are escaped."""
    margin = "  " * step.depth
    words = f"{margin}{'from ' if step.depth else ''}{escaped(step.name)}"
    if step.origin is not None:
        words += f": {escaped(step.origin.made)}, by multirm {escaped(step.origin.multirm)}"
        words += "".join(f", {mark}" for mark in code_marks(step.origin))
    if step.state not in ("", AS_RECORDED):
        words += f" [{step.state}]"
    if step.problem:
        words += f" ({escaped(step.problem)})"
    if step.origin is None or step.seen:
        return [words + (", as above" if step.seen else "")]
    parameters = ", ".join(
        f"{escaped(name)}={escaped(json.dumps(value, ensure_ascii=False))}"
        for name, value in sorted(step.origin.parameters.items())
    )
    return [words, f"{margin}  with {parameters}"] if parameters else [words]


def code_marks(origin: Provenance) -> list[str]:
    """The modules that made a file, each with the start of its code's digest, and a mark if that has changed."""
    marks = []
    for module, recorded in sorted(origin.code.items()):
        state = _state_of_code(module, recorded)
        mark = "" if state == AS_RECORDED else f" [code {state}]"
        marks.append(f"{escaped(module)} {escaped(recorded[:8])}{mark}")
    return marks


def _state_of_code(module: str, recorded: str) -> str:
    try:
        return AS_RECORDED if code_digest(module) == recorded else CHANGED
    except ValueError:
        return GONE


def summary(steps: list[Step]) -> str:
    """Count the inputs by state."""
    # A file that is named twice counts as changed if it has changed for one of them.
    inputs = sorted(
        (step for step in steps if step.state), key=lambda step: step.state != AS_RECORDED
    )
    states = Counter({step.name: step.state for step in inputs}.values())
    n_files = sum(states.values())
    counts = [
        f"{states[state]} {state}" for state in (AS_RECORDED, CHANGED, GONE, UNPLACED, UNREADABLE)
    ]
    by_other_code = {
        step.name
        for step in steps
        if step.origin
        and any(_state_of_code(*each) != AS_RECORDED for each in step.origin.code.items())
    }
    code = f"; {len(by_other_code)} files by code that differs now" if by_other_code else ""
    return f"{n_files} inputs: {', '.join(one for one in counts if not one.startswith('0 '))}{code}"


def _inputs(origin: Provenance, depth: int) -> list[tuple[str, int, str]]:
    """Names, depths and digests of inputs, last first: a stack."""
    return [(name, depth, found) for name, found in sorted(origin.inputs.items(), reverse=True)]
