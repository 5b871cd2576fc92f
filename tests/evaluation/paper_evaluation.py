"""The paper's evaluation, implemented as plainly as possible: one solution at a time."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Pool = tuple[str, list[tuple[str | None, dict[str, list[float | None] | None]]]]

AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda rewards: rewards[-1],
    "min": min,
    "max": max,
    "mean": lambda rewards: float(np.mean(rewards)),
    "prod": lambda rewards: math.prod(rewards),
}


def accuracies(
    study: Mapping[str, Mapping[str, Pool]],
    models: Mapping[str, str],
    selection: str,
    n: Sequence[int],
    runs: int,
    seed: int,
) -> list[list[Any]]:
    """The rows of the wide CSV: N, method, then means and standard deviations of Overall and each category."""
    table = []
    for size in n:
        for method in ["MV", *models, "Pass@N"]:
            per_category = []
            for questions in study.values():
                per_run = []
                for run in range(runs):
                    right = []
                    for question_id, (answer, pool) in questions.items():
                        drawn = subset(pool, size, f"{seed}_{run}_{question_id}")
                        right.append(is_right(drawn, answer, method, models, selection))
                    per_run.append(100 * np.mean(right))
                per_category.append(per_run)
            everything = [accuracy for per_run in per_category for accuracy in per_run]
            columns = [everything, *per_category]
            table.append([size, method, *map(np.mean, columns), *map(np.std, columns)])
    return table


def subset(pool: list[Any], n: int, key: str) -> list[Any]:
    if len(pool) <= n:
        return pool
    generator = np.random.RandomState(int(hashlib.md5(key.encode()).hexdigest()[:8], 16))
    return [pool[i] for i in generator.choice(len(pool), n, replace=False)]


def is_right(
    pool: list[Any], answer: str, method: str, models: Mapping[str, str], selection: str
) -> bool:
    letters = [letter(parsed) for parsed, _ in pool]
    reference = answer.lower()
    if method == "Pass@N":
        return reference in letters
    if method == "MV":
        return most(letters, [1.0] * len(pool)) == reference
    rewards = [reward(lists[method], models[method]) for _, lists in pool]
    if selection == "best_of_n":
        return letters[rewards.index(max(rewards))] == reference
    return most(letters, rewards) == reference


def letter(parsed: str | None) -> str:
    cleaned = (parsed or "").strip().lower()
    return cleaned if len(cleaned) == 1 and cleaned in "abcdefghij" else "n/a"


def reward(rewards: list[float | None] | None, aggregation: str) -> float:
    known = [0.5 if r is None else r for r in rewards or []] or [0.5]
    return AGGREGATIONS[aggregation](known)


def most(answers: list[str], weights: list[float]) -> str:
    totals: dict[str, float] = {}
    for answer, weight in zip(answers, weights, strict=True):
        totals[answer] = totals.get(answer, 0.0) + weight
    best = max(totals.values())
    return next(answer for answer in totals if totals[answer] == best)
