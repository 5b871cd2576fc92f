"""Inputs and outputs: no command overwrites its inputs, or starts what it cannot write."""

import importlib
import inspect
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import pytest

from multirm.cli import COMMANDS
from multirm.errors import InputError
from multirm.running import arguments
from multirm.running.arguments import AdapterFolder, OutputFile, OutputFolder, Place, entry
from multirm.running.provenance import write_to_folder
from tests.origins import made_of

ENTRIES = {name: target for commands in COMMANDS.values() for name, (target, _) in commands.items()}

# Text arguments that are not places to read from.
NO_PLACES = {
    *("aggregation", "category", "dataset", "model", "name", "server", "shard", "sql"),
    *("category_groups", "math", "models", "pairs", "question_id", "scale", "search"),
    *("service_model", "title", "unit"),
    *("columns", "correct"),
}


def function_of(command: str) -> Callable[..., None]:
    module, name = ENTRIES[command].split(":")
    function: Callable[..., None] = getattr(importlib.import_module(module), name)
    return function


def options_of(typed: Callable[..., Any]) -> dict[str, Any]:
    """The types of the options of a command, with those of its dataclasses instead of these."""
    options: dict[str, Any] = {}
    for name, hint in get_type_hints(typed, include_extras=True).items():
        options |= options_of_parameter(name, hint)
    return options


def options_of_parameter(name: str, hint: Any) -> dict[str, Any]:
    return options_of(hint) if is_dataclass(hint) else {name: hint}


def places_of(command: str) -> tuple[list[str], list[str]]:
    """The options that are inputs, and those that are outputs."""
    options = options_of(function_of(command))
    roles = {name: arguments._role(hint) for name, hint in options.items()}
    read = [name for name, role in roles.items() if isinstance(role, arguments._Read)]
    return read, [name for name, role in roles.items() if role and name not in read]


def something(hint: Any, path: Path, given: Mapping[str, Path] = {}) -> Any:
    """A value of a parameter's type; options of a dataclass that are given have their own path."""
    kinds = get_args(hint)
    match get_origin(hint):
        case origin if origin is Annotated:
            return something(kinds[0], path)
        case origin if origin in (Union, UnionType):
            return something(next(kind for kind in kinds if kind is not NoneType), path)
        case origin if origin is list:
            return [something(kinds[0], path)]
    if is_dataclass(hint):
        types = get_type_hints(hint)
        names = [f.name for f in fields(hint) if f.default is MISSING or f.name in given]
        return hint(**{name: something(types[name], given.get(name, path)) for name in names})
    if issubclass(hint, StrEnum):
        return next(iter(hint))
    return {Path: path, str: f"m={path}", int: 32, float: 0.5, bool: True}[hint]


def called(command: str, folder: Path, **given: Any) -> None:
    """Run a command with arguments of the right types; only the given ones exist."""
    function = function_of(command)
    hints = get_type_hints(function, include_extras=True)
    function(
        **{
            name: something(hints[name], given.get(name, folder / "nowhere" / f"{name}.svg"), given)
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.default is inspect.Parameter.empty
            or given.keys() & options_of_parameter(name, hints[name]).keys()
        }
    )


READING = [
    (command, read, written)
    for command in ENTRIES
    for read in places_of(command)[0]
    for written in places_of(command)[1]
]
WRITING = [(command, written) for command in ENTRIES for written in places_of(command)[1]]


@pytest.mark.parametrize("command", ENTRIES)
def test_every_command_declares_its_inputs_and_outputs(command: str) -> None:
    function = function_of(command)
    assert hasattr(function, "__wrapped__"), "not an entry"
    read, written = places_of(command)
    for name, hint in options_of(function).items():
        words = str(hint)
        is_of_training = "train" in command and name in ("curve", "examples", "metrics")
        if name.startswith("output") or is_of_training or name == "batch_folder":
            assert name in written
        elif "Path" in words:
            assert name in read
        elif "str" in words and "StrEnum" not in words and name != "return":
            assert name in read or name in NO_PLACES


