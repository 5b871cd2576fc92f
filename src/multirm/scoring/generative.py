"""Score solutions with gORM or gPRM: for each sampled critique, the probability of its verdict Yes."""

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

from multirm.engines.base import Prompt
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.loop import Rows, generate_rows
from multirm.generation.options import GenerationOptions
from multirm.models.dtype import Dtype
from multirm.models.learned_from import count_learned
from multirm.models.load import default_device, dtype_name, dtype_of, load_tokenizer, sources_of
from multirm.reward_models.base import Solution
from multirm.reward_models.formats import format_file, writes_verdicts
from multirm.reward_models.generative import (
    CritiqueFormat,
    Critiques,
    GenerativeModel,
    ScoredCritique,
    flops_of,
)
from multirm.reward_models.step_verdicts import StepCritiqueFormat, StepwiseModel
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import Journal, open_journal
from multirm.running.numbers import Count, FractionBelowOne
from multirm.running.provenance import origin_of
from multirm.running.shards import Shard
from multirm.scoring.adaptive import sample_in_rounds
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative, solution_key
from multirm.tables.reward_models import FormatName, Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS, pool_of
from multirm.text.chat import date_told
from multirm.text.prompts import load_template, own_template

logger = logging.getLogger(__name__)

T = TypeVar("T")


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
    format: FormatName = FormatName.MULTI_RM,
    shard: str = "1/1",
) -> None:
    """Give every solution one reward per sampled critique, null without a verdict.

    With the format r_prm, there is one reward per step: the mean over the critiques of that step.

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
        template: prompt template; by default, the format's own.
        format: of the prompt and the verdicts: of models trained here, which is also for language models that judge
            without training, or other people's, as docs/formats.md lists them.
        shard: NUMBER/COUNT: score one of this many parts of the pools.
    """
    require_generative(kind)
    if adaptive is not None and not 0 <= adaptive < 1:
        raise InputError("--adaptive", expected="a probability below 1", found=str(adaptive))
    whole = parquet.read(solutions, SOLUTIONS).to_pylist()
    rows = Shard.parse(shard).of(whole, pool_of)
    tokenizer = load_tokenizer(model)
    of_format = _template_of(kind, format)
    template = template or of_format
    is_stepwise = format is FormatName.R_PRM
    if is_stepwise and adaptive is not None:
        raise InputError("--adaptive", expected=f"none with the format {format}", found="one")
    asked: Critiques = (
        StepCritiqueFormat(tokenizer, template)
        if is_stepwise
        else CritiqueFormat(kind, tokenizer, load_template(template, kind))
    )
    scored_ones = [Solution.of(row) for row in rows]
    prompts = asked.prompts(scored_ones)
    made_of, folders = sources_of(model)
    parameters = {
        "kind": kind,
        "format": format,
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
        kind_of_model = StepwiseModel if is_stepwise else GenerativeModel
        loaded = kind_of_model(engine, asked, options, samples, flops_of(model))
        scored = _sample(loaded, prompts, list(map(pool_of, rows)), adaptive, journal)
        keys = [{**solution_key(row), "model": name} for row in rows]
        steps = [len(each.steps) if is_stepwise else 1 for each in scored_ones]
        critiques = _rows_of_critiques(keys, _grouped(scored, steps))
        parquet.write_together(
            [
                (output_critiques, SCORED_CRITIQUES, critiques),
                (output, REWARDS, _rows_of_rewards(loaded, keys, _grouped(prompts, steps), scored)),
            ],
            origin.having(reproducible=engine.reproducible),
        )
    reasons = Counter(critique["reason"] for critique in critiques)
    without = (
        f", {count} without a reward: {reason}" for reason, count in reasons.items() if reason
    )
    logger.info("%d critiques of %d%s", len(critiques), len(prompts) * samples, "".join(without))


def _template_of(kind: Kind, name: FormatName) -> Path:
    """The prompt template of a format.

    Raises:
        InputError: its models write no verdicts, or they are of another kind.
    """
    if name is FormatName.MULTI_RM:
        return own_template(kind)
    if not writes_verdicts(name) or kind is not Kind.GPRM:
        raise InputError(
            "--format",
            expected="a format of generative reward models, and the kind gPRM for other people's",
            found=f"{name} and {kind}",
            remedy="docs/formats.md lists them",
        )
    return format_file(name)


def _grouped(items: Sequence[T], sizes: Sequence[int]) -> list[list[T]]:
    """Consecutive items in groups of these sizes."""
    rest = iter(items)
    return [list(islice(rest, size)) for size in sizes]


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


def _rows_of_critiques(keys: Sequence[Row], scored: Sequence[Sequence[Rows]]) -> list[Row]:
    """Rows of each solution's critiques, in the order of its prompts."""
    return [
        {**key, "critique_id": number, **columns}
        for key, of_prompts in zip(keys, scored, strict=True)
        for number, columns in enumerate(chain.from_iterable(of_prompts))
    ]


def _rows_of_rewards(
    model: GenerativeModel,
    keys: Sequence[Row],
    prompts: Sequence[Sequence[Prompt]],
    scored: Sequence[Rows],
) -> list[Row]:
    """Rows of each solution's rewards, from its prompts and the critiques of all prompts."""
    said = {"unit": model.unit, "scale": model.scale}
    rows: list[Row] = []
    grouped = _grouped(scored, [len(own) for own in prompts])
    for key, own, of_prompts in zip(keys, prompts, grouped, strict=True):
        written = [[ScoredCritique(**columns) for columns in each] for each in of_prompts]
        lengths = [len(prompt.ids) for prompt in own]
        rewards = model.combined(written, lengths)
        rows.append({**key, **said, **asdict(rewards)})
    return rows
