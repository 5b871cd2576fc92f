"""The stand-in for length: like a reward model whose rewards are minus the numbers of characters."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from multirm.errors import InputError
from multirm.evaluation import shorter
from multirm.evaluation.options import InputOptions
from multirm.evaluation.pools import Category
from multirm.evaluation.verification import evaluate_verification
from multirm.tables import parquet
from multirm.tables.response_accuracy import LONGER, SHORTER
from multirm.tables.rewards import REWARDS, RewardType, Scale, Unit
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.verification import RELIABILITY, STEP_VERIFICATION, VERIFICATION
from tests.origins import made_of

LETTERS = "aé√𝄞👍🏽\n "
"""Of one to four bytes in UTF-8, each one character of a text; two of them are one sign."""


def written_solutions(folder: Path) -> list[dict[str, Any]]:
    """Solutions to 30 questions in two categories, with labelled steps; incorrect steps tend to be longer."""
    generator = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for number in range(120):
        n_steps = int(generator.integers(1, 6))
        first = int(generator.integers(0, 2 * n_steps))
        labels = [int(place < first) for place in range(n_steps)]
        lengths = generator.integers(0, 9, n_steps) + 3 * (1 - np.array(labels))
        rows.append(
            {
                "dataset": "small",
                "category": "law" if number < 60 else "math",
                "question_id": str(number // 4),
                "solution_id": number % 4,
                "question": "?",
                "answer": None,
                "steps": ["é" + "".join(generator.choice(list(LETTERS), n)) for n in lengths],
                "parsed_answer": None,
                "outcome": int(all(labels)),
                "step_labels": labels,
            }
        )
    parquet.write(folder / "solutions.parquet", SOLUTIONS, rows, made_of())
    return rows


def rewards_of(folder: Path, rows: list[dict[str, Any]], model: str, unit: Unit) -> str:
    """Minus the numbers of characters, as a reward model's scores."""
    path = folder / f"{model}.parquet"
    lengths = [[-float(len(step)) for step in row["steps"]] for row in rows]
    values = lengths if unit is Unit.STEP else [[sum(own)] for own in lengths]
    keys = [{name: row[name] for name in SOLUTIONS.key} for row in rows]
    said = {"model": model, "truncated": False, "unit": unit, "scale": Scale.SCORE}
    table = [{**key, **said, "rewards": own} for key, own in zip(keys, values, strict=True)]
    parquet.write(path, REWARDS, table, made_of())
    return f"{model}={path}"


def by_model(path: Path, schema: Schema) -> dict[tuple[str, str], dict[str, Any]]:
    rows = parquet.read(path / f"{schema.name}.parquet", schema).to_pylist()
    return {
        (row["category"], row["model"]): {
            name: value for name, value in row.items() if name != "model"
        }
        for row in rows
    }


def test_it_is_a_reward_model_of_minus_the_characters(tmp_path: Path) -> None:
    rows = written_solutions(tmp_path)
    rewards = [
        rewards_of(tmp_path, rows, "steps", Unit.STEP),
        rewards_of(tmp_path, rows, "whole", Unit.SOLUTION),
    ]
    options = InputOptions(
        solutions=[str(tmp_path / "solutions.parquet")],
        rewards=rewards,
        aggregation=["steps=min", "whole=last"],
    )
    evaluate_verification(options, tmp_path / "e")
    steps, solutions = (
        by_model(tmp_path / "e", schema) for schema in (STEP_VERIFICATION, VERIFICATION)
    )
    assert list(steps) == [(name, m) for name in ("law", "math") for m in ("steps", SHORTER)]
    for category in ("law", "math"):
        assert steps[category, SHORTER] == steps[category, "steps"]
        assert solutions[category, SHORTER] == solutions[category, "whole"]
        row = steps[category, SHORTER]
        assert row["first_error_roc_auc_low"] < row["first_error_roc_auc"] > 0.6
        assert row["first_error_n_missing"] == 0
        assert (row["all_brier"], row["process_bench_f1"]) == (None, None)
        assert row["process_bench_n_erroneous"] + row["process_bench_n_correct"] == 60
    bins = parquet.read(tmp_path / "e" / "reliability.parquet", RELIABILITY)
    assert SHORTER not in bins["model"].to_pylist()


def test_it_needs_no_reward_model(tmp_path: Path) -> None:
    written_solutions(tmp_path)
    options = InputOptions(solutions=[str(tmp_path / "solutions.parquet")])
    evaluate_verification(options, tmp_path / "e")
    for schema in (STEP_VERIFICATION, VERIFICATION):
        assert list(by_model(tmp_path / "e", schema)) == [("law", SHORTER), ("math", SHORTER)]


def test_unknown_texts_have_no_reward(tmp_path: Path) -> None:
    """A null is no step of no characters: it is missing, and so is the solution that has it."""
    lengths = pa.array([[9], [3, 0], None, [], [2, None], [7]], pa.list_(pa.int64())).slice(1, 4)
    names = np.array(["q"] * 4)
    flags = np.array([True, False, True, True])
    labels = pa.array([[1, 1], [0], [], [1, 0]], pa.list_(pa.int64()))
    category = Category("law", names, flags, flags, flags, flags, labels, {}, {})
    steps = shorter.of_steps(category, lengths)
    assert steps.lists[SHORTER].to_pylist() == [[-3, 0], [], [], [-2, None]]
    assert steps.types == {SHORTER: RewardType(Unit.STEP, Scale.SCORE)}
    solutions = shorter.of_solutions(category, lengths)
    assert solutions.lists[SHORTER].to_pylist() == [[-3], [], [], []]
    assert solutions.types == {SHORTER: RewardType(Unit.SOLUTION, Scale.SCORE)}


@pytest.mark.parametrize("name", [LONGER, SHORTER])
def test_no_reward_model_has_its_name(tmp_path: Path, name: str) -> None:
    rows = written_solutions(tmp_path)
    options = InputOptions(
        solutions=[str(tmp_path / "solutions.parquet")],
        rewards=[rewards_of(tmp_path, rows, name, Unit.STEP)],
        aggregation=[f"{name}=min"],
    )
    with pytest.raises(InputError, match=f"none of .* longer, shorter, found '?{name}"):
        evaluate_verification(options, tmp_path / "e")
