"""The command line: every stage as a command, errors in one line."""

import importlib
import inspect
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, get_origin, get_type_hints

import docstring_parser
import pytest
from cyclopts.annotations import resolve_annotated, resolve_optional
from rich.console import Console

from multirm.cli import COMMANDS, build_app, main
from multirm.running import numbers


def multirm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "multirm", *arguments], capture_output=True, text=True, check=False
    )


def test_help_names_and_describes_every_command() -> None:
    run = multirm("--help")
    assert run.returncode == 0
    for commands in COMMANDS.values():
        for name, (_, description) in commands.items():
            line = next(line for line in run.stdout.splitlines() if f"│ {name} " in line)
            assert description.split()[0] in line


@pytest.mark.parametrize("command", ["evaluate", "import", "summary"])
def test_help_of_a_command_is_all_that_it_prints(command: str) -> None:
    run = multirm(command, "--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"Usage: multirm {command} ")


@pytest.mark.parametrize(
    "target", [target for commands in COMMANDS.values() for target, _ in commands.values()]
)
def test_entry_functions_are_documented_parameter_by_parameter(target: str) -> None:
    module, name = target.split(":")
    function = getattr(importlib.import_module(module), name)
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        assert f"        {parameter.name}" in (function.__doc__ or "").replace("    ", "        ")


def parameters_of(entry: Any) -> Iterator[tuple[str, Any]]:
    """The parameters of an entry function by name, including those of its recipe."""
    hints = get_type_hints(entry, include_extras=True)
    names = [field.name for field in fields(entry)] if is_dataclass(entry) else hints
    for name in names:
        hint = hints[name]
        if is_dataclass(hint):
            yield from parameters_of(hint)
        elif name != "return" and get_origin(hint) is not ClassVar:
            yield name, hint


def kinds_of_number(hint: Any) -> Iterator[Any]:
    """The types of numbers anywhere in a type."""
    if hint in (int, float) or get_args(hint)[:1] in ((int,), (float,)):
        yield hint
    else:
        for part in get_args(hint):
            yield from kinds_of_number(part)


@pytest.mark.parametrize(
    ("command", "target"),
    [(name, target) for commands in COMMANDS.values() for name, (target, _) in commands.items()],
)
def test_every_number_of_every_command_has_bounds(command: str, target: str) -> None:
    module, name = target.split(":")
    kinds = [value for key, value in vars(numbers).items() if key[0].isupper()]
    entry = getattr(importlib.import_module(module), name)
    found = {
        parameter: kind
        for parameter, hint in parameters_of(entry)
        for kind in kinds_of_number(hint)
        if kind not in kinds
    }
    assert found == {}, f"types of multirm.running.numbers say what {command} takes"


def switches_that_are_on(entry: Any) -> Iterator[str]:
    """The names of an entry function's parameters that are true by default, including those of its recipe."""
    for parameter in inspect.signature(entry).parameters.values():
        hint = get_type_hints(entry)[parameter.name]
        if is_dataclass(hint):
            yield from switches_that_are_on(hint)
        elif parameter.default is True:
            yield parameter.name


@pytest.mark.parametrize(
    ("command", "target"),
    [(name, target) for own in COMMANDS.values() for name, (target, _) in own.items()],
)
def test_what_is_on_by_default_can_be_turned_off(command: str, target: str) -> None:
    module, name = target.split(":")
    found = [*switches_that_are_on(getattr(importlib.import_module(module), name))]
    options = {
        option
        for argument in build_app(command)[command].assemble_argument_collection()
        for option in argument.names
    }
    assert {f"--no-{each.replace('_', '-')}" for each in found} <= options


def test_the_walk_sees_numbers_in_recipes_lists_and_choices() -> None:
    from multirm.evaluation.accuracy import evaluate
    from multirm.training.discriminative import train_discriminative

    found = {
        name: list(kinds_of_number(hint))
        for entry in (evaluate, train_discriminative)
        for name, hint in parameters_of(entry)
    }
    assert found["n"] == [numbers.Count]
    assert found["device_batch_size"] == [numbers.Count]
    assert found["dropout"] == [numbers.FractionBelowOne]
    assert found["kind"] == found["solutions"] == found["parallelism"] == []


def words_for(hint: Any) -> list[str]:
    """Valid arguments for a parameter of a type; two if it takes several."""
    if get_origin(hint) is list:
        return words_for(resolve_annotated(get_args(hint)[0])) * 2
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return [next(iter(hint))]
    if get_origin(hint) is Literal:
        return [get_args(hint)[0]]
    return {int: ["320"], float: ["0.5"], bool: ["true"]}.get(hint) or ["word"]


@pytest.mark.parametrize("command", [name for commands in COMMANDS.values() for name in commands])
def test_arguments_shown_without_a_name_are_accepted_without_one(command: str) -> None:
    app = build_app(command)
    # A recipe or the like is no word of its own: its fields are.
    arguments = [
        argument
        for argument in app[command].assemble_argument_collection()
        if not is_dataclass(argument.hint)
    ]
    words = {
        argument.names[0]: words_for(resolve_annotated(resolve_optional(argument.hint)))
        for argument in arguments
        if argument.required or argument.field_info.is_positional
    }
    named = [word for name, values in words.items() for word in (name, *values)]
    of_position = [argument for argument in arguments if argument.field_info.is_positional]
    unnamed = [word for argument in of_position for word in words[argument.names[0]]]
    for argument in arguments:
        if argument.required and argument not in of_position:
            unnamed += [argument.names[0], *words[argument.names[0]]]
    by_name, by_position = (
        app.parse_args([command, *given], print_error=False, exit_on_error=False)[1].arguments
        for given in (named, unnamed)
    )
    assert by_name == by_position
    taken = [len(fields(each)) if is_dataclass(each) else 1 for each in by_name.values()]
    assert sum(taken) >= len(words)


NAMES = [name for commands in COMMANDS.values() for name in commands]
TARGETS = {name: target for own in COMMANDS.values() for name, (target, _) in own.items()}


def help_of(command: str) -> str:
    """What `--help` prints, in one line without frames."""
    console = Console(width=200, file=io.StringIO(), color_system=None)
    build_app(command)(
        [command, "--help"], console=console, exit_on_error=False, result_action="return_value"
    )
    return " ".join(console.file.getvalue().replace("│", " ").split())  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", NAMES)
def test_help_has_the_whole_docstring_and_closed_sets_as_written(command: str) -> None:
    module, name = TARGETS[command].split(":")
    entry = getattr(importlib.import_module(module), name)
    said = help_of(command)
    documented = docstring_parser.parse(inspect.cleandoc(entry.__doc__))
    for paragraph in (documented.short_description, documented.long_description):
        words = re.sub("[`*]", "", paragraph or "").split()
        assert " ".join(words) in re.sub("[`*]", "", said)
    for _, hint in parameters_of(entry):
        for closed_set in closed_sets(hint):
            assert f"[choices: {', '.join(closed_set)}]" in said


def closed_sets(hint: Any) -> Iterator[type[StrEnum]]:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        yield hint
    for part in get_args(hint):
        yield from closed_sets(part)


@pytest.mark.parametrize("command", NAMES)
def test_the_line_of_usage_can_be_typed(command: str) -> None:
    """As shown, with a word for each capital one: without what is in brackets, and with it."""
    app = build_app(command)
    usage = app[command].usage
    assert usage is not None
    arguments = [
        argument
        for argument in app[command].assemble_argument_collection()
        if not is_dataclass(argument.hint)
    ]
    words = {
        argument.names[0]: words_for(resolve_annotated(resolve_optional(argument.hint)))
        for argument in arguments
    }
    by_label = {name.removeprefix("--").replace("-", "_").upper(): name for name in words}

    def typed(line: str) -> list[str]:
        found: list[str] = []
        for word in line.split()[2:]:
            label = word.strip("[].")
            if label.startswith("--"):
                found += [label]
            elif found and found[-1].startswith("--"):
                found += words[found[-1]]
            else:
                found += words[by_label[label]]
        return found

    start = usage.removeprefix("Usage: ")
    assert start.split()[:2] == ["multirm", command]
    required = re.sub(r" \[[^]]*\]", "", start)
    app.parse_args([command, *typed(required)], print_error=False, exit_on_error=False)
    if "[OPTIONS]" not in start:
        app.parse_args([command, *typed(start)], print_error=False, exit_on_error=False)
    # Nothing is required besides.
    assert {each.names[0] for each in arguments if each.required} <= {
        *re.findall(r"--[\w-]+", required),
        *(by_label[label] for label in re.findall(r"\b[A-Z_\d]+\b", required) if label in by_label),
    }


def test_completion_in_bash(tmp_path: Path) -> None:
    """Installed as documented: commands, options, and the members of closed sets as they are written."""
    home = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "multirm", "--install-completion", "--shell", "bash"]
    run = subprocess.run(command, env=home, capture_output=True, text=True, check=True)
    assert str(tmp_path) in run.stdout
    script = """
        source ~/.bashrc
        complete_words() {
            COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=(); _multirm; echo "${COMPREPLY[@]}"
        }
        complete -p multirm
        complete_words multirm chec
        complete_words multirm evaluate --sol
        complete_words multirm evaluate --estimator ""
        complete_words multirm demonstrate --kind g
        complete_words multirm --install
    """
    said = subprocess.run(
        ["bash", "--norc", "-c", script], env=home, capture_output=True, text=True, check=True
    )
    complete, *found = said.stdout.splitlines()
    assert complete.endswith(" multirm")
    assert [sorted(line.split()) for line in found[:1]] == [
        ["check-critiques", "check-steps", "check-study"]
    ]
    assert found[1:] == [
        "--solutions",
        "exact paper versaprm openprm",
        "gORM gPRM",
        "--install-completion",
    ]


