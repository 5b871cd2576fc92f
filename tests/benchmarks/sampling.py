"""Solutions per second by vLLM on a CPU: all prompts at once, a question at a time, and one sample at a time.

    .venv-vllm/bin/python tests/benchmarks/sampling.py MODEL QUESTIONS EXEMPLARS [COUNT] [SAMPLES] [SHOTS]

MODEL is the folder of a backbone that was pretrained on conversations. QUESTIONS and EXEMPLARS are folders with a
questions and a solutions table per category, as in results/questions/D and results/data/D. Of each category, equally
many questions are taken, COUNT in all. One sample at a time is measured on a twentieth of the questions, as it is slow.
Each way runs in a process of its own, with an empty prefix cache, after a few other prompts as a warm-up.
"""

import subprocess
import sys
import time
from pathlib import Path

from multirm.engines.base import Prompt, Request, Sampling
from multirm.generation.prompts import conversation_prompt
from multirm.generation.solving_options import Solving
from multirm.models.load import load_tokenizer
from multirm.tables import parquet
from multirm.tables.questions import QUESTIONS
from multirm.tables.solutions import SOLUTIONS
from multirm.text.solving import load_solve_templates, solve_template_files

MAX_TOKENS, TEMPERATURE = 200, 0.8
WAYS = ("at once", "a question at a time", "a sample at a time")
# Of the questions, one in this many is sampled one at a time.
PART = 20


def prompts_of(
    model: str, questions: Path, exemplars: Path, count: int, shots: int
) -> list[Prompt]:
    tokenizer = load_tokenizer(model)
    templates = load_solve_templates(*solve_template_files())
    tables = sorted(questions.glob("*.parquet"))
    prompts = []
    for table in tables:
        rows = parquet.read(table, QUESTIONS).to_pylist()[: count // len(tables)]
        shown = parquet.read(exemplars / table.name, SOLUTIONS).to_pylist()
        solving = Solving(templates, shown, shots)
        for row in rows:
            key = tuple(row[name] for name in QUESTIONS.key)
            prompts.append(conversation_prompt(tokenizer, key, solving.turns(row)))
    return prompts


def measure(way: str, model: str, prompts: list[Prompt], samples: int) -> None:
    from multirm.engines.vllm import VllmEngine

    engine = VllmEngine(model)
    if way == "a sample at a time":
        prompts = prompts[::PART]
    calls = {
        "at once": [(prompts, Sampling(samples, MAX_TOKENS, TEMPERATURE))],
        "a question at a time": [
            ([prompt], Sampling(samples, MAX_TOKENS, TEMPERATURE)) for prompt in prompts
        ],
        "a sample at a time": [
            ([prompt], Sampling(1, MAX_TOKENS, TEMPERATURE, first=number))
            for prompt in prompts
            for number in range(samples)
        ],
    }[way]

    def run(some: list[Prompt], sampling: Sampling) -> list[tuple[int, int, int, int]]:
        return [
            (len(one.completions), *(count or 0 for count in vars(one.tokens).values()))
            for portion in engine.generate(Request(some, sampling, 0))
            for one in portion
        ]

    run(
        [Prompt(("warm", k), prompt.ids[::-1]) for k, prompt in enumerate(prompts[:4])], calls[0][1]
    )
    engine._engine.reset_prefix_cache()
    started = time.perf_counter()
    n, computed, cached, generated = map(
        sum, zip(*(counts for call in calls for counts in run(*call)), strict=True)
    )
    seconds = time.perf_counter() - started
    print(
        f"{way}: {n} solutions in {seconds:.1f} s, {generated / n:.0f} tokens each;"
        f" of prompt tokens, {computed:,} computed and {cached:,} found in the cache"
    )
    print("rate", n / seconds)


def main(*arguments: str) -> None:
    rates = {}
    for way in WAYS:
        command = [sys.executable, __file__, *arguments, way]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        # vLLM has lines of its own.
        line, rate = (each for each in run.stdout.splitlines() if each.startswith((way, "rate ")))
        print(line, flush=True)
        rates[way] = float(rate.split()[1])
    for way, rate in rates.items():
        print(
            f"{way}: {rate:.1f} solutions/s; at once is {rates['at once'] / rate:.1f} times as fast"
        )


if __name__ == "__main__":
    model, questions, exemplars, *rest = sys.argv[1:]
    way = rest.pop() if rest and rest[-1] in WAYS else ""
    count, samples, shots = (*rest, *("200", "16", "1")[len(rest) :])
    if way:
        found = prompts_of(model, Path(questions), Path(exemplars), int(count), int(shots))
        measure(way, model, found, int(samples))
    else:
        main(model, questions, exemplars, count, samples, shots)
