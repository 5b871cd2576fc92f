"""What counts as the code of a job, and what does not."""

import ast
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multirm.running.code import MARK, Package, code_digest, code_lines, code_of

ROOT = Path(__file__).resolve().parents[2]

ENTRY = """
from pack.tools import helper, Colour
from pack import numbers


def entry(n: int) -> int:
    if n < 0:
        raise InputError("n", expected="more", found=str(n))
    return helper(n) + numbers.twice(n) + len(Colour.RED)
"""
TOOLS = """
from enum import StrEnum

FACTOR = 3
UNUSED = 4


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"

    @property
    def is_warm(self) -> bool:
        return self is Colour.RED


def helper(n):
    return n * FACTOR


def other(n):
    return [n for colour in Colour]
"""
NUMBERS = """
def twice(n):
    return 2 * n


def thrice(n):
    return 3 * n
"""
FILES = {"entry.py": ENTRY, "tools.py": TOOLS, "numbers.py": NUMBERS, "strange.py": "X = 1\n"}


def code(folder: Path, files: Mapping[str, str] = FILES) -> dict[str, str]:
    """The code of `entry` in a package with these files."""
    package = folder / "pack"
    shutil.rmtree(package, ignore_errors=True)
    package.mkdir()
    for name, text in {"__init__.py": "", **files}.items():
        (package / name).write_text(dedent(text))
    return Package(package).code_of("pack.entry")


def edited(name: str, before: str, after: str) -> dict[str, str]:
    assert before in FILES[name]
    return {**FILES, name: FILES[name].replace(before, after)}


MEANING_NOTHING = {
    "a comment": ("tools.py", "FACTOR = 3", "FACTOR = 3  # Three."),
    "a docstring of a module": ("tools.py", "\nfrom enum", '"""Tools."""\n\nfrom enum'),
    "a docstring of a function": (
        "tools.py",
        "return n * FACTOR",
        '"Help."\n    return n * FACTOR',
    ),
    "a docstring of a constant": ("tools.py", "FACTOR = 3", 'FACTOR = 3\n"""Three."""'),
    "an annotation": ("tools.py", "def helper(n):", "def helper(n: int) -> int:"),
    "an annotation of a constant": ("tools.py", "FACTOR = 3", "FACTOR: int = 3"),
    "formatting": ("tools.py", "n * FACTOR", "(\n        n * FACTOR\n    )"),
    "what a refusal says": ("entry.py", 'expected="more"', 'expected="much more"'),
    "an unused definition": ("tools.py", "UNUSED = 4", "UNUSED = 5"),
    "an unused function": ("numbers.py", "3 * n", "4 * n"),
    "a new function": ("numbers.py", "def thrice", "def once(n):\n    return n\n\n\ndef thrice"),
    "another member of a closed set": ("tools.py", 'BLUE = "blue"', 'BLUE = "navy"'),
    "a new member of a closed set": ("tools.py", 'BLUE = "blue"', 'BLUE = "blue"\n    GREEN = "g"'),
    "a module that is not imported": ("strange.py", "X = 1", "X = 2"),
}


@pytest.mark.parametrize("name", MEANING_NOTHING)
def test_edits_without_effect_change_nothing(tmp_path: Path, name: str) -> None:
    assert code(tmp_path, edited(*MEANING_NOTHING[name])) == code(tmp_path)


MEANING_SOMETHING = {
    "a function": ("tools.py", "n * FACTOR", "n + FACTOR", {"tools"}),
    "a constant": ("tools.py", "FACTOR = 3", "FACTOR = 4", {"tools"}),
    "a function of a module": ("numbers.py", "2 * n", "n + n + n", {"numbers"}),
    "a member that is named": ("tools.py", 'RED = "red"', 'RED = "rouge"', {"tools"}),
    "a method of a closed set": ("tools.py", "self is Colour.RED", "True", {"tools"}),
    "where a name is from": (
        "entry.py",
        "tools import helper",
        "tools import other as helper",
        None,
    ),
    "an effect on import": ("numbers.py", "\ndef twice", "\nprint(1)\n\n\ndef twice", {"numbers"}),
    "a default": ("tools.py", "def helper(n):", "def helper(n=1):", {"tools"}),
    "a decorator": ("tools.py", "def helper(n):", "@staticmethod\ndef helper(n):", {"tools"}),
    "a text": ("entry.py", "return helper(n)", "return helper(n) + len('text')", {"entry"}),
}