SCORE = (
    "score-generative --kind gORM --model m --name n --engine transformers --solutions a".split()
)
SCORE += ["--output", "b", "--output-critiques", "c"]
TRAIN = "train-discriminative --kind dORM --name n --backbone b --solutions a --output b".split()
TRAIN += ["--curve", "c", "--examples", "d"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([*SCORE, "--top-p", "0"], "--top-p: expected greater than 0, found 0.0"),
        ([*SCORE, "--top-k", "-1"], "--top-k: expected greater than or equal to 0, found -1"),
        ([*SCORE, "--min-p", "1.5"], "--min-p: expected less than or equal to 1, found 1.5"),
        ([*SCORE, "--max-tokens", "0"], "--max-tokens: expected greater than or equal to 1"),
        ([*SCORE, "--temperature", "nan"], "--temperature: expected a finite number, found nan"),
        ([*SCORE, "--temperature", "inf"], "--temperature: expected a finite number, found inf"),
        ([*SCORE, "--temperature", "hot"], "--temperature: expected a number, found 'hot'"),
        ([*SCORE, "--samples", "-3"], "--samples: expected greater than or equal to 1, found -3"),
        ([*SCORE, "--samples", "2.5"], "--samples: expected a whole number, found '2.5'"),
        ([*SCORE, "--adaptive", "1"], "--adaptive: expected less than 1, found 1.0"),
        ([*SCORE, "--seed", "1" * 30], "--seed: expected less than or equal to 4294967295, found"),
        ([*TRAIN, "--epochs", "inf"], "--epochs: expected a finite number, found inf"),
        ([*TRAIN, "--rank", "0"], "--rank: expected greater than or equal to 1, found 0"),
        (["check-study", ""], "argument 1: expected a value, found"),
        (["evaluate", "--solutions", "a", "", "--output", "b"], "--solutions: expected a value, "),
        (["evaluate", "--solutions", "a", "--output", "b", "--n", "1", "0"], "--n: expected great"),
        (["evaluate", "--solutions", "a", "--output", "b", "--n", "1", ".5"], "found '.5'"),
    ],
)
def test_a_value_outside_its_range_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("multirm: ")
    assert message in line
    assert line.count("\n") == 1


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


