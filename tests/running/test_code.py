"""The files whose change makes a rule's outputs stale."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from multirm.running.code import code_digest, module_files

ROOT = Path(__file__).resolve().parents[2]


def _names(module: str) -> set[str]:
    return {path.name for path in module_files(module)}


def test_a_module_depends_on_what_it_imports_and_on_the_files_it_reads() -> None:
    assert {"encoding.py", "prompts.py"} <= _names("multirm.training.discriminative")
    assert {"chains.py", "elements.csv", "files.py"} <= _names("multirm.data.miniature.generate")


def test_prompt_templates_are_inputs_of_the_rules_that_fill_them_in() -> None:
    assert "gORM.txt" not in _names("multirm.scoring.generative")


def test_tables_of_critiques_are_read_without_what_writes_them() -> None:
    for module in ("critiques.filter", "critiques.shorten", "data.demonstrations"):
        assert not {"encoding.py", "base.py", "journal.py"} & _names(f"multirm.{module}")


def test_a_module_does_not_depend_on_the_command_line_or_on_other_stages() -> None:
    names = {path.as_posix() for path in module_files("multirm.evaluation.accuracy")}
    assert not any(
        "/figures/" in name or "/training/" in name or "cli.py" in name for name in names
    )


def test_what_a_command_refuses_is_no_part_of_what_it_makes() -> None:
    for module in ("training.discriminative", "data.read", "evaluation.accuracy"):
        assert not {"numbers.py", "arguments.py"} & _names(f"multirm.{module}")


def test_the_miniature_depends_on_its_facts() -> None:
    files = module_files("multirm.data.miniature.generate")
    assert any(path.parent.name == "facts" and path.suffix != ".py" for path in files)


def test_an_unknown_module_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no module"):
        module_files("multirm.nonsense")


def test_a_digest_is_of_the_files_that_a_module_uses_and_of_no_others(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src")
    package = tmp_path / "src" / "multirm"

    def digest() -> str:
        script = "from multirm.running.code import code_digest;print(code_digest('multirm.training.merge'))"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
        command = [sys.executable, "-c", script]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, check=True
        ).stdout

    before = digest()
    assert before.strip() == code_digest("multirm.training.merge")
    with (package / "study" / "resources.py").open("a") as file:
        file.write("# Not used.\n")
    assert digest() == before
    with (package / "models" / "load.py").open("a") as file:
        file.write("# Used.\n")
    assert digest() != before
