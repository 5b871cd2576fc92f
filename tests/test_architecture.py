"""The shape of the package: data flows one way, and no stage knows another."""

from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("data", "critiques", "training", "scoring", "evaluation", "figures")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("multirm", cache_dir=None)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another(graph: grimp.ImportGraph, stage: str) -> None:
    others = [f"multirm.{other}" for other in STAGES if other != stage]
    imported = [
        other
        for other in others
        if graph.direct_import_exists(importer=f"multirm.{stage}", imported=other, as_packages=True)
    ]
    assert imported == []


@pytest.mark.parametrize("stage", STAGES)
def test_nothing_shared_imports_a_stage(graph: grimp.ImportGraph, stage: str) -> None:
    importers = graph.find_modules_that_directly_import(f"multirm.{stage}")
    for module in graph.find_descendants(f"multirm.{stage}"):
        importers |= graph.find_modules_that_directly_import(module)
    assert {name for name in importers if not name.startswith(f"multirm.{stage}")} == set()


def test_packages_are_empty_doors() -> None:
    assert [p for p in (ROOT / "src").rglob("__init__.py") if p.read_text().strip()] == []


def test_modules_are_named_for_their_subject() -> None:
    nameless = {"utils.py", "helpers.py", "common.py", "misc.py"}
    assert [p for p in (ROOT / "src").rglob("*.py") if p.name in nameless] == []
