"""Prompt tokens that Monte-Carlo labels cost with vLLM on a CPU: computed, found in the cache, and without sharing.

    .venv-vllm/bin/python tests/benchmarks/continuations.py MODEL SOLUTIONS [QUESTIONS] [CONTINUATIONS] [SHOTS]

MODEL is the folder of a backbone that was pretrained on conversations. SOLUTIONS is a solutions table with step labels
and outcomes; the solutions to its first QUESTIONS questions are continued, after exemplars from the other questions. A
step counts as hopeful if no step up to it is labelled as bad, so that the search by halving is that of a policy whose
continuations tell; what MODEL writes does not matter, only how much it reads. Each search runs in a process of its
own, with an empty prefix cache.
"""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multirm.data.continue_steps import Tally, _prefix, _Writer, needed
from multirm.engines.base import Request, Sampling
from multirm.generation.solving_options import Solving
from multirm.models.load import load_tokenizer
from multirm.tables import parquet
from multirm.tables.continuations import Search
from multirm.tables.solutions import SOLUTIONS, pool_of
from multirm.text.solving import load_solve_templates, solve_template_files

MAX_TOKENS, TEMPERATURE, SIGNIFICANCE = 32, 0.7, 0.05

Row = Mapping[str, Any]


def read(table: Path, n_questions: int) -> tuple[list[Row], list[Row]]:
    """The solutions to the first questions, and those to the others."""
    rows = parquet.read(table, SOLUTIONS).to_pylist()
    asked = {*list(dict.fromkeys(map(pool_of, rows)))[:n_questions]}
    of_first = [row for row in rows if pool_of(row) in asked]
    return of_first, [row for row in rows if pool_of(row) not in asked]


def tally_of(row: Row, n_steps: int, n: int) -> Tally:
    return Tally(n, n if all(row["step_labels"][:n_steps]) else 0)


def measure(search: Search, model: str, table: Path, n_questions: int, n: int, shots: int) -> None:
    from multirm.engines.vllm import VllmEngine

    rows, others = read(table, n_questions)
    templates = load_solve_templates(*solve_template_files())
    writer = _Writer(load_tokenizer(model), Solving(templates, others, shots))
    engine = VllmEngine(model)
    tallies: list[dict[int, Tally]] = [{} for _ in rows]
    done: set[tuple[Any, ...]] = set()
    n_steps = alone = once = computed = cached = generated = 0
    started = time.perf_counter()
    while True:
        wanted = {}
        for row, of_row in zip(rows, tallies, strict=True):
            for k in needed(row, of_row, search, SIGNIFICANCE):
                prompt = writer.prompt(row, k)
                n_steps += 1
                alone += n * len(prompt.ids)
                if (prefix := _prefix(row, k)) not in done:
                    wanted.setdefault(prefix, prompt)
                of_row[k] = tally_of(row, k, n)
        if not wanted:
            break
        done |= wanted.keys()
        once += sum(len(prompt.ids) for prompt in wanted.values())
        request = Request([*wanted.values()], Sampling(n, MAX_TOKENS, TEMPERATURE), 0)
        for portion in engine.generate(request):
            for one in portion:
                computed += one.tokens.computed or 0
                cached += one.tokens.cached or 0
                generated += one.tokens.generated or 0
    seconds = time.perf_counter() - started
    print(
        f"{search}: {n_steps:,} steps of {len(rows):,} solutions, {len(done):,} different beginnings, {n} continuations"
        f" each; prompt tokens: {alone:,} one by one, {once:,} once per beginning, {computed:,} computed and {cached:,}"
        f" found in the cache; {generated:,} tokens generated in {seconds:.0f} s",
        flush=True,
    )


def main(*arguments: str) -> None:
    for search in Search:
        command = [sys.executable, __file__, *arguments, search]
        run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        # vLLM has lines of its own.
        print(next(line for line in run.stdout.splitlines() if line.startswith(f"{search}: ")))


if __name__ == "__main__":
    model, table, *rest = sys.argv[1:]
    search = rest.pop() if rest and rest[-1] in [*Search] else ""
    questions, continuations, shots = (*rest, *("20", "16", "1")[len(rest) :])
    if search:
        found = int(questions), int(continuations), int(shots)
        measure(Search(search), model, Path(table), *found)
    else:
        main(model, table, questions, continuations, shots)
