"""Rewards by the depth of the first error: known errors that carry over, and plain loops over pairs."""

import itertools
import logging
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from multirm.evaluation.error_depths import measure_error_depths
from multirm.evaluation.error_propagation import total_error
from multirm.evaluation.options import InputOptions
from multirm.tables import parquet
from multirm.tables.accuracy import OVERALL
from multirm.tables.error_depths import ERROR_DEPTHS, ERROR_PERSISTENCE
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS
from tests.origins import made_of

Row = dict[str, Any]

# Question, step labels, whether the answer is right, and each model's rewards.
Known = tuple[str, list[int], bool, Mapping[str, list[float | None]]]

ALPHA = 0.6


def write(
    folder: Path, categories: Mapping[str, Sequence[Known]], **scales: str
) -> dict[str, list[str]]:
    """Tables of solutions and rewards, as options."""
    models = list(next(iter(categories.values()))[0][3])
    options: dict[str, list[str]] = {"solutions": [], "rewards": []}
    for category, known in categories.items():
        solutions, rewards = [], []
        for k, (question, labels, is_right, lists) in enumerate(known):
            key = {"dataset": "Facts", "category": category, "question_id": question}
            key |= {"solution_id": k}
            answer = "4" if is_right else "5"
            solutions.append(
                {
                    **key,
                    "question": "?",
                    "answer": "4",
                    "parsed_answer": answer,
                    "steps": ["Step."] * len(labels),
                    "step_labels": labels,
                    "outcome": int(is_right),
                }
            )
            rewards += [
                {
                    **key,
                    "model": model,
                    "rewards": lists[model],
                    "truncated": False,
                    "unit": "step",
                    "scale": scales.get(model, "probability"),
                }
                for model in models
            ]
        path = folder / f"{category}.parquet"
        parquet.write(path, SOLUTIONS, solutions, made_of())
        options["solutions"].append(str(path))
        for model in models:
            own = folder / model / f"{category}.parquet"
            rows = [row for row in rewards if row["model"] == model]
            parquet.write(own, REWARDS, rows, made_of())
            options["rewards"].append(f"{model}={own}")
    return options


def measured(
    folder: Path, categories: Mapping[str, Sequence[Known]], **scales: str
) -> tuple[list[Row], list[Row]]:
    options = write(folder, categories, **scales)
    models = next(iter(categories.values()))[0][3]
    given = InputOptions(**options, aggregation=[f"{model}=min" for model in models])
    measure_error_depths(given, folder / "out")
    depths = parquet.read(folder / "out" / "error_depths.parquet", ERROR_DEPTHS)
    carried = parquet.read(folder / "out" / "error_persistence.parquet", ERROR_PERSISTENCE)
    return depths.to_pylist(), carried.to_pylist()


def carried_over(depth: int, n_steps: int, error: float) -> list[float | None]:
    """Rewards of right steps are 0.9; from the first error on, they lack an error that decays by ALPHA."""
    return [
        0.9 if step < depth else 0.9 - error * ALPHA ** (step - depth)
        for step in range(1, n_steps + 1)
    ]


def known_errors(error: Mapping[str, float], n_questions: int = 4) -> list[Known]:
    """A right solution to each question, and wrong ones with a first error at each of five steps."""
    found: list[Known] = []
    for k in range(n_questions):
        right = {model: carried_over(9, 5, 0) for model in error}
        found.append((f"q{k}", [1] * 5, True, right))
        for depth in range(1, 6):
            labels = [int(step < depth) for step in range(1, 6)]
            wrong = {model: carried_over(depth, 5, own) for model, own in error.items()}
            found.append((f"q{k}", labels, False, wrong))
    return found


def test_errors_that_carry_over_are_found_as_they_were_made(tmp_path: Path) -> None:
    made = known_errors({"outcome": 0.8, "process": 0.2})
    depths, carried = measured(tmp_path, {"law": made, "math": made})
    for row in carried:
        assert row["alpha"] == pytest.approx(ALPHA, abs=1e-6)
        expected = None if row["model"] == "outcome" else pytest.approx(0.25, abs=1e-6)
        assert row["factor"] == expected
        # 4 + 3 + 2 + 1 steps of each question have a next one.
        n_categories = 2 if row["category"] == OVERALL else 1
        assert (row["n_steps"], row["n_missing"]) == (4 * 10 * n_categories, 0)
    assert {(row["depth_low"], row["depth_high"]) for row in depths} == {
        (depth, depth) for depth in range(1, 6)
    }
    for row in depths:
        error = {"outcome": 0.8, "process": 0.2}[row["model"]]
        errors = [error * (step == row["depth_low"]) for step in range(1, 6)]
        assert row["total_error"] == pytest.approx(total_error(errors, ALPHA), abs=1e-6)
        assert row["predicted"] == pytest.approx(row["total_error"], abs=1e-6)
        assert row["accuracy"] == 1
        assert row["difference"] == (None if row["model"] == "outcome" else 0)


