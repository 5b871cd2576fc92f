"""VersaPRM's evaluation, implemented as plainly as possible: one solution at a time, with Python's own generator."""

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Solution = tuple[str | None, dict[str, list[float | None]]]
Pool = tuple[str, list[Solution]]

AGGREGATIONS: dict[str, Callable[[list[float]], float]] = {
    "last": lambda rewards: rewards[-1],
    "min": min,
    "mean": lambda rewards: sum(rewards) / len(rewards),
}


def accuracies(
    questions: Sequence[Pool], models: Mapping[str, str], n: Sequence[int], seeds: Sequence[int]
) -> dict[tuple[str, str | None, int], list[float]]:
    """The accuracy of each selection, model and N with each seed, of questions in the order of their file."""
    pools = [padded(answer, solutions, max(n)) for answer, solutions in questions]
    found: dict[tuple[str, str | None, int], list[float]] = {}
    for size in n:
        for seed in seeds:
            for selection, model in methods(models):
                random.seed(seed)
                right = 0
                for pool in pools:
                    subset = [pool[k] for k in random.sample(range(len(pool)), size)]
                    chosen = select(subset, selection, model, models)
                    right += next(s["correct"] for s in pool if s["answer"] == chosen)
                found.setdefault((selection, model, size), []).append(100 * right / len(pools))
    return found


def methods(models: Mapping[str, str]) -> list[tuple[str, str | None]]:
    ways = [(way, model) for way in ("best_of_n", "weighted_vote") for model in models]
    return [("majority_vote", None), *ways]


def padded(reference: str, solutions: Sequence[Solution], least: int) -> list[dict[str, Any]]:
    pool = [
        {"answer": answer, "correct": answer == reference, "rewards": lists}
        for answer, lists in solutions
        if answer is not None
    ]
    for j in range(least - len(pool)):
        pool.append({"answer": f"NOANSWER_{j}", "correct": False, "rewards": None})
    return pool


def select(
    subset: Sequence[dict[str, Any]], selection: str, model: str | None, models: Mapping[str, str]
) -> str:
    answers = [solution["answer"] for solution in subset]
    if model is None:
        return str(Counter(answers).most_common(1)[0][0])
    rewards = [score(solution["rewards"], model, models[model]) for solution in subset]
    if selection == "best_of_n":
        return str(answers[rewards.index(max(rewards))])
    totals: dict[str, float] = {}
    for answer, reward in zip(answers, rewards, strict=True):
        totals[answer] = totals.get(answer, 0.0) + reward
    return max(totals, key=lambda answer: totals[answer])


def score(lists: Mapping[str, list[float | None]] | None, model: str, aggregation: str) -> float:
    """0 for padding, and where no reward is known; `last` needs the last one."""
    rewards = lists[model] if lists else []
    if aggregation == "last":
        rewards = rewards[-1:]
    known = [reward for reward in rewards if reward is not None]
    return AGGREGATIONS[aggregation](known) if known else 0.0
