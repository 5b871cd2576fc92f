"""A job that scores steps can be killed at any time, and its table is that of an undisturbed one."""

from pathlib import Path

import numpy as np
import pytest

from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of
from tests.scoring.conftest import Run, journals_in, n_kept, tables_in

WORDS = ["the", "treaty", "of", "was", "signed", "in", "1648", "because", "12", "+", "30", "42"]


@pytest.fixture(scope="module")
def solutions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(0)

    def text(longest: int) -> str:
        return " ".join(generator.choice(WORDS, generator.integers(1, longest)))

    questions = [text(40) for _ in range(60)]
    rows = [
        {
            "dataset": "data",
            "category": "law",
            "question_id": f"q{k // 8:02}",
            "solution_id": k % 8,
            "question": questions[k // 8],
            "answer": "C",
            "steps": [text(30) for _ in range(generator.integers(1, 6))],
            "parsed_answer": None,
            "outcome": 0,
            "step_labels": None,
        }
        for k in range(480)
    ]
    path = tmp_path_factory.mktemp("data") / "solutions.parquet"
    parquet.write(path, SOLUTIONS, rows, made_of())
    return path


def test_a_killed_job_goes_on_and_its_table_is_that_of_an_undisturbed_one(
    tmp_path: Path, tiny_model: Path, solutions: Path, run: Run
) -> None:
    def command(folder: Path) -> list[str]:
        return [
            *("score-discriminative", "--model", f"dORM={tiny_model}"),
            *("--solutions", str(solutions), "--output", str(folder / "r.parquet")),
            *("--batch-tokens", "600"),
        ]

    whole, killed, log = tmp_path / "whole", tmp_path / "killed", tmp_path / "log"
    code, lifetime = run(None, log, command(whole))
    assert code == 0, log.read_text()
    generator = np.random.default_rng(0)
    kept = []
    while True:
        seconds = generator.uniform(0, lifetime) if len(kept) < 24 else None
        code, _ = run(seconds, log, command(killed))
        if code == -9:
            kept.append(n_kept(killed))
            continue
        assert code == 0, log.read_text()
        assert tables_in(killed) == tables_in(whole)
        assert journals_in(killed) == []
        if seconds is None:
            break
        (killed / "r.parquet").unlink()
    assert len(set(kept)) > 2