def test_enum_members_are_typed_as_written() -> None:
    importlib.import_module("multirm.study.load")
    ours = [each for each in StrEnum.__subclasses__() if each.__module__.startswith("multirm.")]
    assert len(ours) > 10
    for closed_set in ours:
        assert all(member.name.lower() == member.value.lower() for member in closed_set)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["write-schema", "--nonsense", "1"], "--nonsense"),
        (
            ["write-schma"],
            "write-schma: expected a command, found none of this name; did you mean write-schema?",
        ),
        (
            ["nonsense"],
            "nonsense: expected a command, found none of this name; multirm --help lists them",
        ),
        (
            ["check-study"],
            "check-study: expected STUDY, found none; type multirm check-study STUDY",
        ),
        (
            ["show"],
            "show: expected QUESTION_ID, found none; type multirm show QUESTION_ID [OPTIONS]",
        ),
        (
            ["report", "a"],
            "report: expected --output, found none; type multirm report EVALUATIONS...",
        ),
        (["report", "a", "--output"], "--output: expected a value, found none"),
        (
            ["demonstrate", "--kind", "gRPM", "--solutions", "in", "--output", "out"],
            "--kind: expected dORM, dPRM, gORM, gPRM or pairwise, found 'gRPM'; did you mean gPRM?",
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


def test_a_mistyped_command_imports_no_other() -> None:
    script = "import sys; from multirm.cli import main\ntry: main(['evalute'])\n"
    script += "except SystemExit: print(sorted({'torch', 'duckdb'} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
    assert "did you mean evaluate?" in run.stderr


def test_without_a_command_all_are_listed() -> None:
    run = multirm()
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == multirm("--help").stdout


def test_a_log_line_escapes_control_characters() -> None:
    script = (
        "import sys; sys.argv = ['multirm', '--version']; from multirm.cli import main; main();"
    )
    script += "import logging; logging.getLogger('a').warning('%s', '\\x1b]0;me\\x07\\nB\\u202e')"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stderr.count("\n") == 1
    assert run.stderr.strip().endswith(r"\x1b]0;me\x07\nB\u202e")


def test_a_traceback_in_a_log_keeps_its_lines() -> None:
    script = (
        "import sys; sys.argv = ['multirm', '--version']; from multirm.cli import main; main();"
    )
    script += "import logging\ntry: 1 / 0\nexcept Exception: logging.exception('x')"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stderr.splitlines()[-1] == "ZeroDivisionError: division by zero"
