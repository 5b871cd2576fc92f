"""The notebook in the docs runs from top to bottom, and shows what it says."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"

Outputs = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebook")


@pytest.fixture(scope="module")
def shown(folder: Path) -> dict[str, Outputs]:
    """What each cell shows, by its first line: formats and their contents, or an error's lines."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # Unless a cell is marked to raise an error, none may.
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
    found: dict[str, Outputs] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            formats: Outputs = {}
            for output in cell.outputs:
                formats |= output.get("data", {})
                if output.output_type in ("error", "stream"):
                    formats[output.output_type] = output.get("traceback", output.get("text"))
            found[cell.source.splitlines()[0]] = formats
    return found


def test_it_keeps_no_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(code) > 8
    assert all(not cell.outputs and cell.execution_count is None for cell in code)


def test_pools_and_answers_are_shown(shown: dict[str, Outputs]) -> None:
    pools = "Pools of Simulated: 60 questions, 960 solutions; rewards of mine, other"
    assert shown["pools = multirm.Pools.from_frame("]["text/plain"] == pools
    answer = shown["evaluation = multirm.evaluate(pools, n=[1, 2, 4, 8, 16])"]["text/html"]
    assert answer.startswith("<pre>Simulated: 60 questions, mean of 2 categories\n")
    assert "beats the majority vote" in answer


def test_mistakes_are_shown_without_a_traceback(shown: dict[str, Outputs]) -> None:
    (message,) = shown["multirm.Pools.from_frame("]["error"]
    assert message.startswith("InputError: frame: 3 problems\n")
    assert "Traceback" not in message and "columns={'answer': 'label'}" in message


def test_frames_and_the_chart_are_shown(shown: dict[str, Outputs]) -> None:
    for line, formats in shown.items():
        if line.startswith(("overall", "columns", "evaluation.ledger", "chance")):
            assert "<table" in formats["text/html"], line
    chart = shown['evaluation.chart("best_of_n")']
    assert "mine" in chart["image/svg+xml"] and "text/html" not in chart
    # Logs are no part of a notebook.
    assert not [line for line, formats in shown.items() if "stream" in formats]


def test_the_page_and_tables_are_written(shown: dict[str, Outputs], folder: Path) -> None:
    assert 'evaluation.report("report.html")' in shown
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert (folder / "evaluation" / "accuracy.parquet").is_file()
