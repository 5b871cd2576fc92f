"""The files whose change makes a rule's outputs stale."""

import pytest

from multirm.sources import module_files


def _names(module: str) -> set[str]:
    return {path.name for path in module_files(module)}


def test_a_module_depends_on_what_it_imports_and_on_the_files_it_reads() -> None:
    assert {"encoding.py", "prompts.py", "gORM.txt", "gPRM.txt", "errors.py"} <= _names(
        "multirm.encoding"
    )


def test_a_module_does_not_depend_on_the_command_line_or_on_other_stages() -> None:
    names = {path.as_posix() for path in module_files("multirm.evaluation.accuracy")}
    assert not any(
        "/figures/" in name or "/training/" in name or "cli.py" in name for name in names
    )


def test_the_miniature_depends_on_its_facts() -> None:
    files = module_files("multirm.data.miniature.generate")
    assert any(path.parent.name == "facts" and path.suffix != ".py" for path in files)


def test_an_unknown_module_is_a_bug() -> None:
    with pytest.raises(ValueError, match="no module"):
        module_files("multirm.nonsense")
