"""Accuracy of best-of-N against critiques used, simulating early stopping on existing critiques: run by hand.

python tests/benchmarks/adaptive.py simulated                    pools of 16 for several M and kinds of verifier
python tests/benchmarks/adaptive.py recorded SOLUTIONS REWARDS   folders of tables made by a study

Each line has the fraction of critiques that was used, the accuracy in % of the solution with the highest mean
reward, and the percentage of pools in which this solution differs from that with all critiques.
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from multirm.evaluation.selection import best_of_n
from multirm.scoring.adaptive import sample_in_rounds
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS

POOLS, SIZE = 400, 16
ERRORS = (0.0, 0.01, 0.05, 0.2)
# Sums of the parameters of a beta distribution: rewards of one solution nearly all 0 or 1, or similar.
VERIFIERS = {"sharp": 0.2, "middling": 4.0, "soft": 40.0}

# A pool's rewards [solutions, M], NaN without a verdict, and which solutions are correct.
Pool = tuple[np.ndarray, np.ndarray]


def simulated(samples: int, spread: float, generator: np.random.Generator) -> Iterator[Pool]:
    """Two solutions in five are correct, and get more or less higher rewards; 2 % have no verdict."""
    for _ in range(POOLS):
        correct = generator.random(SIZE) < 0.4
        quality = np.where(correct, generator.beta(3, 1.5, SIZE), generator.beta(1.5, 3, SIZE))
        quality = quality.clip(0.01, 0.99)
        rewards = generator.beta(spread * quality, spread * (1 - quality), (samples, SIZE)).T
        rewards[generator.random(rewards.shape) < 0.02] = np.nan
        yield rewards.astype(np.float32).astype(float), correct


def recorded(solutions: Path, rewards: Path) -> Iterator[Pool]:
    """The pools of a finished study."""
    for path in sorted(solutions.glob("*.parquet")):
        right = {
            (row["question_id"], row["solution_id"]): row["outcome"] == 1
            for row in parquet.read(path, SOLUTIONS).to_pylist()
        }
        by_question: dict[str, list[dict[str, Any]]] = {}
        for row in parquet.read(rewards / path.name, REWARDS).to_pylist():
            by_question.setdefault(row["question_id"], []).append(row)
        for question, rows in by_question.items():
            values = np.array([row["rewards"] for row in rows], dtype=float)
            yield values, np.array([right[question, row["solution_id"]] for row in rows])


def means(rewards: np.ndarray) -> np.ndarray:
    counts = (~np.isnan(rewards)).sum(axis=1)
    return np.where(counts, np.nansum(rewards, axis=1) / np.maximum(counts, 1), np.nan)


def best(rewards: np.ndarray) -> int:
    return int(np.where(np.isnan(means(rewards)), -1, means(rewards)).argmax())


def adaptive(pools: Sequence[Pool], error: float) -> tuple[list[np.ndarray], int]:
    """The pools without critiques that would not be sampled, and the number that would."""
    everything = np.concatenate([rewards for rewards, _ in pools])
    samples = everything.shape[1]

    def sample(chosen: Sequence[int], first: int, n: int) -> list[list[dict[str, Any]]]:
        drawn = everything[list(chosen), first : first + n].tolist()
        return [[{"reward": None if r != r else r} for r in row] for row in drawn]

    pool_of = [number for number, (rewards, _) in enumerate(pools) for _ in rewards]
    critiques = sample_in_rounds(sample, pool_of, samples, error)
    lengths = np.array([len(written) for written in critiques])
    seen = np.where(np.arange(samples) < lengths[:, None], everything, np.nan)
    ends = np.cumsum([len(rewards) for rewards, _ in pools])
    return np.split(seen, ends[:-1]), int(lengths.sum())


def report(name: str, pools: Sequence[Pool], seen: Sequence[np.ndarray], spent: float) -> None:
    accuracy = np.mean([best_of_n(c, means(s)) for s, (_, c) in zip(seen, pools, strict=True)])
    other = np.mean([best(s) != best(rewards) for s, (rewards, _) in zip(seen, pools, strict=True)])
    print(f"  {name:<16}{spent:6.0%} spent {100 * accuracy:7.2f} {100 * other:7.2f}")


def compare(name: str, pools: Sequence[Pool]) -> None:
    samples = pools[0][0].shape[1]
    total = sum(rewards.size for rewards, _ in pools)
    print(f"{name}: M = {samples}, {len(pools)} pools, accuracy and other best solution")
    report("all", pools, [rewards for rewards, _ in pools], 1)
    for error in ERRORS:
        seen, spent = adaptive(pools, error)
        report(f"error {error:g}", pools, seen, spent / total)
        # The same number of critiques for every solution, with at least the same total.
        fixed = -(-spent * samples // total)
        fewer = [rewards[:, :fixed] for rewards, _ in pools]
        report(f"  {fixed} of each", pools, fewer, fixed / samples)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["simulated"]:
            for verifier, spread in VERIFIERS.items():
                for samples in (10, 16, 32):
                    generator = np.random.default_rng(0)
                    compare(verifier, list(simulated(samples, spread, generator)))
        case ["recorded", solutions, rewards]:
            compare(rewards, list(recorded(Path(solutions), Path(rewards))))
