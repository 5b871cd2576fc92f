"""Have a teacher verify solutions: critiques to train generative reward models on."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from multirm.engines.base import Completion, Prompt
from multirm.generation.loop import generate_rows
from multirm.generation.options import GenerationOptions
from multirm.models.load import load_tokenizer, sources_of
from multirm.reward_models.base import Solution
from multirm.reward_models.prompts import verification_prompts
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import open_journal
from multirm.running.numbers import Count, CountOrZero, FractionAboveZero
from multirm.running.provenance import origin_of
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative, solution_key
from multirm.tables.critiques import CRITIQUES, CritiqueStage
from multirm.tables.reward_models import Kind
from multirm.tables.solutions import SOLUTIONS
from multirm.text.chat import date_told
from multirm.text.prompts import load_template, own_template

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TeacherOptions(GenerationOptions):
    """The options of Multi-RM's teacher, QwQ-32B (arXiv 2510.00492)."""

    top_p: FractionAboveZero = 0.95
    top_k: CountOrZero = 20


@entry
def generate_critiques(
    kind: Kind,
    teacher: Place,
    solutions: Path,
    output: OutputFile,
    options: TeacherOptions,
    per_solution: Count = 4,
    template: Path | None = None,
) -> None:
    """Sample critiques of each solution from a teacher. All are written; none is filtered here.

    A killed job resumes where it stopped.

    Args:
        kind: gORM (verify the answer) or gPRM (verify each step).
        teacher: model folder or hub name.
        solutions: table of solutions.
        output: table of critiques.
        options: sampling options.
        per_solution: critiques per solution.
        template: prompt template; by default, the package's own.
    """
    require_generative(kind)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    template = template or own_template(kind)
    words = load_template(template, kind)
    tokenizer = load_tokenizer(teacher)
    prompts = verification_prompts(kind, tokenizer, words, map(Solution.of, rows))
    made_of, folders = sources_of(teacher)
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.GENERATED,
        "teacher": made_of,
        "per_solution": per_solution,
        **options.parameters,
        **date_told(tokenizer),
    }
    origin = origin_of(__name__, parameters, [solutions, template, *folders])
    with open_journal(output, origin) as journal:
        engine = options.load_engine(teacher)
        request = options.request(prompts, per_solution)
        written = generate_rows(
            engine, request, journal, columns, done="verified", items="solutions"
        )
        critiques = [
            {**solution_key(row), **critique}
            for row, of_row in zip(rows, written, strict=True)
            for critique in of_row
        ]
        made_so = origin.having(reproducible=engine.reproducible)
        parquet.write(output, CRITIQUES, critiques, made_so)
    n_truncated = sum(critique["truncated"] for critique in critiques)
    logger.info("%d critiques, %d of them cut off", len(critiques), n_truncated)


def columns(prompt: Prompt, samples: Sequence[Completion]) -> list[dict[str, Any]]:
    """The columns of `tables.CRITIQUES` filled from samples.

    Verdicts are read by filtering, so how they are read may change without generating critiques again.
    """
    return [
        {
            "critique_id": number,
            "critique": sample.text,
            "verdict": None,
            "step_verdicts": None,
            "n_tokens_read": len(prompt.ids),
            "n_tokens_generated": len(sample.ids),
            "truncated": sample.truncated,
            "kept": True,
            "reason": None,
            "deviations": None,
        }
        for number, sample in enumerate(samples)
    ]