@pytest.mark.parametrize("name", MEANING_SOMETHING)
def test_edits_with_effect_change_their_module(tmp_path: Path, name: str) -> None:
    file, before, after, expected = MEANING_SOMETHING[name]
    old, new = code(tmp_path), code(tmp_path, edited(file, before, after))
    changed = {module for module in old | new if old.get(module) != new.get(module)}
    assert changed == (expected or {"entry", "tools"})


USES_OF_A_SET = {
    "iterated": "def helper(n):\n    return [each for each in Colour]",
    "listed": "def helper(n):\n    return list(Colour)",
    "passed on": "def helper(n):\n    return sorted(map(str, Colour))",
    "asked for membership": "def helper(n):\n    return n in Colour",
}


@pytest.mark.parametrize("name", USES_OF_A_SET)
def test_all_members_count_if_the_enum_itself_is_used(tmp_path: Path, name: str) -> None:
    files = edited("tools.py", "def helper(n):\n    return n * FACTOR", USES_OF_A_SET[name])
    more = {**files, "tools.py": files["tools.py"].replace('"blue"', '"navy"')}
    assert code(tmp_path, more) != code(tmp_path, files)


@pytest.mark.parametrize("use", ["Colour(n)", "Colour(value=n).is_warm", "Colour.RED.is_warm"])
def test_members_do_not_count_if_one_is_only_constructed(tmp_path: Path, use: str) -> None:
    files = edited("tools.py", "n * FACTOR", use)
    more = {**files, "tools.py": files["tools.py"].replace('"blue"', '"navy"')}
    assert code(tmp_path, more) == code(tmp_path, files)


def test_variables_of_a_comprehension_are_no_names_of_the_module(tmp_path: Path) -> None:
    """A function with a variable of the same name does not use the constant that the comprehension makes."""
    table = "FACTOR = 3\nTABLE = [str(n) for n in Colour]"
    files = edited("tools.py", "FACTOR = 3", table)
    more = {**files, "tools.py": files["tools.py"].replace('"blue"', '"navy"')}
    assert code(tmp_path, more) == code(tmp_path, files)


def test_the_type_of_a_field_counts_but_not_the_members_of_an_enum(tmp_path: Path) -> None:
    record = "@dataclass\nclass Record:\n    colour: Colour\n    n: int\n\n\ndef helper(n):\n    return Record(n)"
    files = edited("tools.py", "def helper(n):\n    return n * FACTOR", record)
    more = {**files, "tools.py": files["tools.py"].replace('"blue"', '"navy"')}
    other = {**files, "tools.py": files["tools.py"].replace("n: int", "n: float")}
    assert code(tmp_path, more) == code(tmp_path, files) != code(tmp_path, other)


INDIRECT = {
    "a module that is passed on": (
        "from pack import strange\n\n\ndef entry():\n    return strange"
    ),
    "an attribute by name": (
        "from pack import strange\n\n\ndef entry():\n    return getattr(strange, 'X')"
    ),
    "a file that is run": ("from pack import strange\n\n\ndef entry():\n    run(strange.__file__)"),
    "an import inside": ("def entry():\n    from pack import strange\n    return strange.X"),
    "a plain import": ("import pack.strange\n\n\ndef entry():\n    return pack.strange.X"),
    "another name": ("from pack.strange import X as Y\n\n\ndef entry():\n    return Y"),
    "everything": ("from pack.strange import *\n\n\ndef entry():\n    return X"),
    "a name in a text": ("def entry():\n    return load('pack.strange')"),
    "a function in a text": ("def entry():\n    return load('pack.strange:X')"),
    "a try": (
        "try:\n    from pack.strange import X\nexcept ImportError:\n    X = 0\n\n\ndef entry():\n    return X"
    ),
    "a relative import": ("from .strange import X\n\n\ndef entry():\n    return X"),
    "a default argument": ("from pack.strange import X\n\n\ndef entry(x=X):\n    return x"),
    "a base class": ("from pack import strange\n\n\nclass Entry(strange.X):\n    pass"),
    "a name handed on": ("from pack.between import X\n\n\ndef entry():\n    return X"),
}


