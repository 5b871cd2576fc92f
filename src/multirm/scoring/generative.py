"""Score solutions with gORM or gPRM: for each sampled critique, the probability of its verdict Yes."""

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm.engines.base import Completion
from multirm.engines.load import load_engine
from multirm.engines.name import EngineName
from multirm.errors import InputError
from multirm.generation.options import SamplingOptions
from multirm.generation.verification import complete, verification_prompts
from multirm.models.dtype import Dtype
from multirm.models.learned_from import count_learned
from multirm.models.load import default_device, dtype_name, dtype_of, load_tokenizer, sources_of
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import open_journal
from multirm.running.numbers import Count, FractionBelowOne, Seed
from multirm.running.provenance import origin_of
from multirm.running.shards import Shard
from multirm.scoring.adaptive import sample_in_rounds
from multirm.tables import parquet
from multirm.tables.critique_rows import require_generative, solution_key
from multirm.tables.reward_models import Kind
from multirm.tables.rewards import REWARDS, SCORED_CRITIQUES, NoReward, Scale, Unit
from multirm.tables.solutions import SOLUTIONS, pool_of
from multirm.text.chat import date_told
from multirm.text.encoding import verdict_candidates
from multirm.text.prompts import load_template, own_template
from multirm.text.verdicts import find_verdict

logger = logging.getLogger(__name__)

SAMPLING = SamplingOptions()


@entry
def score_generative(
    kind: Kind,
    model: Place,
    name: str,
    engine: EngineName,
    solutions: Path,
    output: OutputFile,
    output_critiques: OutputFile,
    server: str | None = None,
    samples: Count = 10,
    sampling: SamplingOptions = SAMPLING,
    dtype: Dtype = Dtype.AUTO,
    adaptive: FractionBelowOne | None = None,
    template: Path | None = None,
    seed: Seed = 42,
    shard: str = "1/1",
) -> None:
    """Give every solution one reward per sampled critique, null where a critique reached no verdict.

    A job that was killed goes on where it was.

    Args:
        kind: gORM or gPRM.
        model: folder of an adapter or of a whole model, or a hub name.
        name: the reward model's, for the tables.
        engine: what runs the model.
        solutions: table of solutions.
        output: table of rewards, in the order of the solutions.
        output_critiques: table of the critiques behind the rewards.
        server: address of the server that the engine openai asks.
        samples: critiques per solution (M).
        sampling: how they are drawn; rewards are always read at temperature 1, with all tokens left in.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU.
        adaptive: sample fewer critiques of solutions that can no longer be the best of their pool, being
            wrong about the best with this probability at most: 0 for never. All of them where not given.
        template: prompt template; the package's own where none is given.
        seed: seed of the study.
        shard: NUMBER/COUNT: score one of so many parts of the pools.
    """
    require_generative(kind)
    if adaptive is not None and not 0 <= adaptive < 1:
        raise InputError("--adaptive", expected="a probability below 1", found=str(adaptive))
    whole = parquet.read(solutions, SOLUTIONS).to_pylist()
    rows = Shard.parse(shard).of(whole, pool_of)
    tokenizer = load_tokenizer(model)
    candidates = verdict_candidates(tokenizer)
    template = template or own_template(kind)
    prompts = verification_prompts(kind, tokenizer, load_template(template, kind), rows)
    made_of, folders = sources_of(model)
    parameters = {
        "kind": kind,
        "model": name,
        "weights": made_of,
        "engine": engine,
        "dtype": None
        if engine is EngineName.OPENAI
        else dtype_name(dtype_of(dtype, default_device())),
        "samples": samples,
        **asdict(sampling),
        **date_told(tokenizer),
        "adaptive": adaptive,
        "seed": seed,
        "shard": shard,
        "learned_questions": count_learned(name, model, (row["question"] for row in whole)),
    }
    inputs = [solutions, template, *folders]
    origin = origin_of(__name__, parameters, inputs)
    with open_journal(output, origin) as journal:
        writer = load_engine(engine, model, server, dtype)

        def verify(chosen: Sequence[int], first: int, n: int) -> list[list[dict[str, Any]]]:
            """Critiques `first` to `first + n - 1` of some solutions."""
            return complete(
                writer,
                [prompts[index] for index in chosen],
                sampling.sampling(n, first),
                candidates,
                seed,
                journal,
                lambda _, written: [score(kind, tokenizer, completion) for completion in written],
            )

        if adaptive is None:
            scored = verify(range(len(rows)), 0, samples)
        else:
            scored = sample_in_rounds(verify, list(map(pool_of, rows)), samples, adaptive)
        keys = [{**solution_key(row), "model": name} for row in rows]
        critiques = [
            {**key, "critique_id": number, **columns}
            for key, written in zip(keys, scored, strict=True)
            for number, columns in enumerate(written)
        ]
        rewards = [{**key, **summed(written)} for key, written in zip(keys, scored, strict=True)]
        parquet.write_together(
            [
                (output_critiques, SCORED_CRITIQUES, critiques),
                (output, REWARDS, rewards),
            ],
            origin.having(reproducible=writer.reproducible),
        )
    reasons = Counter(critique["reason"] for critique in critiques)
    without = (
        f", {count} without a reward: {reason}" for reason, count in reasons.items() if reason
    )
    logger.info("%d critiques of %d%s", len(critiques), len(rows) * samples, "".join(without))


def score(kind: Kind, tokenizer: PreTrainedTokenizerBase, completion: Completion) -> dict[str, Any]:
    """The columns of `tables.SCORED_CRITIQUES` that one completion fills, ` No` and ` Yes` being watched."""
    place = verdict_place(kind, tokenizer, completion)
    return {
        "critique": completion.text,
        "reward": None if place is None else yes_probability(completion.watched[place]),
        "reason": None if place is not None else why_none(completion),
        "n_tokens": len(completion.ids),
        "truncated": completion.truncated,
    }


def summed(scored: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of `tables.REWARDS` that a solution's scored critiques fill."""
    return {
        "rewards": [critique["reward"] for critique in scored],
        "n_tokens": sum(critique["n_tokens"] for critique in scored),
        "truncated": any(critique["truncated"] for critique in scored),
        "unit": Unit.CRITIQUE,
        "scale": Scale.PROBABILITY,
    }


def why_none(completion: Completion) -> NoReward:
    """Why a completion without a verdict has none."""
    if not completion.truncated:
        return NoReward.FORMAT
    return NoReward.LENGTH if completion.ids else NoReward.CONTEXT


def verdict_place(
    kind: Kind, tokenizer: PreTrainedTokenizerBase, completion: Completion
) -> int | None:
    """The index among `completion.ids` of the token that is the verdict, or None where there is none.

    It is the ` Yes` or ` No` of the last verdict line after the end of thinking. A verdict spelled in
    other tokens (`yes`, `**Yes**`) is one, so none before it counts, but it has no probability of those two
    to read.
    """
    verdict = find_verdict(kind, completion.text)
    if verdict is None:
        return None
    n_before = verdict.start(1) - 1
    for place in sorted(completion.watched, reverse=True):
        before = tokenizer.decode(completion.ids[:place], clean_up_tokenization_spaces=False)
        if len(before) == n_before:
            return place
    return None


def yes_probability(watched: tuple[float, ...]) -> float:
    """P(Yes) / (P(Yes) + P(No)) from the log-probabilities of ` No` and ` Yes`, in that order."""
    no, yes = watched
    likelier = max(no, yes)
    return math.exp(yes - likelier) / (math.exp(no - likelier) + math.exp(yes - likelier))
