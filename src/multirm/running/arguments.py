"""Which arguments of a command are read from or written to, and the checks on them before any work begins.

The types of an entry function's parameters, and of the fields of its dataclasses of options, say which; a plain
`Path` is an input. An output is refused if it cannot
be written, or if writing it would destroy an input, another output or a folder that is not ours.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import Annotated, Any, ParamSpec, get_args, get_origin, get_type_hints

from cyclopts import Parameter

from multirm.errors import InputError
from multirm.running.files import check_file, check_folder
from multirm.running.provenance import (
    ADAPTER,
    BACKBONE,
    CLASSIFIER,
    MERGED,
    TUNED,
    check_replaceable,
)

P = ParamSpec("P")


@dataclass(frozen=True)
class _Written:
    """An output folder: files are added to it, or it is replaced as a whole.

    Attributes:
        made: the kinds of model in a folder that is replaced; empty for a folder that files are added to.
        among: whether it may also be an input folder, because the files written are never read from it.
    """

    made: tuple[str, ...] = ()
    among: bool = False


@dataclass(frozen=True)
class _Read:
    pass


_A_FILE = "file"
_A_PAGE = "page"
"""An HTML file, which may be in an input folder: only tables are read from there."""

OutputFile = Annotated[Path, _A_FILE]
PageFile = Annotated[Path, _A_PAGE]
OutputFolder = Annotated[Path, _Written()]
EvaluationFolder = Annotated[Path, _Written(among=True)]
AdapterFolder = Annotated[Path, _Written((ADAPTER,))]
TrainedFolder = Annotated[Path, _Written((ADAPTER, TUNED))]
TunedFolder = Annotated[Path, _Written((TUNED,))]
ClassifierFolder = Annotated[Path, _Written((CLASSIFIER,))]
MergedFolder = Annotated[Path, _Written((MERGED,))]
BackboneFolder = Annotated[Path, _Written((BACKBONE,))]

Place = Annotated[str, _Read(), Parameter(metavar="PATH")]
"""A file, a folder or a hub name to read from, optionally with a name, as in `dPRM=models/dPRM`."""


@dataclass(frozen=True)
class _Given:
    """A path among the arguments of a command, and its role."""

    option: str
    path: Path
    role: object

    @property
    def is_output(self) -> bool:
        return not isinstance(self.role, _Read)

    @property
    def is_replaced(self) -> bool:
        """Whether everything at the path is replaced."""
        return self.role in _FILES or (isinstance(self.role, _Written) and bool(self.role.made))

    def __str__(self) -> str:
        return f"{self.option} {self.path}"


def entry(function: Callable[P, None]) -> Callable[P, None]:
    """Make a function the entry of a command: the paths among its arguments are checked before it runs."""

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        check_places(function, signature(function).bind(*args, **kwargs).arguments)
        function(*args, **kwargs)

    return checked


def check_places(function: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments with which a command would destroy its inputs, or fail when it writes its outputs.

    Raises:
        InputError: an output cannot be written; is an input, or is in an input folder; would replace a folder
            that contains an input or is not our model of the same kind; or two outputs are at one path.
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


def _paths(typed: Callable[..., Any], arguments: Mapping[str, Any]) -> Iterator[_Given]:
    """The paths among the arguments of a function, or among the fields of a dataclass."""
    hints = get_type_hints(typed, include_extras=True)
    for name, value in arguments.items():
        if is_dataclass(value):
            own = {field.name: getattr(value, field.name) for field in fields(value)}
            yield from _paths(type(value), own)
            continue
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
    """The role that a parameter's type gives to its paths; None if it holds no paths."""
    if get_origin(hint) is Annotated:
        kind, *words = get_args(hint)
        found = next((word for word in words if word in _FILES or type(word) in _ROLES), None)
        return found or _role(kind)
    if hint is Path:
        return _Read()
    return next((role for inner in get_args(hint) if (role := _role(inner))), None)


_ROLES = (_Written, _Read)
_FILES = (_A_FILE, _A_PAGE)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _check_writable(output: _Given) -> None:
    if output.role in _FILES:
        check_file(output.path)
        return
    check_folder(output.path)
    if isinstance(output.role, _Written) and output.role.made:
        check_replaceable(output.path, *output.role.made)


def _refuse_to_destroy(output: _Given, read: _Given) -> None:
    is_among = isinstance(output.role, _Written) and output.role.among
    is_page = output.role == _A_PAGE and output.path.suffix == ".html"
    if read.path.is_dir() and (is_among or (is_page and not _same(output.path, read.path))):
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
        expected="a path apart from the inputs",
        found=problem,
        remedy="choose another",
    )


def _refuse_one_in_the_other(output: _Given, other: _Given) -> None:
    for inner, outer in ((output, other), (other, output)):
        if _same(inner.path, outer.path) or (outer.is_replaced and _within(inner.path, outer.path)):
            raise InputError(
                inner.option,
                expected="a separate path for each output",
                found=f"{inner} and {outer}",
                remedy="choose another",
            )


def _same(one: Path, other: Path) -> bool:
    """Whether two paths lead to the same file or folder, links resolved."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def _within(inner: Path, outer: Path) -> bool:
    return any(_same(above, outer) for above in inner.resolve().parents)