@pytest.mark.parametrize("name", INDIRECT)
def test_a_definition_is_found_however_it_is_reached(tmp_path: Path, name: str) -> None:
    files = {"entry.py": INDIRECT[name], "between.py": "from pack.strange import X\n"}
    before = code(tmp_path, {**files, "strange.py": "X = 1\n"})
    after = code(tmp_path, {**files, "strange.py": "X = 2\n"})
    assert before["strange"] != after["strange"]


def test_only_entry_functions_count_if_a_module_has_some(tmp_path: Path) -> None:
    text = "@entry\ndef run():\n    return used()\n\n\ndef used():\n    return 1\n\n\ndef unused():\n    return 2\n"
    before = code(tmp_path, {"entry.py": text})
    assert code(tmp_path, {"entry.py": text.replace("return 2", "return 3")}) == before
    assert code(tmp_path, {"entry.py": text.replace("return 1", "return 3")}) != before


def test_the_type_of_a_command_line_argument_counts(tmp_path: Path) -> None:
    """Its class is named only in the annotation, but its methods may run."""
    text = "from pack.tools import Colour\n\n\n@entry\ndef run(colour: Colour):\n    return colour.is_warm\n"
    files = {"entry.py": text, "tools.py": TOOLS}
    cold = {**files, "tools.py": TOOLS.replace("self is Colour.RED", "False")}
    navy = {**files, "tools.py": TOOLS.replace('"blue"', '"navy"')}
    assert code(tmp_path, cold) != code(tmp_path, files) == code(tmp_path, navy)


def test_an_unknown_module_is_a_bug() -> None:
    with pytest.raises(ValueError, match="is not a module"):
        code_of("multirm.nonsense")


def test_a_line_names_each_module() -> None:
    lines = code_lines("multirm.evaluation.accuracy")
    assert len(lines) == len(code_of("multirm.evaluation.accuracy")) > 20
    assert all(line.startswith(f"{MARK}") and len(line.split(": ")[1]) == 12 for line in lines)
    assert len(code_digest("multirm.evaluation.accuracy")) == 64


def test_the_code_of_some_jobs() -> None:
    evaluation = set(code_of("multirm.evaluation.accuracy"))
    assert {"evaluation.exact", "tables.accuracy", "running.files"} <= evaluation
    assert not {"version", "tables.registry", "running.numbers", "running.arguments"} & evaluation
    assert not any(name.startswith(("figures", "training", "cli", "study")) for name in evaluation)
    assert "text.encoding" in code_of("multirm.training.discriminative")
    for module in ("critiques.filter", "critiques.shorten", "data.demonstrations"):
        assert not {"text.encoding", "engines.base", "running.journal"} & set(
            code_of(f"multirm.{module}")
        )


def test_the_miniature_depends_on_its_facts() -> None:
    assert "data.miniature.facts/elements.csv" in code_of("multirm.data.miniature.generate")


def with_notes(source: str, seed: int) -> str:
    """A source with added comments, blank lines and docstrings."""
    tree = ast.parse(source)
    draw = random.Random(seed)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and draw.random() < 0.5:
            node.body.insert(0, ast.Expr(ast.Constant(f"Note {draw.random()}.")))
    lines = ast.unparse(tree).splitlines()
    return "".join(f"{line}\n" + "\n# Note.\n" * (line == "") for line in lines)


@given(seed=st.integers(0, 2**32 - 1))
def test_comments_and_docstrings_anywhere_in_this_package_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    module = "running.files"
    folder = tmp_path_factory.mktemp("package")
    file = folder / "multirm" / "running" / "files.py"
    shutil.copytree(ROOT / "src/multirm/running", file.parent)
    for init in ("", "running"):
        (folder / "multirm" / init / "__init__.py").touch()
    before = Package(folder / "multirm").code_of(module)
    file.write_text(with_notes(file.read_text(), seed))
    assert Package(folder / "multirm").code_of(module) == before
