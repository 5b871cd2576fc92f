"""The provenance of a table, figure or model: what it was made from, and whether that has changed since."""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path, PurePosixPath

from multirm.errors import InputError, escaped, shown
from multirm.running import provenance
from multirm.running.arguments import entry
from multirm.running.code import code_digest
from multirm.running.files import digest
from multirm.running.metadata import FORMATS, text_in
from multirm.running.numbers import CountOrZero
from multirm.running.provenance import Provenance
from multirm.study.owners import names_of
from multirm.study.results_folder import results_folder
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
        below: what it was made from, each file once, if that is too far back to be listed.
    """

    name: str
    depth: int
    state: str
    origin: Provenance | None = None
    seen: bool = False
    problem: str = ""
    below: tuple["Step", ...] = ()


@entry
def trace(file: Path, results: Path | None = None, depth: CountOrZero | None = None) -> None:
    """Print what a table, figure or model was made from, and what that was made from, back to the beginning.

    Each file is listed once with its parameters. Every file is read for its digest, and marked "changed since" if it
    is not what was read then, or "gone"; likewise the code that made it. Of files outside the job's working
    directory, names and digests are recorded, but not the place.

    Args:
        file: A table, a figure (svg, pdf, png or html), or a model folder.
        results: The results folder, which is searched for the inputs; by default that of the study in
            config/config.yaml, which is `results` if it names none.
        depth: How many steps back files are listed; what is further back is checked and counted. By default, all
            are listed.
    """
    steps = []
    try:
        for step in way_back(file, results_folder(results), depth):
            steps.append(step)
            sys.stdout.writelines(f"{line}\n" for line in lines(step))
        sys.stdout.write(f"\n{summary(steps)}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, such as `head`, has closed the pipe; Python would still flush the rest at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def way_back(file: Path, results: Path, most: int | None = None) -> Iterator[Step]:
    """The file and everything it was made from, each before its own inputs.

    Args:
        most: how many steps back; what is further back is in the `below` of the last steps.

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
    look = cache(partial(_look, results, cache(digest), cache(read_origin)))
    # The depths at which origins are listed, by the resolved path.
    seen: dict[Path, int] = {}
    # A stack rather than recursion: files written by others may form a chain of any length.
    ahead: list[tuple[Step, Path | None]] = [(Step(str(file), 0, "", origin), path)]
    while ahead:
        step, place = ahead.pop()
        if step.origin is None or place is None:
            yield step
            continue
        # With a limit, what is listed at its end is listed again nearer to the file, where there is room for more.
        above = seen.get(place.resolve())
        if above is not None and (most is None or above <= step.depth):
            yield replace(step, seen=True)
            continue
        seen[place.resolve()] = step.depth
        inputs = [
            (replace(found, depth=step.depth + 1), there)
            for found, there in (look(*each) for each in _inputs(step.origin))
        ]
        if most is None or step.depth < most:
            yield step
            ahead += inputs
        else:
            yield replace(step, below=tuple(_all_behind(inputs, look)))


def _all_behind(
    inputs: Sequence[tuple[Step, Path | None]],
    look: Callable[[str, str], tuple[Step, Path | None]],
) -> Iterator[Step]:
    """Files and everything they were made from, each once for each state."""
    seen = set()
    ahead = [*inputs]
    while ahead:
        step, _ = ahead.pop()
        if (step.name, step.state) not in seen:
            seen.add((step.name, step.state))
            yield step
            ahead += [look(*each) for each in _inputs(step.origin)] if step.origin else []


def _look(
    results: Path,
    digest_of: Callable[[Path], str],
    origin_of: Callable[[Path], Provenance | None],
    name: str,
    recorded: str,
) -> tuple[Step, Path | None]:
    """An input as it is now, and where it is."""
    state, place = AS_RECORDED, None
    try:
        place = find_input(name, results)
        if place is None:
            return Step(name, 0, UNPLACED if _is_bare(name) else GONE), None
        if digest_of(place) != recorded:
            state = CHANGED
        return Step(name, 0, state, origin_of(place)), place
    except (InputError, OSError) as error:
        state = state if state == CHANGED else UNREADABLE
        return Step(name, 0, state, problem=str(error)), place


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

    Names start at the working directory of the study, which the results folder is below. A name that starts elsewhere,
    or climbs out, was not recorded by multirm and is not looked up.
    """
    for spelling in (name, _NUMBER.sub("", name)):
        parts = PurePosixPath(spelling).parts
        if not parts or "\0" in spelling or spelling.startswith("/") or ".." in parts:
            return None
        path = _placed(parts, results)
        if path.is_file() or path.is_dir():
            return path
    return None


def _placed(parts: Sequence[str], results: Path) -> Path:
    """Where a recorded name leads to, now that what was one of the results folder's names is `results`."""
    for name in names_of(results):
        own = PurePosixPath(name).parts
        if tuple(parts[: len(own)]) == own:
            return results.joinpath(*parts[len(own) :])
    above = results
    for _ in PurePosixPath(names_of(results)[0]).parts:
        above = above.parent
    return above.joinpath(*parts)


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
    said = [words, f"{margin}  with {parameters}"] if parameters else [words]
    return [*said, f"{margin}  … from {_counted(step.below)}"] if step.below else said


def _counted(steps: Sequence[Step]) -> str:
    """The number of files in all, and of those that are not as recorded."""
    counts = _counts(steps)
    n_files = sum(counts.values())
    files = f"{n_files} file{'s' * (n_files != 1)}"
    others = [f"{n} {state}" for state, n in counts.items() if state != AS_RECORDED]
    return ", ".join([f"{files} further back", *others])


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


def summary(steps: Sequence[Step]) -> str:
    """Count the inputs by state."""
    steps = [each for step in steps for each in (step, *step.below)]
    counts = _counts([step for step in steps if step.state])
    by_other_code = {
        step.name
        for step in steps
        if step.origin
        and any(_state_of_code(*each) != AS_RECORDED for each in step.origin.code.items())
    }
    code = f"; {len(by_other_code)} files by code that differs now" if by_other_code else ""
    states = ", ".join(f"{n} {state}" for state, n in counts.items())
    return f"{sum(counts.values())} inputs: {states}{code}"


def _counts(steps: Sequence[Step]) -> dict[str, int]:
    """The number of files in each state in which there are any."""
    # A file that is named twice counts as changed if it has changed for one of them.
    found = {step.name: step.state for step in sorted(steps, key=_is_as_recorded, reverse=True)}
    counts = Counter(found.values())
    order = (AS_RECORDED, CHANGED, GONE, UNPLACED, UNREADABLE)
    return {state: counts[state] for state in order if counts[state]}


def _is_as_recorded(step: Step) -> bool:
    return step.state == AS_RECORDED


def _inputs(origin: Provenance) -> list[tuple[str, str]]:
    """Names and digests of inputs, last first: a stack."""
    return sorted(origin.inputs.items(), reverse=True)