def random_solutions(seed: int) -> list[Known]:
    """Right and wrong solutions, some with a right answer after an error, ties and missing rewards."""
    generator = random.Random(seed)
    found: list[Known] = []
    for k in range(40):
        n_steps = generator.randint(1, 5)
        first = generator.randint(1, 2 * n_steps)
        labels = [int(step < first) for step in range(1, n_steps + 1)]
        is_right = generator.random() < (0.9 if all(labels) else 0.2)
        choices = [0.2, 0.4, 0.6, *[None] * (k % 5 == 0)]
        lists = {model: generator.choices(choices, k=n_steps) for model in ("a", "b")}
        found.append((f"q{k % 6}", labels, is_right, lists))
    return found


def plain_pairs(known: Sequence[Known], model: str, low: int, high: int) -> list[float | None]:
    """For each pair how far the right solution wins; None if a reward is missing."""

    def reward(lists: Mapping[str, list[float | None]]) -> float | None:
        return min((each for each in lists[model] if each is not None), default=None)

    found: list[float | None] = []
    for right, wrong in itertools.product(known, known):
        if right[0] != wrong[0] or not right[2] or not all(right[1]) or wrong[2] or all(wrong[1]):
            continue
        if not low <= wrong[1].index(0) + 1 <= high:
            continue
        one, other = reward(right[3]), reward(wrong[3])
        if one is None or other is None:
            found.append(None)
        else:
            found.append(0.5 if one == other else float(one > other))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_accuracies_and_differences_are_those_of_all_pairs(tmp_path: Path, seed: int) -> None:
    known = random_solutions(seed)
    depths, _ = measured(tmp_path, {"law": known})
    assert {row["model"] for row in depths} == {"a", "b"}
    for row in depths:
        ends = row["depth_low"], row["depth_high"]
        own, base = plain_pairs(known, row["model"], *ends), plain_pairs(known, "a", *ends)
        scored = [each for each in own if each is not None]
        assert (row["n_pairs"], row["n_missing"]) == (len(own), len(own) - len(scored))
        accuracy = sum(scored) / len(scored) if scored else None
        assert row["accuracy"] == (None if accuracy is None else pytest.approx(accuracy))
        if row["accuracy"] is not None:
            assert 0 <= row["accuracy_low"] <= row["accuracy"] <= row["accuracy_high"] <= 1
        pairs = zip(own, base, strict=True)
        both = [x - y for x, y in pairs if x is not None and y is not None]
        difference = pytest.approx(sum(both) / len(both)) if both and row["model"] == "b" else None
        assert row["difference"] == difference


def test_errors_are_unknown_where_no_right_solution_is_as_long(tmp_path: Path) -> None:
    rewards = {"a": [0.9, 0.5, 0.3]}
    known: list[Known] = [
        ("q", [1, 1], True, {"a": [0.9, 0.9]}),
        ("q", [1, 0, 0], False, rewards),
        ("q2", [1, 0], False, {"a": [None, 0.3]}),
    ]
    depths, carried = measured(tmp_path, {"law": known})
    (row,) = (row for row in depths if row["category"] == "law")
    # The third step's error is unknown, and so is the first solution's sum; the other's is 0.6.
    assert row["total_error"] == pytest.approx(0.6, abs=1e-6)
    assert {(each["alpha"], each["n_steps"], each["n_missing"]) for each in carried} == {
        (None, 1, 1)
    }


def test_factors_need_one_scale(tmp_path: Path) -> None:
    made = known_errors({"a": 0.5, "b": 0.1})
    _, carried = measured(tmp_path, {"law": made}, b="score")
    assert {row["factor"] for row in carried} == {None}


def test_without_wrong_solutions_nothing_is_measured(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        depths, carried = measured(tmp_path, {"law": [("q", [1], True, {"a": [0.5]})]})
    assert depths == carried == []
    assert "nothing is measured" in caplog.text


def test_solutions_without_step_labels_are_neither_right_nor_wrong(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = write(tmp_path, {"law": known_errors({"a": 0.5}, 1)})
    (path,) = map(Path, options["solutions"])
    rows = [row | {"step_labels": None} for row in parquet.read(path, SOLUTIONS).to_pylist()]
    parquet.write(path, SOLUTIONS, rows, made_of())
    with caplog.at_level(logging.WARNING):
        measure_error_depths(InputOptions(**options, aggregation=["a=min"]), tmp_path / "out")
    assert "nothing is measured" in caplog.text