def test_there_are_commands_to_try() -> None:
    assert len(READING) > 30
    assert {"convert", "draw-accuracy-grid", "write-schema"} <= {command for command, _ in WRITING}
    assert ("evaluate", "rewards", "output") in READING, "an option of a dataclass"


@pytest.mark.parametrize(("command", "read", "written"), READING)
def test_no_command_overwrites_its_inputs(
    tmp_path: Path, command: str, read: str, written: str
) -> None:
    source = tmp_path / "precious.svg"
    role = arguments._role(options_of(function_of(command))[written])
    if role in arguments._FILES:
        source.write_text("years of work")
        contents = source
    else:
        source.mkdir()
        contents = source / "thesis.tex"
        contents.write_text("years of work")
    link = tmp_path / "link.svg"
    link.symlink_to(source)
    for other in (source, tmp_path / "." / "nowhere" / ".." / source.name, link):
        if getattr(role, "among", False):
            continue
        with pytest.raises(InputError, match=rf"{written.replace('_', '-')}|to replace a folder"):
            called(command, tmp_path, **{read: source, written: other})
    assert contents.read_text() == "years of work"


@pytest.mark.parametrize(("command", "written"), WRITING)
@pytest.mark.parametrize("place", ["/proc/multirm/x.svg", "file/x.svg", "x" * 250, "x" * 255])
def test_no_command_starts_with_an_unwritable_output(
    tmp_path: Path, command: str, written: str, place: str
) -> None:
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"expected a (file|folder) to write"):
        called(command, tmp_path, **{written: tmp_path / place})
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(("command", "written"), WRITING)
def test_no_command_writes_a_file_over_a_folder_or_a_folder_over_a_file(
    tmp_path: Path, command: str, written: str
) -> None:
    role = arguments._role(options_of(function_of(command))[written])
    if role in arguments._FILES:
        (tmp_path / "x").mkdir()
    else:
        (tmp_path / "x").touch()
    with pytest.raises(InputError, match=r"expected a (file|folder) to write"):
        called(command, tmp_path, **{written: tmp_path / "x"})


@pytest.mark.parametrize("command", ENTRIES)
def test_no_command_writes_two_outputs_to_one_path(tmp_path: Path, command: str) -> None:
    _, written = places_of(command)
    for number, name in enumerate(written):
        for other in written[:number]:
            with pytest.raises(InputError, match="expected a separate path for each output"):
                called(command, tmp_path, **{name: tmp_path / "x", other: tmp_path / "y/../x"})


def test_a_device_is_not_an_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="found something other than a file"):
        called("shorten-critiques", tmp_path, output=tmp_path / "pipe")
    with pytest.raises(InputError, match="found something other than a file"):
        called("shorten-critiques", tmp_path, output=Path("/dev/null"))


WRITTEN = "written"


@entry
def example(
    reads: list[Place], file: OutputFile, model: AdapterFolder, folder: OutputFolder
) -> None:
    """A stand-in for a command."""
    raise AssertionError(WRITTEN)


def run(tmp_path: Path, read: Path | str, **given: Path) -> None:
    places = {name: tmp_path / "new" / name for name in ("file", "model", "folder")}
    example([str(read)], **(places | given))


def test_separate_outputs_are_written(tmp_path: Path) -> None:
    for name in ("read", "model"):
        (tmp_path / name).mkdir()
    for read in (tmp_path / "read", f"dPRM={tmp_path / 'read'}", "nobody/hub-name", "x" * 10**4):
        with pytest.raises(AssertionError, match=WRITTEN):
            run(tmp_path, read, model=tmp_path / "model", folder=tmp_path)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "model", tmp_path / "read"]


