"""Time and memory of whole scoring jobs for 1, 4 and 16 times the solutions: run by hand.

    python tests/benchmarks/growth.py MODEL KIND SOLUTIONS [ENGINE]

MODEL is the folder of an adapter or a full model of KIND, and SOLUTIONS a table, as in
results/models/dPRM-mini/adapter dPRM results/data/Facts_junior/history.parquet after `make study`.
Copies of pools differ in the first words of the question, so that they share no prefixes.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS

POOLS = 25


def copies(solutions: Path, times: int, output: Path) -> int:
    """Write copies of the first pools of a table, and return the number of solutions."""
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    chosen = list(dict.fromkeys(row["question_id"] for row in rows))[:POOLS]
    pools = [row for row in rows if row["question_id"] in chosen]
    copied = [
        {
            **row,
            "question_id": f"{copy}-{row['question_id']}",
            "question": f"{copy}: {row['question']}",
        }
        for copy in range(times)
        for row in pools
    ]
    parquet.write(output, SOLUTIONS, copied, origin_of("multirm.tables.parquet", {}, [solutions]))
    return len(copied)


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds, and the peak resident memory of the largest process, in GiB."""
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[4]} failed")
    return time.perf_counter() - started, usage.ru_maxrss / 2**20


def main(model: str, kind: str, solutions: str, engine: str = "transformers") -> None:
    before = None
    with TemporaryDirectory() as folder:
        given, output = Path(folder, "solutions.parquet"), Path(folder, "rewards.parquet")
        command = [sys.executable, "-m", "multirm"]
        if Kind(kind).is_generative:
            command += ["score-generative", "--kind", kind, "--name", "model", "--model", model]
            command += ["--engine", engine, "--samples", "2", "--max-tokens", "160"]
            command += ["--output-critiques", str(Path(folder, "critiques.parquet"))]
        else:
            command += ["score-discriminative", "--model", f"model={model}"]
        command += ["--solutions", str(given), "--output", str(output)]
        for times in (1, 4, 16):
            n = copies(Path(solutions), times, given)
            seconds, memory = measure(command)
            grown = "" if before is None else f", {seconds / before:.2f} times a quarter of them"
            print(f"{kind}: {n} solutions: {seconds:.1f} s{grown}; {memory:.2f} GiB")
            before = seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
