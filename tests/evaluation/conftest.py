"""Small tables of solutions and rewards for tests of evaluation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from multirm.evaluation.options import SelectionOptions
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.samples import SAMPLES
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

Solution = tuple[str | None, dict[str, list[float | None]]]
Pool = tuple[str, list[Solution]]


@dataclass(frozen=True)
class Written:
    solutions: list[Path]
    rewards: list[Path]

    def options(self, aggregation: Sequence[str], **changes: Any) -> SelectionOptions:
        """The options of a command that reads all of the tables."""
        given = {
            "solutions": [str(path) for path in self.solutions],
            "rewards": [f"{path.parent.name}={path}" for path in self.rewards],
            "aggregation": aggregation,
        }
        return SelectionOptions(**(given | changes))

    def as_sampled(self) -> list[str]:
        """Turn solutions without an answer into samples that are none; returns the tables of all samples."""
        samples, left_out = [], set()
        for path in self.solutions:
            rows = parquet.read(path, SOLUTIONS).to_pylist()
            kept = [row for row in rows if row["parsed_answer"] is not None]
            left_out |= {key_of(row) for row in rows if row["parsed_answer"] is None}
            samples.append(path.parent.parent / "samples" / path.name)
            parquet.write(samples[-1], SAMPLES, [as_sample(row) for row in rows], made_of())
            parquet.write(path, SOLUTIONS, kept, made_of())
        for path in self.rewards:
            rows = parquet.read(path, REWARDS).to_pylist()
            scored = [row for row in rows if key_of(row) not in left_out]
            parquet.write(path, REWARDS, scored, made_of())
        return list(map(str, samples))


def key_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in SOLUTIONS.key)


def as_sample(row: Mapping[str, Any]) -> dict[str, Any]:
    """The sample that a solution was; every other one without an answer was cut off."""
    key = dict(zip(SOLUTIONS.key, key_of(row), strict=True))
    reason = None
    if row["parsed_answer"] is None:
        reason = "no_answer" if row["solution_id"] % 2 else "cut_off"
    return {**key, "text": "?", "reason": reason, "n_tokens_read": 1, "n_tokens_generated": 1}


WriteTables = Callable[..., Written]


def type_columns(model: str, scale: str) -> dict[str, str]:
    """What the rewards of the tests' models are, by the first letter of their kind."""
    return {"unit": "step" if model.startswith("d") else "critique", "scale": scale}


@pytest.fixture
def write_tables(tmp_path: Path) -> WriteTables:
    """Writes category → question → (reference answer, solutions), one table per category and model.

    A solution is its parsed answer and each model's list of rewards.
    """

    def write(
        study: Mapping[str, Mapping[str, Pool]], models: Sequence[str], scale: str = "probability"
    ) -> Written:
        written = Written([], [])
        for category, questions in study.items():
            solutions = []
            rewards: dict[str, list[dict[str, object]]] = {model: [] for model in models}
            for question_id, (answer, pool) in questions.items():
                for solution_id, (parsed, lists) in enumerate(pool):
                    key = {
                        "dataset": "small",
                        "category": category,
                        "question_id": question_id,
                        "solution_id": solution_id,
                    }
                    solutions.append(
                        {
                            **key,
                            "question": "?",
                            "answer": answer,
                            "steps": ["Some step."],
                            "parsed_answer": parsed,
                            "outcome": int(parsed == answer),
                            "step_labels": None,
                        }
                    )
                    for model in models:
                        row = {"model": model, "rewards": lists[model]}
                        rewards[model].append(
                            {**key, **row, "truncated": False, **type_columns(model, scale)}
                        )
            path = tmp_path / "data" / f"{category}.parquet"
            parquet.write(path, SOLUTIONS, solutions, made_of())
            written.solutions.append(path)
            for model in models:
                path = tmp_path / "rewards" / model / f"{category}.parquet"
                parquet.write(path, REWARDS, rewards[model], made_of())
                written.rewards.append(path)
        return written

    return write
