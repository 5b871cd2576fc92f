"""Pools with everything that makes choosing difficult: ties, missing rewards and answers, different spellings."""

from pathlib import Path
from typing import Any

import numpy as np

from multirm.tables import parquet
from multirm.tables.reward_model_rows import RewardModel
from multirm.tables.reward_models import REWARD_MODELS, Kind
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

SPELLINGS = ("B", "(b)", "**b**", "C", "c.", "D", "no letter", "N/A", None)

KINDS = {"steps": Kind.DPRM, "critiques": Kind.GORM, "scores": Kind.PAIRWISE}
"""The models, with the kinds that they are said to be."""

_TYPES = {"steps": ("step", "probability"), "critiques": ("critique", "probability")}


SIZES = (1, 2, 3, 5, 8)


def write_pools(folder: Path, *, has_answers: bool = False) -> Path:
    """Write tables of one dataset with two categories, and rewards of three models, below a folder.

    Args:
        has_answers: whether all questions have reference answers, rather than most of them.
    """
    generator = np.random.default_rng(7)
    for category in ("law", "math"):
        solutions: list[dict[str, Any]] = []
        rewards: dict[str, list[dict[str, Any]]] = {model: [] for model in KINDS}
        for number in range(12):
            size = int(generator.choice(SIZES))
            answer = "B" if has_answers or has_answer(f"q{number}") else None
            for solution_id in range(size):
                key = {
                    "dataset": "d",
                    "category": category,
                    "question_id": f"q{number}",
                    "solution_id": solution_id,
                }
                n_steps = int(generator.integers(1, 4))
                outcome = int(generator.integers(2))
                solutions.append(
                    {
                        **key,
                        "question": "?",
                        "answer": answer,
                        "steps": [f"Step {step}." for step in range(n_steps)],
                        "parsed_answer": SPELLINGS[generator.integers(len(SPELLINGS))],
                        "outcome": outcome,
                        "step_labels": [1] * (n_steps - 1) + [outcome] if number % 2 else None,
                    }
                )
                for model in KINDS:
                    unit, scale = _TYPES.get(model, ("step", "score"))
                    n_rewards = n_steps if unit == "step" else 3
                    own = _rewards(generator, n_rewards, scale == "score")
                    # Of two categories, so that some pools have no rewards at all.
                    missing = generator.random() < 0.1 or number % 6 == 5
                    rewards[model].append(
                        {
                            **key,
                            "model": model,
                            "rewards": [None] * n_rewards if missing else own,
                            "truncated": False,
                            "unit": unit,
                            "scale": scale,
                        }
                    )
        parquet.write(folder / "data" / f"{category}.parquet", SOLUTIONS, solutions, made_of())
        for model, rows in rewards.items():
            parquet.write(folder / model / f"{category}.parquet", REWARDS, rows, made_of())
    described = [RewardModel(model=name, run_of=name, kind=kind) for name, kind in KINDS.items()]
    rows = [each.columns("d") for each in described]
    parquet.write(folder / "reward_models.parquet", REWARD_MODELS, rows, made_of())
    return folder


def has_answer(question_id: str) -> bool:
    """Whether a question has a reference answer, where not all have."""
    return int(question_id[1:]) % 4 < 3


def _rewards(generator: np.random.Generator, count: int, are_scores: bool) -> list[float | None]:
    """Rewards on a coarse grid, so that many tie, and some of them missing."""
    grid = generator.integers(0, 5, count)
    values = (100.0 * (grid - 2) if are_scores else grid / 4).tolist()
    return [None if generator.random() < 0.15 else value for value in values]
