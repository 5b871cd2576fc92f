"""Score solutions with gORM or gPRM: for each sampled critique, the probability of its verdict Yes."""

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict
from pathlib import Path

from multirm.engines.base import Prompt
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.loop import Rows, generate_rows
from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.models.learned_from import count_learned
from multirm.models.load import default_device, dtype_name, dtype_of, load_tokenizer, sources_of
from multirm.reward_models.base import Solution
from multirm.reward_models.generative import (
    CritiqueFormat,
    GenerativeModel,
    ScoredCritique,
    flops_of,
    rewards_of,
)
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import Journal, open_journal
from multirm.running.numbers import Count, FractionBelowOne
from multirm.running.provenance import origin_of
from multirm.running.shards import Shard
from multirm.scoring.adaptive import sample_in_rounds
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative, solution_key
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS, pool_of
from multirm.text.chat import date_told
from multirm.text.prompts import load_template, own_template

logger = logging.getLogger(__name__)


@entry
def score_generative(
    kind: Kind,
    model: Place,
    name: str,
    solutions: Path,
    output: OutputFile,
    output_critiques: OutputFile,
    options: GenerationOptions,
    samples: Count = 10,
    dtype: Dtype = Dtype.AUTO,
    adaptive: FractionBelowOne | None = None,
    template: Path | None = None,
    shard: str = "1/1",
) -> None:
    """Give every solution one reward per sampled critique, null without a verdict.

    A killed job resumes where it stopped.

    Args:
        kind: gORM or gPRM.
        model: folder of an adapter or of a whole model, or a hub name.
        name: the reward model's, for the tables.
        solutions: table of solutions.
        output: table of rewards, in the order of the solutions.
        output_critiques: table of the critiques behind the rewards.
        options: sampling options; they do not affect rewards, which are the model's own probabilities.
        samples: critiques per solution (M).
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU.
        adaptive: sample fewer critiques of solutions that can no longer be the best of their pool; the
            probability of a wrong best solution is at most this, 0 for never. By default, sample all.
        template: prompt template; by default, the package's own.
        shard: NUMBER/COUNT: score one of this many parts of the pools.
    """
    require_generative(kind)
    if adaptive is not None and not 0 <= adaptive < 1:
        raise InputError("--adaptive", expected="a probability below 1", found=str(adaptive))
    whole = parquet.read(solutions, SOLUTIONS).to_pylist()
    rows = Shard.parse(shard).of(whole, pool_of)
    tokenizer = load_tokenizer(model)
    template = template or own_template(kind)
    asked = CritiqueFormat(kind, tokenizer, load_template(template, kind))
    prompts = asked.prompts(map(Solution.of, rows))
    made_of, folders = sources_of(model)
    parameters = {
        "kind": kind,
        "model": name,
        "weights": made_of,
        "dtype": None
        if options.engine is EngineName.OPENAI
        else dtype_name(dtype_of(dtype, default_device())),
        "samples": samples,
        **options.parameters,
        **date_told(tokenizer),
        "adaptive": adaptive,
        "shard": shard,
        "learned_questions": count_learned(name, model, (row["question"] for row in whole)),
    }
    origin = origin_of(__name__, parameters, [solutions, template, *folders])
    with open_journal(output, origin) as journal:
        engine = options.load_engine(model, dtype)
        loaded = GenerativeModel(engine, asked, options, samples, flops_of(model))
        scored = _sample(loaded, prompts, list(map(pool_of, rows)), adaptive, journal)
        keys = [{**solution_key(row), "model": name} for row in rows]
        critiques = _rows_of_critiques(keys, scored)
        parquet.write_together(
            [
                (output_critiques, SCORED_CRITIQUES, critiques),
                (output, REWARDS, _rows_of_rewards(loaded, keys, prompts, scored)),
            ],
            origin.having(reproducible=engine.reproducible),
        )
    reasons = Counter(critique["reason"] for critique in critiques)
    without = (
        f", {count} without a reward: {reason}" for reason, count in reasons.items() if reason
    )
    logger.info("%d critiques of %d%s", len(critiques), len(rows) * samples, "".join(without))


def _sample(
    model: GenerativeModel,
    prompts: Sequence[Prompt],
    pools: Sequence[Hashable],
    adaptive: float | None,
    journal: Journal,
) -> list[Rows]:
    """Scored critiques of each prompt's solution, fewer of them with `adaptive`."""

    def some(chosen: Sequence[int], first: int, n: int) -> list[Rows]:
        """Critiques `first` to `first + n - 1` of some solutions."""
        return generate_rows(
            model.engine,
            model.request([prompts[index] for index in chosen], n, first),
            journal,
            lambda _, written: [asdict(model.asked.read(one)) for one in written],
            done="verified",
            items="solutions",
        )

    if adaptive is None:
        return some(range(len(prompts)), 0, model.samples)
    return sample_in_rounds(some, pools, model.samples, adaptive)


def _rows_of_critiques(keys: Sequence[Row], scored: Sequence[Rows]) -> list[Row]:
    return [
        {**key, "critique_id": number, **columns}
        for key, critiques in zip(keys, scored, strict=True)
        for number, columns in enumerate(critiques)
    ]


def _rows_of_rewards(
    model: GenerativeModel, keys: Sequence[Row], prompts: Sequence[Prompt], scored: Sequence[Rows]
) -> list[Row]:
    said = {"unit": model.unit, "scale": model.scale}
    rows: list[Row] = []
    for key, prompt, critiques in zip(keys, prompts, scored, strict=True):
        written = [ScoredCritique(**columns) for columns in critiques]
        rewards = rewards_of(written, len(prompt.ids), model.flops)
        rows.append({**key, **said, **asdict(rewards)})
    return rows
