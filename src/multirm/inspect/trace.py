"""The way back from a number: what a table, figure or model was made of, and whether that is still so."""

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
# Of a file outside of the folder that a job ran in, the name alone is recorded: it may well be there still.
UNPLACED = "place not recorded"
UNREADABLE = "unreadable"

# From the second on, inputs that come to the same name are numbered (`files.digests`).
_NUMBER = re.compile(r" \(\d+\)$")


@dataclass(frozen=True)
class Step:
    """A file on the way back.

    Attributes:
        name: as it was recorded by what was made from it.
        depth: how many steps back it is.
        state: whether it is what was read then: one of the words above; "" for the file asked about.
        origin: where it came from itself, where it says so.
        seen: whether that stands further up already.
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
    """Print what a table, figure or model was made of, and what that was made of, back to the beginning.

    Each file stands once with its parameters; every file is read for its digest, and said to be "changed
    since" where it is not what was read then, or "gone"; likewise the code that made it. Of files outside
    of the folder that a job ran in, names and digests are recorded, but not the place.

    Args:
        file: A table, a figure (svg, pdf, png or html), or the folder of a model.
        results: Where the results lie, among which the inputs are looked for.
    """
    steps = []
    try:
        for step in way_back(file, results):
            steps.append(step)
            sys.stdout.writelines(f"{line}\n" for line in lines(step))
        sys.stdout.write(f"\n{summary(steps)}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads, such as `head`, has enough; Python would still try to write the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def way_back(file: Path, results: Path) -> Iterator[Step]:
    """The file and all that it was made of, each before what it was made of itself.

    Raises:
        InputError: no such file, or one that does not say what it was made of.
    """
    path = file.parent if file.suffix == WEIGHTS else file
    origin = read_origin(path)
    if origin is None:
        raise InputError(
            file,
            expected="a table, figure or model that multirm wrote",
            found="no word of where it came from",
            remedy="a CSV has none: ask about the table beside it" if file.suffix == ".csv" else "",
        )
    yield Step(str(file), 0, "", origin)
    seen = {path.resolve()}
    digest_of = cache(digest)
    # A stack, since nobody knows how long a chain of files is that somebody else wrote.
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
    """Where a table, figure or model folder says that it came from; None for what does not say.

    Raises:
        InputError: no such file, or one that is cut short or changed by hand.
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
    """Where a file of a recorded name is now; None where it is not to be found.

    Names begin at the folder that the results lay in. What begins elsewhere, or climbs out, was not
    recorded by us, and is not looked at.
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
    """Whether a name is one without a way to it, as `files.portable` gives what lies outside."""
    return PurePosixPath(name).parts == (name,) and not name.startswith(("/", "..", "\0"))


def lines(step: Step) -> list[str]:
    """A step in words, further in the further back; what others wrote is escaped."""
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
    """The modules that made a file, each with the beginning of its code's digest, and whether that has changed."""
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
    """How many of the inputs are what they were."""
    # What is named twice and has changed for one of them has changed.
    inputs = sorted(
        (step for step in steps if step.state), key=lambda step: step.state != AS_RECORDED
    )
    states = Counter({step.name: step.state for step in inputs}.values())
    n_files = sum(states.values())
    told = [
        f"{states[state]} {state}" for state in (AS_RECORDED, CHANGED, GONE, UNPLACED, UNREADABLE)
    ]
    made_otherwise = {
        step.name
        for step in steps
        if step.origin
        and any(_state_of_code(*each) != AS_RECORDED for each in step.origin.code.items())
    }
    code = f"; {len(made_otherwise)} files by code that is another now" if made_otherwise else ""
    return f"{n_files} inputs: {', '.join(one for one in told if not one.startswith('0 '))}{code}"


def _inputs(origin: Provenance, depth: int) -> list[tuple[str, int, str]]:
    """Names, how far back they are, and digests, to be taken from the end."""
    return [(name, depth, found) for name, found in sorted(origin.inputs.items(), reverse=True)]
