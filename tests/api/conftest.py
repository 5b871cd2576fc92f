"""A data frame of somebody's own solutions and rewards."""

from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def rows() -> list[dict[str, Any]]:
    """20 questions in two categories, with 4 solutions each; the rewards are right more often than not."""
    chance = np.random.default_rng(5)
    found = []
    for question in range(20):
        for solution in range(4):
            right = bool(chance.random() < 0.45)
            found.append(
                {
                    "qid": f"q{question}",
                    "sample": solution,
                    "subject": "law" if question % 2 else "math",
                    "gold": "A",
                    "extracted_answer": "A" if right else str(chance.choice(["B", "C"])),
                    "response": "Think.\n\nSo it is.",
                    "skywork": None if solution == 3 else float(chance.normal(right)),
                    "prm": [float(each) for each in chance.random(2)],
                    "is_correct": right,
                }
            )
    return found


@pytest.fixture(scope="session")
def said() -> dict[str, Any]:
    """What is said about their columns."""
    return {
        "columns": {"category": "subject", "solution_id": "sample"},
        "rewards": {"skywork": "skywork", "prm": "prm"},
        "split": "blank_lines",
        "unit": {"prm": "step"},
        "scale": {"prm": "probability"},
    }