@pytest.mark.parametrize("read", ["{0}", "dPRM={0}"])
def test_inputs_are_neither_inside_nor_above_outputs(tmp_path: Path, read: str) -> None:
    inner = tmp_path / "above" / "read"
    inner.mkdir(parents=True)
    place = read.format(inner)
    with pytest.raises(InputError, match=r"--file .*file, which is in --reads"):
        run(tmp_path, place, file=inner / "deep" / "file")
    with pytest.raises(InputError, match=r"--folder .*which is --reads"):
        run(tmp_path, place, folder=inner)
    with pytest.raises(InputError, match=r"--model .*above, with --reads .*in it"):
        run(tmp_path, place, model=tmp_path / "above")
    with pytest.raises(InputError, match=r"--file and|--model .* and --file|--file .* and --model"):
        run(tmp_path, place, file=tmp_path / "m" / "file", model=tmp_path / "m")


@dataclass(frozen=True, kw_only=True)
class Options:
    """A stand-in for the options that commands share."""

    reads: list[Place] | None = None
    settings: Path | None = None


@dataclass(frozen=True, kw_only=True)
class MoreOptions(Options):
    log_file: OutputFile


@entry
def example_with_options(options: MoreOptions, file: OutputFile) -> None:
    """A stand-in for a command with such options."""
    raise AssertionError(WRITTEN)


def test_places_in_a_dataclass_of_options_are_checked(tmp_path: Path) -> None:
    read = tmp_path / "read"
    read.write_text("years of work")
    log, file = tmp_path / "log", tmp_path / "file"
    with pytest.raises(AssertionError, match=WRITTEN):
        example_with_options(MoreOptions(reads=[f"m={read}"], settings=read, log_file=log), file)
    with pytest.raises(InputError, match=r"--file .*which is --reads"):
        example_with_options(MoreOptions(reads=["none", f"m={read}"], log_file=log), read)
    with pytest.raises(InputError, match=r"--file .*which is --settings"):
        example_with_options(MoreOptions(settings=read, log_file=log), read)
    with pytest.raises(InputError, match=r"--log-file .*which is --settings"):
        example_with_options(MoreOptions(settings=read, log_file=read), file)
    with pytest.raises(InputError, match="expected a separate path for each output"):
        example_with_options(MoreOptions(log_file=file), file)


def test_a_folder_is_replaced_only_if_multirm_made_it_and_it_is_of_the_same_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    model.mkdir()

    def fits() -> bool:
        try:
            run(tmp_path, "none", model=model)
        except AssertionError:
            return True
        except InputError as error:
            assert "to replace a folder made by multirm (adapter)" in str(error)
        return False

    assert fits(), "an empty one"
    (model / "weights").write_text("1")
    assert not fits(), "somebody else's"
    write_to_folder(model, "merged model", made_of())
    assert not fits(), "another kind"
    write_to_folder(model, "adapter", made_of())
    assert fits(), "ours"
    (model / "weights").unlink()
    assert fits(), "without what a workflow has removed already"
    (model / "notes").mkdir()
    assert fits(), "a folder without a file"
    told = json.loads((model / "provenance.json").read_text())
    del told["files"]
    (model / "provenance.json").write_text(json.dumps(told))
    (model / "adapter_model.safetensors").write_text("1")
    assert fits(), "of an earlier version, which did not say its files"
    (model / "thesis.txt").write_text("1")
    assert not fits(), "somebody else's file among them"
    for name in ("thesis.txt", "adapter_model.safetensors"):
        (model / name).unlink()
    write_to_folder(model, "adapter", made_of())
    (model / "notes" / "thesis.tex").write_text("years of work")
    assert not fits(), "ours, and something else"
    (model / "notes" / "thesis.tex").unlink()
    monkeypatch.chdir(model / "notes")
    assert not fits(), "the working directory is in it"
    monkeypatch.chdir(tmp_path)
    (model / "provenance.json").write_text("[1]")
    assert not fits(), "a file of that name by somebody else"
