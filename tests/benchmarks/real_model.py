"""Speed, memory and drift of a real model on a CPU: training and scoring of a dPRM, in fp32 and bf16, by hand.

python tests/benchmarks/real_model.py MODEL PRMBENCH_FOLDER [SRC_OF_AN_EARLIER_CHECKOUT]

Each run is a process of one thread. It learns from the solutions to some of PRMBench's questions (one epoch in
batches of 8; also with little memory for activations), or scores them. Printed are tokens, CPU seconds per 1,000
tokens, peak memory, and how far rewards in bf16 are from those in fp32. With the sources of an earlier checkout, that
is measured as well, in turns.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

QUESTIONS = 16


def table_of(prmbench: Path, folder: Path) -> Path:
    """The solutions to the first questions."""
    every = folder / "every.parquet"
    reading = [
        "read-solutions",
        "--reader",
        "prmbench",
        "--dataset",
        "PRMBench",
        "--category",
        "math",
    ]
    sources = sorted(map(str, prmbench.glob("train_*.jsonl")))
    run = [sys.executable, "-m", "multirm", *reading, "--source", *sources, "--output", str(every)]
    subprocess.run(run, check=True, stderr=subprocess.DEVNULL)
    table = pq.read_table(every)
    questions = table["question_id"].unique()[:QUESTIONS].to_pylist()
    kept = [k for k, name in enumerate(table["question_id"].to_pylist()) if name in set(questions)]
    pq.write_table(table.take(kept).replace_schema_metadata(table.schema.metadata), every)
    return every


def measure(what: str, model: str, table: str, output: str, settings: str) -> None:
    """Train or score in this process, and print what it took as JSON."""
    given = json.loads(settings)
    if what == "train":
        from multirm.training.discriminative import DiscriminativeRecipe, train_discriminative

        recipe = DiscriminativeRecipe(batch_size=8, max_length=1024, learning_rate=5e-4, **given)
        start = time.process_time()
        train_discriminative(
            backbone=model, solutions=[Path(table)], output=Path(output), recipe=recipe
        )
    else:
        from multirm.scoring.discriminative import score_discriminative

        start = time.process_time()
        score_discriminative(
            model=[f"dPRM={model}"], solutions=Path(table), output=[Path(output)], **given
        )
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "peak": peak}))


def learned_tokens(model: str, table: Path) -> int:
    """The tokens that a dPRM learns from: those of each solution up to its first incorrect step."""
    from multirm.models.load import load_tokenizer
    from multirm.text.encoding import encode_solution

    tokenizer, total = load_tokenizer(model), 0
    for row in pq.read_table(table).to_pylist():
        labels = row["step_labels"]
        end = labels.index(0) + 1 if 0 in labels else len(labels)
        n = len(encode_solution(tokenizer, row["question"], row["steps"][:end]).ids)
        total += n if n <= 1024 else 0
    return total


def drift(one: Path, other: Path) -> str:
    """The mean and the largest difference of rewards."""
    pairs = [
        (a, b)
        for left, right in zip(
            pq.read_table(one)["rewards"].to_pylist(),
            pq.read_table(other)["rewards"].to_pylist(),
            strict=True,
        )
        for a, b in zip(left, right, strict=True)
    ]
    differences = [abs(a - b) for a, b in pairs]
    mean, most = sum(differences) / len(pairs), max(differences)
    return f"{len(pairs)} rewards, {mean:.4f} on average, {most:.4f} at most"


def main(model: str, prmbench: str, *before: str) -> None:
    """Print a line for each run."""
    sources = {"now": str(Path(__file__).resolve().parents[2] / "src")}
    sources |= {"before": str(Path(before[0]).resolve())} if before else {}
    with tempfile.TemporaryDirectory() as folder:
        table = table_of(Path(prmbench), Path(folder))
        n_learned = learned_tokens(model, table)
        scored: dict[str, Path] = {}
        trained = Path(folder) / "train now float32"
        print("run                     tokens  s per 1,000  peak GB", flush=True)
        earlier = [("before", {}) for _ in before]
        runs = [("now", {"dtype": "float32"}), ("now", {"dtype": "bfloat16"})]
        little = ("now", {"dtype": "float32", "activation_memory": 0.5})
        for what, versions in [("train", [*earlier, *runs, little]), ("score", [*earlier, *runs])]:
            for version, settings in versions:
                name = " ".join([what, version, *map(str, settings.values())])
                output, start = Path(folder) / name, model if what == "train" else str(trained)
                given = ["measure", what, start, table, output, json.dumps(settings)]
                found = json.loads(
                    subprocess.run(
                        [sys.executable, __file__, *given],
                        env={**os.environ, "PYTHONPATH": sources[version], "OMP_NUM_THREADS": "1"},
                        check=True,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        text=True,
                    ).stdout.splitlines()[-1]
                )
                tokens = n_learned
                if what == "score":
                    tokens = sum(pq.read_table(output)["n_tokens_read"].to_pylist())
                    scored[name] = output
                rate = 1000 * found["seconds"] / tokens
                print(f"{name:22} {tokens:7,} {rate:12.2f} {found['peak']:8.2f}", flush=True)
        print("bf16 and fp32:", drift(scored["score now float32"], scored["score now bfloat16"]))


if __name__ == "__main__":
    if sys.argv[1] == "measure":
        measure(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
