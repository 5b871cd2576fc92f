"""Score solutions with gORM or gPRM: for each sampled critique, the probability of its verdict Yes."""

import logging
import math
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from multirm import tables
from multirm.encoding import verdict_candidates
from multirm.engines.base import Completion, Sampling
from multirm.engines.load import load_engine
from multirm.files import local
from multirm.models import load_tokenizer
from multirm.prompts import find_verdict, load_template
from multirm.verification import complete, require_generative, solution_key, verification_prompts
from multirm.vocabulary import EngineName, Kind

logger = logging.getLogger(__name__)


def score_generative(
    kind: Kind,
    model: str,
    name: str,
    engine: EngineName,
    solutions: Path,
    output: Path,
    output_critiques: Path,
    samples: int = 10,
    max_tokens: int = 8192,
    temperature: float = 0.6,
    top_p: float = 1.0,
    template: Path | None = None,
    seed: int = 42,
) -> None:
    """Give every solution one reward per sampled critique, null where a critique reached no verdict.

    Args:
        kind: gORM or gPRM.
        model: folder of a merged model, or a hub name.
        name: the reward model's, for the tables.
        engine: what runs the model.
        solutions: table of solutions.
        output: table of rewards, in the order of the solutions.
        output_critiques: table of the critiques behind the rewards.
        samples: critiques per solution (M).
        max_tokens: a critique is cut off after so many tokens, and marked.
        temperature: of the sampling; rewards are always read at temperature 1.
        top_p: the likeliest tokens that come to this probability are left in.
        template: prompt template; the package's own where none is given.
        seed: seed of the study.
    """
    require_generative(kind)
    rows = tables.read(solutions, tables.SOLUTIONS).to_pylist()
    tokenizer = load_tokenizer(model)
    candidates = verdict_candidates(tokenizer)
    prompts = verification_prompts(kind, tokenizer, load_template(kind, template), rows)
    sampling = Sampling(samples, max_tokens, temperature, top_p)
    completions = complete(load_engine(engine, model), prompts, sampling, candidates, seed)

    rewards, critiques = [], []
    for row, sampled in zip(rows, completions, strict=True):
        key = {**solution_key(row), "model": name}
        scored = [score(kind, tokenizer, candidates, completion) for completion in sampled]
        rewards.append({**key, **summed(scored)})
        critiques += [
            {**key, "critique_id": number, **columns} for number, columns in enumerate(scored)
        ]
    logger.info(
        "%d critiques, %d of them without a verdict, %d cut off",
        len(critiques),
        sum(critique["reward"] is None for critique in critiques),
        sum(critique["truncated"] for critique in critiques),
    )
    parameters = {
        "kind": kind,
        "model": name,
        "engine": engine,
        "samples": samples,
        "max_tokens": max_tokens,
        "temperature": temperature,
        "top_p": top_p,
        "seed": seed,
    }
    inputs = [solutions, *local([model]), *([template] if template else [])]
    tables.write(
        output_critiques,
        tables.SCORED_CRITIQUES,
        critiques,
        parameters=parameters,
        inputs=inputs,
    )
    tables.write(output, tables.REWARDS, rewards, parameters=parameters, inputs=inputs)


def score(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    candidates: tuple[int, int],
    completion: Completion,
) -> dict[str, Any]:
    """The columns of `tables.SCORED_CRITIQUES` that one completion fills."""
    place = verdict_place(kind, tokenizer, candidates, completion)
    return {
        "critique": completion.text,
        "reward": None if place is None else yes_probability(completion.watched[place]),
        "n_tokens": len(completion.ids),
        "truncated": completion.truncated,
    }


def summed(scored: list[dict[str, Any]]) -> dict[str, Any]:
    """The columns of `tables.REWARDS` that a solution's scored critiques fill."""
    return {
        "rewards": [critique["reward"] for critique in scored],
        "n_tokens": sum(critique["n_tokens"] for critique in scored),
        "truncated": any(critique["truncated"] for critique in scored),
    }


def verdict_place(
    kind: Kind,
    tokenizer: PreTrainedTokenizerBase,
    candidates: tuple[int, int],
    completion: Completion,
) -> int | None:
    """The index among `completion.ids` of the token that is the verdict, or None where there is none.

    It is the ` Yes` or ` No` of the last verdict line after the end of thinking. A verdict spelled in
    other tokens has no probability to read, and counts as none.
    """
    verdict = find_verdict(kind, completion.text)
    if verdict is None:
        return None
    n_before = verdict.start(1) - 1
    for place in reversed(range(len(completion.ids))):
        if completion.ids[place] in candidates:
            before = tokenizer.decode(completion.ids[:place], clean_up_tokenization_spaces=False)
            if len(before) == n_before:
                return place
    return None


def yes_probability(watched: tuple[float, ...]) -> float:
    """P(Yes) / (P(Yes) + P(No)) from the log-probabilities of ` No` and ` Yes`, in that order."""
    no, yes = watched
    likelier = max(no, yes)
    return math.exp(yes - likelier) / (math.exp(no - likelier) + math.exp(yes - likelier))
