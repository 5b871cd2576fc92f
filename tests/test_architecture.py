"""The architecture of the package: data flows one way, and stages never import each other."""

from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]

AT_THE_TOP = {"__main__", "cli", "errors", "version"}

FOUNDATIONS = (
    *("running", "tables", "text", "formats", "models", "engines", "generation"),
    *("reward_models", "database", "charts", "study", "site"),
)
"""What every part stands on: a folder uses only those before it."""

STAGES = ("data", "critiques", "trees", "training", "scoring", "search", "evaluation", "figures")
STAGES += ("report",)

PLANNING = ("study", "site")
"""Which jobs there are and where they run. What a job computes uses none of it."""

LOOKING = ("inspect",)

ENTRIES = ("api",)
"""What Python code and notebooks call, beside the command line: it may use everything."""

PERMITTED = {
    **{folder: FOUNDATIONS[:place] for place, folder in enumerate(FOUNDATIONS)},
    **{stage: tuple(f for f in FOUNDATIONS if f not in PLANNING) for stage in STAGES},
    **dict.fromkeys(LOOKING, FOUNDATIONS),
    **dict.fromkeys(ENTRIES, (*FOUNDATIONS, *STAGES, *LOOKING)),
}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("multirm", cache_dir=None)


def _folder(module: str) -> str:
    return module.split(".")[1]


def test_only_entry_points_are_at_the_top() -> None:
    top = ROOT / "src" / "multirm"
    assert {file.stem for file in top.glob("*.py")} == AT_THE_TOP | {"__init__"}
    assert {folder.parent.name for folder in top.glob("*/__init__.py")} <= set(PERMITTED)


@pytest.mark.parametrize("folder", PERMITTED)
def test_a_folder_imports_only_those_below_it(graph: grimp.ImportGraph, folder: str) -> None:
    permitted = {folder, *PERMITTED[folder], "errors", "version"}
    strange = [
        f"{module} imports {imported}"
        for module in sorted(graph.modules)
        if module.startswith(f"multirm.{folder}.")
        for imported in sorted(graph.find_modules_directly_imported_by(module))
        if _folder(imported) not in permitted
    ]
    assert strange == []


def test_init_files_are_empty() -> None:
    """But for that of the package: what Python code uses, imported only once it is used."""
    top = ROOT / "src" / "multirm" / "__init__.py"
    found = [path for path in (ROOT / "src").rglob("__init__.py") if path.read_text().strip()]
    assert found == [top]


def test_modules_are_named_for_their_subject() -> None:
    nameless = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [p for p in (ROOT / "src").rglob("*.py") if p.name in nameless] == []
