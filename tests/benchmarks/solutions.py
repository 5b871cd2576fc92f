"""Run time and size of the page's solutions at the size of MMLU-Pro's test set: run by hand.

python tests/benchmarks/solutions.py   250,000 solutions with 10 steps each, 4 models, 10 critiques of 2 of them
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from multirm.database.opening import open_database
from multirm.report.page.solutions import solutions_payload
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.solutions import SOLUTIONS
from multirm.tables.views import find_tables

CATEGORIES, QUESTIONS, POOL, STEPS, CRITIQUES = 14, 140, 128, 10, 10
UNITS = {"dORM": "step", "dPRM": "step", "gORM": "critique", "gPRM": "critique"}
LETTERS = np.array(list("ABCDEFGHIJ"))
# Texts of as many different words as a language model's have.
WORDS = [f"w{number:x}" for number in range(20_000)]


def texts(rng: np.random.Generator, count: int, words: int) -> list[str]:
    """Random texts, a thousand different ones."""
    some = [" ".join(rng.choice(WORDS, words)) for _ in range(1000)]
    return [f"{some[number]} {place}" for place, number in enumerate(rng.integers(0, 1000, count))]


def write_study(folder: Path) -> None:
    origin = origin_of("multirm.tables.parquet", {}, [])
    rng = np.random.default_rng(1)
    count = QUESTIONS * POOL
    for number in range(CATEGORIES):
        category = f"category_{number:02}"
        answer = np.repeat(LETTERS[rng.integers(0, 10, QUESTIONS)], POOL)
        right = rng.random(count) < 0.4
        keys = {
            "dataset": pa.array(["bench"] * count),
            "category": pa.array([category] * count),
            "question_id": pa.array(np.repeat([f"q{i}" for i in range(QUESTIONS)], POOL)),
            "solution_id": pa.array(np.tile(np.arange(POOL), QUESTIONS), pa.int32()),
        }
        every_tenth = pa.array(np.arange(count + 1) * STEPS, pa.int32())
        steps = pa.ListArray.from_arrays(every_tenth, pa.array(texts(rng, count * STEPS, 30)))
        solutions = {
            **keys,
            "question": pa.array(np.repeat(texts(rng, QUESTIONS, 80), POOL)),
            "answer": pa.array(answer),
            "steps": steps,
            "parsed_answer": pa.array(
                np.where(right, answer, LETTERS[rng.integers(0, 10, count)]), pa.string()
            ),
            "outcome": pa.nulls(count, pa.int8()),
            "step_labels": pa.nulls(count, pa.list_(pa.int8())),
        }
        table = pa.table(solutions).cast(SOLUTIONS.columns)
        parquet.write(folder / "data" / f"{category}.parquet", SOLUTIONS, table, origin)
        for model, unit in UNITS.items():
            values = np.clip(
                0.5 + 0.15 * np.repeat(right, STEPS) + 0.2 * rng.standard_normal(count * STEPS),
                0,
                1,
            )
            rewards = {
                **keys,
                "model": pa.array([model] * count),
                "rewards": pa.ListArray.from_arrays(every_tenth, pa.array(values, pa.float32())),
                **{
                    name: pa.nulls(count)
                    for name in ("n_tokens_read", "n_tokens_generated", "flops")
                },
                "truncated": pa.array(np.zeros(count, bool)),
                "unit": pa.array([unit] * count),
                "scale": pa.array(["probability"] * count),
            }
            table = pa.table(rewards).cast(REWARDS.columns)
            parquet.write(folder / model / f"{category}.parquet", REWARDS, table, origin)
            if unit == "critique":
                write_critiques(folder, category, model, keys, values, rng)


def write_critiques(
    folder: Path,
    category: str,
    model: str,
    keys: dict[str, pa.Array],
    values: np.ndarray,
    rng: np.random.Generator,
) -> None:
    every = {
        name: own.take(pa.array(np.repeat(np.arange(len(own)), CRITIQUES)))
        for name, own in keys.items()
    }
    count = len(values)
    critiques = {
        **every,
        "model": pa.array([model] * count),
        "critique_id": pa.array(np.tile(np.arange(CRITIQUES), count // CRITIQUES), pa.int32()),
        "critique": pa.array(texts(rng, count, 200)),
        "reward": pa.array(values, pa.float32()),
        "reason": pa.nulls(count, pa.string()),
        "n_tokens_generated": pa.array(np.zeros(count), pa.int32()),
        "truncated": pa.array(np.zeros(count, bool)),
    }
    table = pa.table(critiques).cast(SCORED_CRITIQUES.columns)
    path = folder / model / f"{category}.critiques.parquet"
    parquet.write(path, SCORED_CRITIQUES, table, origin_of("multirm.tables.parquet", {}, []))


def main() -> None:
    folder = Path(sys.argv[1]) if sys.argv[1:] else Path(tempfile.mkdtemp())
    if not any(folder.iterdir()):
        write_study(folder)
    size = sum(path.stat().st_size for path in folder.rglob("*.parquet"))
    started = time.perf_counter()
    payload = solutions_payload(open_database(find_tables(folder)))
    seconds = time.perf_counter() - started
    (dataset,) = payload["datasets"]
    print(
        f"{CATEGORIES * QUESTIONS * POOL:,} solutions, {len(UNITS)} models, {size / 1e9:.1f} GB of tables:",
        end=" ",
    )
    print(f"{seconds:.1f} s, {len(json.dumps(payload)) / 1e6:.1f} MB,", end=" ")
    print(f"{dataset['n_shown']} of {dataset['n_questions']} questions,", end=" ")
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
