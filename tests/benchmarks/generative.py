"""Critiques per second by vLLM on a CPU: all prompts of a job at once, against a call for each question.

    .venv-vllm/bin/python tests/benchmarks/generative.py KIND MODEL SOLUTIONS [POOLS] [SAMPLES]

KIND is gORM or gPRM, MODEL the folder of a merged model of that kind, and SOLUTIONS a table, as in
results/models/gORM-mini/merged and results/data/Facts_junior/history.parquet once `make study` has run.
The plain way is vLLM's own `LLM.generate` as it comes, with the five likeliest tokens told.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from pathlib import Path

from multirm import tables
from multirm.encoding import verdict_candidates
from multirm.engines.base import Prompt, Sampling
from multirm.models import load_tokenizer
from multirm.prompts import load_template
from multirm.verification import verification_prompts
from multirm.vocabulary import Kind

MAX_TOKENS, TEMPERATURE = 160, 0.6

# From prompts and the number of samples to how many critiques and tokens these were.
Generate = Callable[[list[Prompt], int], tuple[int, int]]


def pools(kind: Kind, model: str, solutions: Path, count: int) -> list[list[Prompt]]:
    """The prompts of the first questions, in lists of a question each."""
    rows = tables.read(solutions, tables.SOLUTIONS).to_pylist()
    prompts = verification_prompts(kind, load_tokenizer(model), load_template(kind), rows)
    by_question = groupby(zip(rows, prompts, strict=True), lambda pair: pair[0]["question_id"])
    return [[prompt for _, prompt in pool] for _, pool in by_question][:count]


def ways(way: str, model: str) -> tuple[Generate, Callable[[], object]]:
    """How a way generates, and how it forgets what it has read."""
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
            for portion in engine.generate(prompts, settings, watch, seed=0)
            for _, completions in portion
            for one in completions
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
        for _ in range(3):
            forget()
            started = time.perf_counter()
            critiques, tokens = map(
                sum, zip(*(generate(call, samples) for call in calls), strict=True)
            )
            seconds = time.perf_counter() - started
            print(
                f"{way}: {critiques} critiques, {tokens / critiques:.0f} tokens each, {seconds:.1f} s"
            )
            yield critiques / seconds

    return max(rates())


def main(kind: str, model: str, solutions: str, count: str = "64", samples: str = "4") -> None:
    rates = {}
    for way in ("plain", "a question at a time", "at once"):
        command = [sys.executable, __file__, kind, model, solutions, count, samples, way]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        lines = [line for line in run.stdout.splitlines() if line.startswith((way, "rate "))]
        print("\n".join(lines[:-1]))
        rates[way] = float(lines[-1].split()[1])
    for way, rate in rates.items():
        print(f"{way}: {rate:.0f} critiques/s; at once {rates['at once'] / rate:.2f}× as fast")


if __name__ == "__main__":
    kind, model, solutions, *rest = sys.argv[1:]
    if len(rest) == 3:
        count, samples, way = rest
        print("rate", measure(way, Kind(kind), model, Path(solutions), int(count), int(samples)))
    else:
        main(kind, model, solutions, *rest)
