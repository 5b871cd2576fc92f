"""Time, memory and size of `multirm report` at the size of a paper's test set: run by hand.

python tests/benchmarks/page.py FOLDER [QUESTIONS]    250,000 solutions, 4 models, 5 million critiques

Writes the tables into FOLDER, evaluates them, and builds the page, which is then FOLDER/report.html.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.schema import Schema
from multirm.tables.solutions import SOLUTIONS

CATEGORIES = 14
POOL = 128
STEPS = 8
CRITIQUES = 10
MODELS = {"dORM": STEPS, "dPRM": STEPS, "gORM": CRITIQUES, "gPRM": CRITIQUES}
AGGREGATIONS = {"dORM": "last", "dPRM": "min", "gORM": "mean", "gPRM": "mean"}
LETTERS = np.array(list("ABCDEFGHIJ"))
WORDS = np.array(
    "the a of force energy law rate price cell so then hence because equals 12 7 x y".split()
)


def write_tables(folder: Path, questions: int) -> None:
    """Tables of random solutions of eight steps, two in five right, and of slightly informative rewards."""
    rng = np.random.default_rng(1)
    texts = np.array([" ".join(rng.choice(WORDS, 18)) for _ in range(4000)])
    for number in range(CATEGORIES):
        category = f"category_{number:02}"
        count = questions * POOL
        answer = np.repeat(LETTERS[rng.integers(0, 10, questions)], POOL)
        parsed = np.where(rng.random(count) < 0.4, answer, LETTERS[rng.integers(0, 10, count)])
        right = parsed == answer
        parsed = np.where(rng.random(count) < 0.02, None, parsed)
        keys = {
            "dataset": np.repeat("bench", count),
            "category": np.repeat(category, count),
            "question_id": np.repeat([f"q{i}" for i in range(questions)], POOL),
            "solution_id": np.tile(np.arange(POOL, dtype=np.int32), questions),
        }
        first_wrong = np.where(right, STEPS, rng.integers(0, STEPS, count))
        labels = (np.arange(STEPS) < first_wrong[:, None]).astype(np.int8)
        solutions = {
            **keys,
            "question": np.repeat([f"Which? {rng.choice(texts)}" for _ in range(questions)], POOL),
            "answer": answer,
            "steps": lists(rng.choice(texts, (count, STEPS))),
            "parsed_answer": parsed,
            "outcome": right.astype(np.int8),
            "step_labels": lists(labels),
        }
        write(folder / "solutions" / f"{category}.parquet", SOLUTIONS, solutions)
        for model, n_rewards in MODELS.items():
            noise = 0.2 * rng.standard_normal((count, n_rewards))
            values = np.clip(0.5 + 0.15 * right[:, None] + noise, 0, 1).astype(np.float32)
            is_generative = model.startswith("g")
            rewards = {
                **keys,
                "model": np.repeat(model, count),
                "rewards": lists(values),
                "unit": np.repeat("critique" if is_generative else "step", count),
                "scale": np.repeat("probability", count),
                "truncated": np.zeros(count, bool),
            }
            write(folder / "rewards" / model / f"{category}.parquet", REWARDS, rewards)
            if is_generative:
                critiques = {
                    **{name: np.repeat(column, n_rewards) for name, column in keys.items()},
                    "model": np.repeat(model, count * n_rewards),
                    "critique_id": np.tile(np.arange(n_rewards, dtype=np.int32), count),
                    "critique": rng.choice(texts, count * n_rewards),
                    "reward": values.reshape(-1),
                    "n_tokens_generated": np.full(count * n_rewards, 40, np.int32),
                    "truncated": np.zeros(count * n_rewards, bool),
                }
                place = folder / "rewards" / model / f"{category}.critiques.parquet"
                write(place, SCORED_CRITIQUES, critiques)


def lists(values: np.ndarray) -> pa.ListArray:
    """A list for each row of values."""
    n_rows, n_values = values.shape
    ends = pa.array(np.arange(n_rows + 1) * n_values, pa.int32())
    return pa.ListArray.from_arrays(ends, pa.array(values.reshape(-1)))


def write(path: Path, schema: Schema, columns: dict[str, object]) -> None:
    """A table; columns that are not given are null."""
    n_rows = len(columns["dataset"])  # type: ignore[arg-type]
    arrays = [
        pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(n_rows, field.type)
        for field in schema.columns
    ]
    table = pa.Table.from_arrays(arrays, schema=schema.columns)
    parquet.write(path, schema, table, origin_of("multirm.tables.parquet", {}, []))


def run(*words: str) -> None:
    """Run a command as a process of its own, and print its time and memory."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "multirm", *words], check=True)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{words[0]}: {seconds:.1f} s, at most {memory:,.0f} MB so far", flush=True)


def main(folder: Path, questions: int) -> None:
    if not folder.exists():
        write_tables(folder, questions)
    n_solutions = CATEGORIES * questions * POOL
    print(f"{n_solutions:,} solutions, {len(MODELS)} models", flush=True)
    solutions = [str(path) for path in sorted((folder / "solutions").iterdir())]
    rewards = [f"{model}={folder / 'rewards' / model}" for model in MODELS]
    named = [
        f"{model}={path}"
        for model in MODELS
        for path in sorted((folder / "rewards" / model).iterdir())
        if "critiques" not in path.name
    ]
    if not (folder / "evaluation").exists():
        aggregations = [f"{model}={each}" for model, each in AGGREGATIONS.items()]
        words = ["--solutions", *solutions, "--rewards", *named, "--aggregation", *aggregations]
        run("evaluate", *words, "--output", str(folder / "evaluation"))
    places = [str(folder / "solutions"), *(each.partition("=")[2] for each in rewards)]
    output = folder / "report.html"
    run(
        "report",
        "--evaluations",
        str(folder / "evaluation"),
        "--tables",
        *places,
        "--output",
        str(output),
    )
    print(f"{output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 140)
