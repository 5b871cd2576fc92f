"""Which arguments of a command are places that it reads from or writes to, and what is refused of them.

An entry function says so by the types of its parameters; a `Path` without another word is read. What would
destroy an input, another output or a stranger's folder, and what cannot be written, is refused before any work.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ParamSpec, get_args, get_origin, get_type_hints

from multirm.errors import InputError
from multirm.running.files import check_file, check_folder
from multirm.running.provenance import ADAPTER, BACKBONE, MERGED, check_replaceable

P = ParamSpec("P")


@dataclass(frozen=True)
class _Written:
    """A folder that gets some files, the others staying as they are; or one that is replaced.

    Attributes:
        made: what stands in a folder that is replaced.
        among: whether it may be a folder that is read, since what is written there is never read instead.
    """

    made: str = ""
    among: bool = False


@dataclass(frozen=True)
class _Read:
    pass


_A_FILE = "file"

OutputFile = Annotated[Path, _A_FILE]
OutputFolder = Annotated[Path, _Written()]
EvaluationFolder = Annotated[Path, _Written(among=True)]
AdapterFolder = Annotated[Path, _Written(ADAPTER)]
MergedFolder = Annotated[Path, _Written(MERGED)]
BackboneFolder = Annotated[Path, _Written(BACKBONE)]

Place = Annotated[str, _Read()]
"""A file, a folder or a hub name to read from; or one with a name before it, as in `dPRM=models/dPRM`."""


@dataclass(frozen=True)
class _Given:
    """A path among the arguments of a command, and what it is for."""

    option: str
    path: Path
    role: object

    @property
    def is_output(self) -> bool:
        return not isinstance(self.role, _Read)

    @property
    def is_replaced(self) -> bool:
        """Whether nothing of what is there stays."""
        return self.role == _A_FILE or (isinstance(self.role, _Written) and self.role.made != "")

    def __str__(self) -> str:
        return f"{self.option} {self.path}"


def entry(function: Callable[P, None]) -> Callable[P, None]:
    """Make a function the entry of a command: the places among its arguments are checked before it begins."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        check_places(function, signature(function).bind(*args, **kwargs).arguments)
        function(*args, **kwargs)

    return checked


def check_places(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments that would have a function destroy what it reads, or fail at its end.

    Raises:
        InputError: an output that cannot be written; that is an input, or in a folder that is one; that would
            replace a folder with an input in it, or one that is not such a model of ours; or two outputs at
            one place.
    """
    given = list(_paths(function, arguments))
    outputs = [each for each in given if each.is_output]
    for output in outputs:
        _check_writable(output)
    for number, output in enumerate(outputs):
        for read in given:
            if not read.is_output and read.path.exists():
                _refuse_to_destroy(output, read)
        for other in outputs[:number]:
            _refuse_one_in_the_other(output, other)


def _paths(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Iterator[_Given]:
    hints = get_type_hints(function, include_extras=True)
    for name, value in arguments.items():
        role = _role(hints[name])
        if role is None:
            continue
        option = f"--{name.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Path):
                yield _Given(option, each, role)
            elif isinstance(each, str):
                named = each if _exists(each) else each.partition("=")[2]
                if named:
                    yield _Given(option, Path(named), role)


def _role(hint: Any) -> object:
    """What a parameter's type says of the paths in it; None where there are none."""
    if get_origin(hint) is Annotated:
        kind, *words = get_args(hint)
        found = next((word for word in words if word == _A_FILE or type(word) in _ROLES), None)
        return found or _role(kind)
    if hint is Path:
        return _Read()
    return next((role for inner in get_args(hint) if (role := _role(inner))), None)


_ROLES = (_Written, _Read)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _check_writable(output: _Given) -> None:
    if output.role == _A_FILE:
        check_file(output.path)
        return
    check_folder(output.path)
    if isinstance(output.role, _Written) and output.role.made:
        check_replaceable(output.path, output.role.made)


def _refuse_to_destroy(output: _Given, read: _Given) -> None:
    if isinstance(output.role, _Written) and output.role.among and read.path.is_dir():
        return
    if _same(output.path, read.path):
        problem = f"{output}, which is {read.option}"
    elif _within(output.path, read.path):
        problem = f"{output}, which is in {read}"
    elif output.is_replaced and _within(read.path, output.path):
        problem = f"{output}, with {read} in it"
    else:
        return
    raise InputError(
        output.option,
        expected="a place apart from what is read",
        found=problem,
        remedy="say another one",
    )


def _refuse_one_in_the_other(output: _Given, other: _Given) -> None:
    for inner, outer in ((output, other), (other, output)):
        if _same(inner.path, outer.path) or (outer.is_replaced and _within(inner.path, outer.path)):
            raise InputError(
                inner.option,
                expected="a place for each output",
                found=f"{inner} and {outer}",
                remedy="say another one",
            )


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one file or folder, by whatever links and spelling."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _within(inner: Path, outer: Path) -> bool:
    return any(_same(above, outer) for above in inner.resolve().parents)
