"""The command line: every stage as a command, errors in one line."""

import importlib
import inspect
import subprocess
import sys
from enum import StrEnum
from pathlib import Path

import pytest

from multirm import vocabulary
from multirm.cli import COMMANDS


def multirm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "multirm", *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_and_describes_every_command() -> None:
    run = multirm("--help")
    assert run.returncode == 0
    for commands in COMMANDS.values():
        for name, (_, description) in commands.items():
            line = next(line for line in run.stdout.splitlines() if f" {name} " in line)
            assert description.split()[0] in line


@pytest.mark.parametrize(
    "target", [target for commands in COMMANDS.values() for target, _ in commands.values()]
)
def test_entry_functions_are_documented_parameter_by_parameter(target: str) -> None:
    module, name = target.split(":")
    function = getattr(importlib.import_module(module), name)
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"        {parameter.name}" in (function.__doc__ or "").replace("    ", "        ")


def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    run = multirm(
        "merge-adapter",
        *("--backbone", str(tmp_path / "none"), "--adapter", str(tmp_path / "none")),
        *("--output", str(tmp_path / "merged")),
    )
    assert run.returncode == 2
    assert run.stderr.startswith("multirm: ")
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "merged").exists()


def test_a_mistake_in_a_query_is_one_line_too(tmp_path: Path) -> None:
    run = multirm("query", "SELECT 1 FROM nothing", "--results", str(tmp_path))
    assert run.returncode == 2
    assert run.stderr.startswith("multirm: ")
    assert run.stderr.count("\n") == 1


def test_members_of_closed_sets_are_typed_as_they_are_written() -> None:
    for closed_set in vars(vocabulary).values():
        if isinstance(closed_set, type) and issubclass(closed_set, StrEnum):
            assert all(member.name.lower() == member.value.lower() for member in closed_set)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["write-schema", "--nonsense", "1"], "--nonsense"),
        (["write-schma"], 'Did you mean "write-schema"?'),
        (["check-study"], "--study requires an argument"),
        (
            ["demonstrate", "--kind", "gRPM", "--solutions", "in", "--output", "out"],
            "--kind: expected dORM, dPRM, gORM or gPRM, found 'gRPM'; did you mean gPRM?",
        ),
        (["check-study", "nowhere.yaml"], "nowhere.yaml: expected a study in YAML, found no such"),
    ],
)
def test_a_mistyped_command_is_one_line(arguments: list[str], message: str) -> None:
    run = multirm(*arguments)
    assert run.returncode == 2
    assert message in run.stderr
    assert run.stderr.startswith("multirm: ")
    assert run.stderr.count("\n") == 1
