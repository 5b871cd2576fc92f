"""Have a teacher verify solutions: critiques to train generative reward models on."""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from multirm.engines.base import Completion, Prompt
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.generation.options import SamplingOptions
from multirm.generation.verification import complete, verification_prompts
from multirm.models.load import load_tokenizer, sources_of
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import open_journal
from multirm.running.numbers import Count, CountOrZero, FractionAboveZero, Seed
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
class TeacherSampling(SamplingOptions):
    """The sampling options of Multi-RM's teacher, QwQ-32B (arXiv 2510.00492)."""

    top_p: FractionAboveZero = 0.95
    top_k: CountOrZero = 20


SAMPLING = TeacherSampling()


@entry
def generate_critiques(
    kind: Kind,
    teacher: Place,
    engine: EngineName,
    solutions: Path,
    output: OutputFile,
    server: str | None = None,
    per_solution: Count = 4,
    sampling: TeacherSampling = SAMPLING,
    template: Path | None = None,
    seed: Seed = 42,
) -> None:
    """Sample critiques of each solution from a teacher. All are written; none is filtered here.

    A killed job resumes where it stopped.

    Args:
        kind: gORM (verify the answer) or gPRM (verify each step).
        teacher: model folder or hub name.
        engine: the engine that runs the teacher.
        solutions: table of solutions.
        output: table of critiques.
        server: address of the server for the engine openai.
        per_solution: critiques per solution.
        sampling: sampling options.
        template: prompt template; by default, the package's own.
        seed: seed of the study.
    """
    require_generative(kind)
    rows = parquet.read(solutions, SOLUTIONS).to_pylist()
    template = template or own_template(kind)
    words = load_template(template, kind)
    tokenizer = load_tokenizer(teacher)
    prompts = verification_prompts(kind, tokenizer, words, rows)
    made_of, folders = sources_of(teacher)
    parameters = {
        "kind": kind,
        "stage": CritiqueStage.GENERATED,
        "teacher": made_of,
        "engine": engine,
        "per_solution": per_solution,
        **asdict(sampling),
        **date_told(tokenizer),
        "seed": seed,
    }
    inputs = [solutions, template, *folders]
    origin = origin_of(__name__, parameters, inputs)
    with open_journal(output, origin) as journal:
        writer = load_engine(engine, teacher, server)
        samples = sampling.sampling(per_solution)
        parsed = complete(writer, prompts, samples, (), seed, journal, columns)
        critiques = [
            {**solution_key(row), **critique}
            for row, written in zip(rows, parsed, strict=True)
            for critique in written
        ]
        made_so = origin.having(reproducible=writer.reproducible)
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
            "n_prompt_tokens": len(prompt.ids),
            "n_tokens": len(prompt.ids) + len(sample.ids),
            "truncated": sample.truncated,
            "kept": True,
            "reason": None,
            "deviations": None,
        }
        for number, sample in enumerate(samples)
    ]
