"""Let a teacher verify solutions: critiques for generative reward models to learn from."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multirm import tables
from multirm.critique_rows import require_generative, solution_key
from multirm.engines.base import Completion, Prompt, Sampling
from multirm.engines.load import load_engine
from multirm.journal import open_journal
from multirm.models import load_tokenizer, sources_of
from multirm.numbers import Count, CountOrZero, Fraction, FractionAboveZero, PositiveOrZero, Seed
from multirm.prompts import load_template, own_template
from multirm.provenance import origin_of
from multirm.verification import complete, verification_prompts
from multirm.vocabulary import CritiqueStage, EngineName, Kind

logger = logging.getLogger(__name__)


def generate_critiques(
    kind: Kind,
    teacher: str,
    engine: EngineName,
    solutions: Path,
    output: Path,
    server: str | None = None,
    per_solution: Count = 4,
    max_tokens: Count = 8192,
    temperature: PositiveOrZero = 0.6,
    top_p: FractionAboveZero = 0.95,
    top_k: CountOrZero = 20,
    min_p: Fraction = 0.0,
    template: Path | None = None,
    seed: Seed = 42,
) -> None:
    """Sample critiques of each solution from a teacher. All are written; none is judged here.

    A job that was killed goes on where it was.

    Args:
        kind: gORM (verify the answer) or gPRM (verify each step).
        teacher: model folder or hub name.
        engine: what runs the teacher.
        solutions: table of solutions.
        output: table of critiques.
        server: address of the server that the engine openai asks.
        per_solution: critiques per solution.
        max_tokens: a critique is cut off after so many tokens, and marked.
        temperature: of the sampling; 0 takes the likeliest token.
        top_p: the likeliest tokens that come to this probability are left in.
        top_k: so many likeliest tokens are left in; 0 leaves all.
        min_p: tokens with less than this share of the likeliest token's probability are left out.
        template: prompt template; the package's own where none is given.
        seed: seed of the study.
    """
    require_generative(kind)
    rows = tables.read(solutions, tables.SOLUTIONS).to_pylist()
    template = template or own_template(kind)
    words = load_template(template, kind)
    prompts = verification_prompts(kind, load_tokenizer(teacher), words, rows)
    sampling = Sampling(per_solution, max_tokens, temperature, top_p, top_k, min_p)
    made_of, folders = sources_of(teacher)
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.GENERATED,
        "teacher": made_of,
        "engine": engine,
        "per_solution": per_solution,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "seed": seed,
    }
    inputs = [solutions, template, *folders]
    origin = origin_of(__name__, parameters, inputs)
    with open_journal(output, origin) as journal:
        writer = load_engine(engine, teacher, server)
        parsed = complete(writer, prompts, sampling, (), seed, journal, columns)
        critiques = [
            {**solution_key(row), **critique}
            for row, samples in zip(rows, parsed, strict=True)
            for critique in samples
        ]
        made_so = origin.having(reproducible=writer.reproducible)
        tables.write(output, tables.CRITIQUES, critiques, made_so)
    n_truncated = sum(critique["truncated"] for critique in critiques)
    logger.info("%d critiques, %d of them cut off", len(critiques), n_truncated)


def columns(prompt: Prompt, samples: Sequence[Completion]) -> list[dict[str, Any]]:
    """The columns of `tables.CRITIQUES` that samples fill; their verdicts are read when they are filtered.

    So what is read as a verdict may change without a teacher having to write everything again.
    """
    return [
        {
            "critique_id": number,
            "critique": sample.text,
            "verdict": None,
            "step_verdicts": None,
            "n_prompt_tokens": len(prompt.ids),
            "n_tokens": len(prompt.ids) + len(sample.ids),
            "truncated": sample.truncated,
            "kept": True,
            "reason": None,
            "deviations": None,
        }
        for number, sample in enumerate(samples)
    ]
