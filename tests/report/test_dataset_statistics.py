"""Counts of datasets, against loops over rows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multirm.errors import InputError
from multirm.report.dataset_statistics import count, sheets, tabulate_dataset_statistics
from multirm.tables import parquet
from multirm.tables.dataset_statistics import DATASET_STATISTICS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of


def solutions(dataset: str, category: str, n: int, seed: int) -> list[dict[str, Any]]:
    generator = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        n_steps = int(generator.integers(1, 6))
        labels = generator.integers(0, 2, n_steps).tolist()
        rows.append(
            {
                "dataset": dataset,
                "category": category,
                "question_id": str(k // 3),
                "solution_id": k % 3,
                "question": "Q",
                "answer": "A",
                "parsed_answer": "A",
                "steps": ["s"] * n_steps,
                "outcome": None if k % 5 == 0 else int(generator.integers(0, 2)),
                "step_labels": None if k % 4 == 0 else labels,
            }
        )
    return rows


def loops(rows: list[dict[str, Any]]) -> dict[str, int]:
    labelled = [row for row in rows if row["step_labels"] is not None]
    labels = [label for row in labelled for label in row["step_labels"]]
    return {
        "n_questions": len({(row["category"], row["question_id"]) for row in rows}),
        "n_solutions": len(rows),
        "n_steps": sum(len(row["steps"]) for row in rows),
        "n_judged": sum(row["outcome"] is not None for row in rows),
        "n_correct": sum(row["outcome"] == 1 for row in rows),
        "n_labelled": len(labelled),
        "n_correct_steps": sum(labels),
        "n_incorrect_steps": len(labels) - sum(labels),
        "n_recoveries": sum(row["outcome"] == 1 and 0 in row["step_labels"] for row in labelled),
    }


@pytest.fixture
def tables(tmp_path: Path) -> dict[Path, list[dict[str, Any]]]:
    made = {}
    for seed, (dataset, category) in enumerate([("b", "math"), ("b", "law"), ("a", "law")]):
        path = tmp_path / f"{dataset} [{category}].parquet"
        made[path] = solutions(dataset, category, 20 + seed, seed)
        parquet.write(path, SOLUTIONS, made[path], made_of())
    return made


def test_counts_are_those_of_loops(tables: dict[Path, list[dict[str, Any]]]) -> None:
    math, law, other = tables.values()
    expected = [
        ("b", None, loops(math + law)),
        ("b", "math", loops(math)),
        ("b", "law", loops(law)),
        ("a", None, loops(other)),
        ("a", "law", loops(other)),
    ]
    assert count(list(tables)) == [
        {"dataset": dataset, "category": category, **of} for dataset, category, of in expected
    ]


def test_a_category_without_solutions_has_no_row(tables: Any, tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    parquet.write(empty, SOLUTIONS, [], made_of())
    assert count([*tables, empty]) == count(list(tables))


def test_every_format_is_written(tables: Any, tmp_path: Path) -> None:
    output = [tmp_path / f"t.{suffix}" for suffix in ("parquet", "tex", "md", "csv")]
    tabulate_dataset_statistics(list(tables), output)
    assert parquet.read(output[0], DATASET_STATISTICS).num_rows == 5
    text = output[2].read_text()
    assert text.count("**Solutions of ") == 2
    assert "solutions have no step labels" in text
    assert "have no outcome label and are not in the share" in text


def test_without_labels_there_are_dashes() -> None:
    row = dict.fromkeys(DATASET_STATISTICS.columns.names, 0)
    row |= {"dataset": "d", "category": None, "n_questions": 2, "n_solutions": 4, "n_steps": 10}
    (sheet,) = sheets([row])
    assert sheet.rows == [["all", "2", "4", "2.0", "2.5", "–", "–", "–", "–"]]


def test_other_tables_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    parquet.write(path, DATASET_STATISTICS, [], made_of())
    with pytest.raises(InputError, match="expected a table of solutions"):
        count([path])
