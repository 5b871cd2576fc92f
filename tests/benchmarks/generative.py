"""Critiques per second by vLLM on a CPU: a job per core, one job with all prompts at once, a call per question.

    .venv-vllm/bin/python tests/benchmarks/generative.py KIND MODEL SOLUTIONS [POOLS] [SAMPLES]

KIND is gORM or gPRM, MODEL the folder of an adapter or a full model of that kind, and SOLUTIONS a table, as in
results/models/gORM-mini/adapter and results/data/Facts_junior/history.parquet after `make study`.
The plain way is vLLM's own `LLM.generate` as it comes, with the five likeliest tokens told. Jobs on a core
each share the questions out, as those of the pipeline share shards; all have started before one begins.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from pathlib import Path

from multirm.engines.base import Prompt, Request, Sampling
from multirm.models.load import load_tokenizer
from multirm.reward_models.base import Solution
from multirm.reward_models.prompts import verification_prompts
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import load_template, own_template

MAX_TOKENS, TEMPERATURE = 160, 0.6
ROUNDS = 3

# From prompts and the number of samples to how many critiques and tokens these were.
Generate = Callable[[list[Prompt], int], tuple[int, int]]


def pools(kind: Kind, model: str, solutions: Path, count: int) -> list[list[Prompt]]:
    """The prompts of the first questions, in lists of a question each."""
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    words = load_template(own_template(kind), kind)
    prompts = verification_prompts(kind, load_tokenizer(model), words, map(Solution.of, rows))
    by_question = groupby(zip(rows, prompts, strict=True), lambda pair: pair[0]["question_id"])
    return [[prompt for _, prompt in pool] for _, pool in by_question][:count]


def ways(way: str, model: str) -> tuple[Generate, Callable[[], object]]:
    """How to generate, and how to clear the prefix cache."""
    if way == "plain":
        from vllm import LLM, SamplingParams

        llm = LLM(model, dtype="float32", kv_cache_memory_bytes=4 * 2**30)

        def plainly(prompts: list[Prompt], samples: int) -> tuple[int, int]:
            settings = SamplingParams(
                n=samples, max_tokens=MAX_TOKENS, temperature=TEMPERATURE, logprobs=5
            )
            inputs = [{"prompt_token_ids": prompt.ids} for prompt in prompts]
            written = [
                one
                for reply in llm.generate(inputs, settings, use_tqdm=False)
                for one in reply.outputs
            ]
            return len(written), sum(len(one.token_ids) for one in written)

        return plainly, llm.reset_prefix_cache

    from multirm.engines.vllm import VllmEngine

    engine = VllmEngine(model)
    watch = verdict_candidates(load_tokenizer(model))

    def ours(prompts: list[Prompt], samples: int) -> tuple[int, int]:
        settings = Sampling(samples, MAX_TOKENS, TEMPERATURE)
        written = [
            one
            for portion in engine.generate(Request(prompts, settings, 0, watch))
            for completed in portion
            for one in completed.completions
        ]
        return len(written), sum(len(one.ids) for one in written)

    return ours, engine._engine.reset_prefix_cache


def measure(way: str, kind: Kind, model: str, solutions: Path, count: int, samples: int) -> float:
    """Critiques per second, the best of three."""
    questions = pools(kind, model, solutions, count)
    calls = [list(chain(*questions))] if way == "at once" else questions
    generate, forget = ways(way, model)
    generate(list(chain(*questions[:4])), samples)

    def rates() -> Iterator[float]:
        for _ in range(ROUNDS):
            forget()
            started = time.perf_counter()
            critiques, tokens = map(
                sum, zip(*(generate(call, samples) for call in calls), strict=True)
            )
            yield told(way, critiques, tokens, time.perf_counter() - started)

    return max(rates())


def told(way: str, critiques: int, tokens: int, seconds: float) -> float:
    """Critiques per second, also printed."""
    print(f"{way}: {critiques} critiques, {tokens / critiques:.0f} tokens each, {seconds:.1f} s")
    return critiques / seconds


def measure_jobs(way: str, jobs: int, arguments: list[str]) -> float:
    """Critiques per second of parallel jobs, from a common start to the end of the last one."""
    command = [sys.executable, __file__, *arguments]
    running = [
        subprocess.Popen(
            [*command, f"job {number} of {jobs}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for number in range(jobs)
    ]

    def numbers(job: subprocess.Popen[str]) -> tuple[int, int]:
        for line in job.stdout or []:
            if line.startswith("job: "):
                critiques, tokens = line.split()[1:]
                return int(critiques), int(tokens)
        raise RuntimeError("a job has ended early")

    def rates() -> Iterator[float]:
        for job in running:
            numbers(job)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            for job in running:
                print("go", file=job.stdin, flush=True)
            critiques, tokens = map(sum, zip(*map(numbers, running), strict=True))
            yield told(way, critiques, tokens, time.perf_counter() - started)

    try:
        return max(rates())
    finally:
        for job in running:
            job.communicate()


def work_as_job(
    number: int, jobs: int, kind: Kind, model: str, solutions: Path, count: int, samples: int
) -> None:
    """Generate for a share of the questions each time that a line comes in, and say when it is done."""
    questions = pools(kind, model, solutions, count)
    generate, forget = ways("at once", model)
    generate(list(chain(*questions[:4])), samples)
    print("job: 0 0", flush=True)
    for _ in sys.stdin:
        forget()
        print("job:", *generate(list(chain(*questions[number::jobs])), samples), flush=True)


def main(kind: str, model: str, solutions: str, count: str = "64", samples: str = "4") -> None:
    arguments = [kind, model, solutions, count, samples]
    rates = {}
    for way in ("plain", "a question at a time", "at once"):
        command = [sys.executable, __file__, *arguments, way]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        lines = [line for line in run.stdout.splitlines() if line.startswith((way, "rate "))]
        print("\n".join(lines[:-1]))
        rates[way] = float(lines[-1].split()[1])
    jobs = len(os.sched_getaffinity(0))
    rates["a job per core"] = measure_jobs("a job per core", jobs, arguments)
    for way, rate in rates.items():
        print(f"{way}: {rate:.0f} critiques/s; at once {rates['at once'] / rate:.2f}× as fast")


if __name__ == "__main__":
    kind, model, solutions, *rest = sys.argv[1:]
    if len(rest) < 3:
        main(kind, model, solutions, *rest)
    else:
        count, samples, way = rest
        given = (Kind(kind), model, Path(solutions), int(count), int(samples))
        if way.startswith("job "):
            _, number, _, jobs = way.split()
            work_as_job(int(number), int(jobs), *given)
        else:
            print("rate", measure(way, *given))
