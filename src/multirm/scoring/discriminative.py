"""Score solutions with dORM or dPRM: for each step, the probability that it is correct."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.limits import context_length
from multirm.errors import InputError, shown
from multirm.models.dtype import Dtype
from multirm.models.learned_from import count_learned
from multirm.models.load import (
    default_device,
    dtype_name,
    dtype_of,
    load_in_turn,
    load_tokenizer,
    output_logits,
    sources_of,
)
from multirm.models.packing import attend_in_packs, group_in_packs, pack_tree, read_pack_at
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import Journal, open_journal
from multirm.running.numbers import Count
from multirm.running.progress import Progress
from multirm.running.provenance import origin_of
from multirm.running.shards import Shard
from multirm.tables import parquet
from multirm.tables.rewards import REWARDS
from multirm.tables.schema import Row
from multirm.tables.solutions import SOLUTIONS, pool_of
from multirm.text.encoding import EncodedSolution, encode_solution, step_candidates

logger = logging.getLogger(__name__)

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}


@entry
def score_discriminative(
    model: list[Place],
    solutions: Path,
    output: list[OutputFile],
    batch_tokens: Count | None = None,
    dtype: Dtype = Dtype.AUTO,
    shard: str = "1/1",
) -> None:
    """Give every step of every solution a reward. Solutions over the model's length get none and are marked.

    A job that was killed goes on where it was.

    Args:
        model: NAME=PATH, PATH being the folder of an adapter or of a whole model, or a hub name. Several
            adapters of one base after another share its loading.
        solutions: table of solutions.
        output: table of rewards for each model, in the order of the solutions.
        batch_tokens: about how many tokens are read at once; it changes speed and memory, not rewards.
            16,384 on a GPU; 2,048 on a CPU, in whose caches more do not stay.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU. Published rewards are
            of float32, which costs several times as much on a GPU.
        shard: NUMBER/COUNT: score one of so many parts of the pools.
    """
    names, places = _names_and_places(model, output)
    whole = parquet.read(solutions, SOLUTIONS).to_pylist()
    rows = Shard.parse(shard).of(whole, pool_of)
    precision = dtype_of(dtype, default_device())
    at_once = batch_tokens or BATCH_TOKENS[default_device().type]
    jobs = []
    with ExitStack() as stack:
        # All journals before any model: whoever comes second is refused at once, and goes on with them all.
        for name, place, table in zip(names, places, output, strict=True):
            made_of, folders = sources_of(place)
            parameters = {
                "model": name,
                "weights": made_of,
                "batch_tokens": at_once,
                "shard": shard,
                "dtype": dtype_name(precision),
                "learned_questions": count_learned(name, place, (row["question"] for row in whole)),
            }
            origin = origin_of(__name__, parameters, [solutions, *folders])
            journal = stack.enter_context(open_journal(table, origin))
            jobs.append((name, place, table, origin, journal))
        networks = load_in_turn(places, precision)
        for name, place, table, origin, journal in jobs:
            network = next(networks)
            scored = _score(name, network, load_tokenizer(place), rows, at_once, journal)
            # Gone before the next one comes.
            del network
            parquet.write(table, REWARDS, scored, origin)


def _names_and_places(model: Sequence[str], output: Sequence[Path]) -> tuple[list[str], list[str]]:
    pairs = [pair.partition("=") for pair in model]
    for pair, (name, _, place) in zip(model, pairs, strict=True):
        if not name or not place:
            raise InputError(
                "--model", expected="NAME=PATH, such as dPRM=models/dPRM", found=shown(pair)
            )
    if len(pairs) != len(output):
        raise InputError(
            "--output", expected=f"a table for each of {len(pairs)} models", found=str(len(output))
        )
    return [name for name, _, _ in pairs], [place for _, _, place in pairs]


def _score(
    name: str,
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    batch_tokens: int,
    journal: Journal,
) -> list[Row]:
    """Rows of `tables.REWARDS`, one for each row of a solutions table."""
    candidates = step_candidates(tokenizer)
    encoded = [encode_solution(tokenizer, row["question"], row["steps"]) for row in rows]
    longest = max((len(solution.ids) for solution in encoded), default=0)
    limit = context_length(network.config) or longest
    pools: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if len(encoded[index].ids) <= limit:
            pools.setdefault(pool_of(row), []).append(index)
    fitting = sum(map(len, pools.values()))
    if fitting < len(rows):
        logger.warning("%d solutions are over %d tokens", len(rows) - fitting, limit)

    attend_in_packs(network)
    texts = [solution.ids for solution in encoded]
    with Progress("scored", "solutions", fitting - len(journal.items)) as progress:
        for indices in group_in_packs(pools.values(), texts, batch_tokens):
            # A pack is written down at one stroke: all of it is there or nothing.
            if str(indices[0]) not in journal.items:
                chosen = [encoded[index] for index in indices]
                rewards = step_rewards(network, candidates, chosen)
                journal.add({str(i): values for i, values in zip(indices, rewards, strict=True)})
                progress.add(len(indices), sum(len(solution.ids) for solution in chosen))
    return [
        {
            **{column: row[column] for column in SOLUTIONS.key},
            "model": name,
            "rewards": journal.items[str(index)] if fits else [None] * len(row["steps"]),
            "n_tokens": n_tokens,
            "truncated": not fits,
        }
        for index, row in enumerate(rows)
        for n_tokens in [len(encoded[index].ids)]
        for fits in [n_tokens <= limit]
    ]


@torch.inference_mode()
def step_rewards(
    network: PreTrainedModel, candidates: tuple[int, int], solutions: Sequence[EncodedSolution]
) -> list[list[float]]:
    """The rewards of each solution's steps: P(`+`) / (P(`-`) + P(`+`)) at the last token of each.

    What solutions begin with alike, the question first of all, is read once.

    Args:
        network: a causal language model in evaluation mode, prepared by `attend_in_packs`.
        candidates: ids of `-` and `+`.
        solutions: none longer than the model admits; all are read at once.
    """
    pack = pack_tree([solution.ids for solution in solutions])
    ends = [
        place[solution.step_ends] for place, solution in zip(pack.places, solutions, strict=True)
    ]
    given = [*pack.tensors, torch.from_numpy(np.concatenate(ends))]
    hidden = read_pack_at(network, *(tensor.to(network.device) for tensor in given))
    logits = output_logits(network, hidden, candidates)
    probabilities = logits.float().softmax(dim=-1)[:, 1].cpu()
    counts = [len(solution.step_ends) for solution in solutions]
    return [rewards.tolist() for rewards in torch.split(probabilities, counts)]
