"""Small solutions tables to derive others from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

Rows = list[dict[str, Any]]


def solution(question: int, number: int, n_steps: int = 3, labelled: bool = True) -> dict[str, Any]:
    return {
        "dataset": "d",
        "category": "law",
        "question_id": f"q{question}",
        "solution_id": number,
        "question": "?",
        "answer": "A",
        "steps": [f"Step {k} of {question}/{number}." for k in range(n_steps)],
        "parsed_answer": "A" if number % 2 else "B",
        "outcome": number % 2,
        "step_labels": [1] * (n_steps - 1) + [number % 2] if labelled else None,
    }


@pytest.fixture
def write_solutions(tmp_path: Path) -> Callable[[Rows], Path]:
    def write(rows: Rows) -> Path:
        path = tmp_path / "solutions.parquet"
        parquet.write(path, SOLUTIONS, rows, made_of())
        return path

    return write
