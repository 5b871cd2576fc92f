"""Run time of `multirm evaluate`, as a whole process, and its growth: run by hand.

python tests/benchmarks/evaluation.py published   the paper's protocol compared with plain loops
python tests/benchmarks/evaluation.py exact       2,063 questions, pools of 128, N to 128
python tests/benchmarks/evaluation.py growth      up to 1,000,000 solutions, 8 models
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS

MODELS = ("dORM", "dPRM", "gORM", "gPRM")
AGGREGATIONS = {"dORM": "last", "dPRM": "min", "gORM": "mean", "gPRM": "mean"}
LETTERS = np.array(list("ABCDEFGHIJ"))


def write_study(
    folder: Path, categories: int, questions: int, pool: int, models: tuple[str, ...], rewards: int
) -> None:
    """Tables of random solutions, two in five right, and of slightly informative rewards."""
    rng = np.random.default_rng(1)
    for number in range(categories):
        category = f"category_{number:02}"
        count = questions * pool
        answer = np.repeat(LETTERS[rng.integers(0, 10, questions)], pool)
        parsed = np.where(rng.random(count) < 0.4, answer, LETTERS[rng.integers(0, 10, count)])
        parsed = np.where(rng.random(count) < 0.02, None, parsed)
        keys = {
            "dataset": pa.array(["bench"] * count),
            "category": pa.array([category] * count),
            "question_id": pa.array(np.repeat([f"q{i}" for i in range(questions)], pool)),
            "solution_id": pa.array(np.tile(np.arange(pool), questions), pa.int32()),
        }
        solutions = {
            **keys,
            "question": pa.array(["Which?"] * count),
            "answer": pa.array(answer),
            "steps": pa.array([["So."]] * count, pa.list_(pa.string())),
            "parsed_answer": pa.array(parsed, pa.string()),
            "outcome": pa.array((parsed == answer).astype(np.int8)),
            "step_labels": pa.nulls(count, pa.list_(pa.int8())),
        }
        write(folder / "solutions" / f"{category}.parquet", SOLUTIONS, solutions)
        for model in models:
            good = np.repeat(parsed == answer, rewards)
            values = np.clip(0.5 + 0.15 * good + 0.2 * rng.standard_normal(len(good)), 0, 1)
            lists = pa.ListArray.from_arrays(
                pa.array(np.arange(count + 1) * rewards, pa.int32()),
                pa.array(np.round(values, 3), pa.float32()),
            )
            rows = {
                **keys,
                "model": pa.array([model] * count),
                "rewards": lists,
                "n_tokens_read": pa.array(np.full(count, 100), pa.int32()),
                "n_tokens_generated": pa.array(np.zeros(count), pa.int32()),
                "flops": pa.array(np.full(count, 1e12)),
                "truncated": pa.array(np.zeros(count, bool)),
            }
            write(folder / model / f"{category}.parquet", REWARDS, rows)


def write(path: Path, schema: Schema, columns: dict[str, pa.Array]) -> None:
    names = schema.columns.names
    table = pa.table([columns[name] for name in names], names=names)
    parquet.write(path, schema, table, origin_of("multirm.tables.parquet", {}, []))


def evaluate(folder: Path, models: tuple[str, ...], *options: str) -> float:
    """Seconds of the whole process."""
    given = [f"--rewards={model}={folder / model}" for model in models]
    how = [f"--aggregation={model}={AGGREGATIONS.get(model, 'mean')}" for model in models]
    command = [sys.executable, "-m", "multirm", "evaluate", "--solutions", folder / "solutions"]
    started = time.perf_counter()
    subprocess.run([*command, *given, *how, *options, "--output", folder / "out"], check=True)
    return time.perf_counter() - started


def largest() -> float:
    """The peak memory of the largest process so far, in GiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20


def published(folder: Path) -> None:
    write_study(folder, 14, 147, 16, MODELS, 4)
    sizes = ["--n", "1", "2", "4", "8", "16"]
    for _ in range(3):
        seconds = evaluate(folder, MODELS, "--estimator", "paper", "--runs", "100", *sizes)
        # The time of Multi-RM's own evaluator for the same work, on a machine with 2 cores.
        print(f"14 x 147 questions, 16 solutions, 4 models, 100 runs: {seconds:.2f} s, ", end="")
        print(f"{50.8 / seconds:.0f} times as fast as 50.8 s; {largest():.2f} GiB")


def exact(folder: Path) -> None:
    write_study(folder, 14, 2063 // 14 + 1, 128, MODELS, 4)
    sizes = ["--n", *(str(2**k) for k in range(8))]
    for _ in range(3):
        seconds = evaluate(folder, MODELS, *sizes)
        print(f"2,072 questions, 128 solutions, 4 models, exact: {seconds:.2f} s, ", end="")
        print(f"{10 / seconds:.2f} times as fast as 10 s; {largest():.2f} GiB")


def growth(folder: Path) -> None:
    models = tuple(f"model{k}" for k in range(8))
    before = None
    for solutions in (62_500, 250_000, 1_000_000):
        place = folder / str(solutions)
        write_study(place, 10, solutions // 160, 16, models, 4)
        seconds = evaluate(place, models)
        ratio = "" if before is None else f", {seconds / before:.1f} times a quarter of them"
        print(f"{solutions:,} solutions x 8 models: {seconds:.1f} s{ratio}; {largest():.2f} GiB")
        before = seconds


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        {"published": published, "exact": exact, "growth": growth}[sys.argv[1]](Path(folder))
