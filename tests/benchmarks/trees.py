"""Time and memory of building trees, Parquet in and out, and growth with the number of answers: run by hand.

    python tests/benchmarks/trees.py [QUESTIONS]

Each case runs as one job for each of two categories at once, with QUESTIONS (10,000 by default) divided between them,
as a study does on 2 cores. Answers have ten segments of random words. Of ordinary answers, each segment is one of 16
sentences, with up to 8 words changed; of near misses, all are one sentence with 22 % of its words changed. The worst
case and the growth are measured with fewer questions, and the time for all is reckoned.
"""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.solutions import SOLUTIONS

N_SEGMENTS, CATEGORIES = 10, ("history", "law")
LETTERS = list("etaoinshrdlucmfwypvbgkjqxz")
WORDS = np.array(
    [
        "".join(generator.choice(LETTERS[: 12 + k % 14], generator.integers(2, 10)))
        for generator in [np.random.default_rng(0)]
        for k in range(3000)
    ]
)
FREQUENCIES = 1 / np.arange(1, len(WORDS) + 1)
FREQUENCIES /= FREQUENCIES.sum()


def sentences(generator: np.random.Generator, n: int, length: int) -> np.ndarray:
    """Positions of the words of `n` sentences of about `length` characters."""
    return generator.choice(len(WORDS), (n, max(1, length // 6)), p=FREQUENCIES)


def ordinary(generator: np.random.Generator, n: int, length: int) -> Iterator[list[str]]:
    """The answers to a question."""
    known = [sentences(generator, 16, length) for _ in range(N_SEGMENTS)]
    for _ in range(n):
        steps = []
        for choices in known:
            words = choices[generator.integers(len(choices))].copy()
            n_changed = generator.integers(0, 9)
            places = generator.integers(0, len(words), n_changed)
            words[places] = sentences(generator, 1, 6 * max(1, n_changed))[0][:n_changed]
            steps.append(" ".join(WORDS[words]))
        yield steps


def near_misses(generator: np.random.Generator, n: int, length: int) -> Iterator[list[str]]:
    """The answers to a question, none like another."""
    known = sentences(generator, N_SEGMENTS, length)
    for _ in range(n):
        changed = generator.random(known.shape) < 0.22
        words = np.where(changed, generator.integers(0, len(WORDS), known.shape), known)
        yield [" ".join(WORDS[each]) for each in words]


CASES = {"ordinary": ordinary, "near misses": near_misses}


def write(path: Path, case: str, category: str, n_questions: int, n: int, length: int) -> None:
    """Write a table of solutions."""
    with parquet.writing(path, SOLUTIONS, origin_of("multirm.tables.parquet", {}, [])) as add:
        for question in range(n_questions):
            generator = np.random.default_rng([question, CATEGORIES.index(category)])
            answers = CASES[case](generator, n, length)
            add(
                [
                    {
                        "dataset": "made",
                        "category": category,
                        "question_id": f"{question:05d}",
                        "solution_id": number,
                        "question": "?",
                        "answer": "A",
                        "steps": steps,
                        "parsed_answer": None,
                        "outcome": int(generator.random() < 0.5),
                        "step_labels": None,
                    }
                    for number, steps in enumerate(answers)
                ]
            )


def measure(folder: Path, case: str, n_questions: int, n: int, length: int) -> tuple[float, float]:
    """Seconds until all jobs are done, and the peak resident memory of the largest, in GiB."""
    for category in CATEGORIES:
        given = folder / f"{category}.parquet"
        write(given, case, category, n_questions // len(CATEGORIES), n, length)
    started = time.perf_counter()
    jobs = [
        subprocess.Popen(
            [sys.executable, "-m", "multirm", "build-trees", "--segments", "steps"]
            + ["--solutions", str(folder / f"{category}.parquet")]
            + ["--output", str(folder / f"{category}.nodes.parquet")],
            stderr=subprocess.DEVNULL,
        )
        for category in CATEGORIES
    ]
    usages = []
    for job in jobs:
        _, status, usage = os.wait4(job.pid, 0)
        job.returncode = os.waitstatus_to_exitcode(status)
        if job.returncode:
            raise SystemExit("build-trees failed")
        usages.append(usage.ru_maxrss / 2**20)
    return time.perf_counter() - started, max(usages)


def main(n_questions: int = 10_000) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        # The start of a job, which does not grow with the questions.
        start, _ = measure(folder, "ordinary", len(CATEGORIES), 1, 140)
        for case, part, n, length in [
            ("ordinary", 1, 64, 140),
            ("ordinary", 1, 64, 350),
            ("near misses", 20, 64, 1700),
        ]:
            seconds, memory = measure(folder, case, n_questions // part, n, length)
            reckoned = start + part * (seconds - start)
            print(
                f"{case}, {n_questions} questions x {n} answers x {N_SEGMENTS} segments of {length} characters: "
                f"{reckoned:.1f} s{f' (from 1 in {part})' * (part > 1)}, {memory:.2f} GiB"
            )
        few = []
        for n in (64, 256, 1024):
            seconds, _ = measure(folder, "ordinary", max(2, n_questions // 50), n, 140)
            few.append(seconds - start)
            print(f"ordinary, {n} answers: {few[-1]:.2f} s")
        print(f"from 64 to 1024 answers: exponent {math.log(few[-1] / few[0]) / math.log(16):.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
