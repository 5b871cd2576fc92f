"""Score solutions with discriminative reward models: our dORM and dPRM, or other people's, by their format."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multirm.engines.load import require_vllm
from multirm.engines.name import EngineName
from multirm.errors import InputError, shown
from multirm.models.dtype import Dtype
from multirm.models.learned_from import count_learned
from multirm.models.load import default_device, dtype_name, dtype_of
from multirm.reward_models.base import RewardModel, Solution
from multirm.reward_models.discriminative import (
    default_batch,
    load_discriminative,
    load_discriminative_in_turn,
    sources_with_reference,
)
from multirm.reward_models.formats import Format, asked_format, format_file
from multirm.running.arguments import OutputFile, Place, entry
from multirm.running.journal import Journal, open_journal
from multirm.running.numbers import Count
from multirm.running.progress import Progress
from multirm.running.provenance import Origin, origin_of
from multirm.running.shards import Shard
from multirm.tables import parquet
from multirm.tables.reward_models import FormatName
from multirm.tables.rewards import REWARDS
from multirm.tables.solutions import SOLUTIONS, pool_of

logger = logging.getLogger(__name__)


@entry
def score_discriminative(
    model: list[Place],
    solutions: Path,
    output: list[OutputFile],
    format: FormatName = FormatName.MULTI_RM,
    reference: Place | None = None,
    template: Path | None = None,
    engine: EngineName = EngineName.TRANSFORMERS,
    batch_tokens: Count | None = None,
    dtype: Dtype = Dtype.AUTO,
    shard: str = "1/1",
) -> None:
    """Give every step of every solution a reward, or the solution one. Those longer than the context get none.

    A killed job resumes where it stopped.

    Args:
        model: NAME=PATH, where PATH is the folder of an adapter or of a whole model, or a hub name. Consecutive
            adapters of one base share the loaded base.
        solutions: table of solutions.
        output: table of rewards for each model, in the order of the solutions.
        format: of the models' text and head; docs/formats.md lists the formats of other people's models. By default,
            that of models trained here.
        reference: folder or hub name of the reference model of a format that has one; by default, the format's.
        template: prompt template with the words of the first user turn, for formats of chats; by default, the
            format's.
        engine: transformers, or vllm, which runs most formats and splits a model over all visible GPUs.
        batch_tokens: approximate number of tokens in a batch of transformers; affects speed and memory, not rewards.
            By default 16,384 on a GPU and 2,048 on a CPU, whose caches hold no more.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU. The authors' rewards are
            float32, which costs several times as much on a GPU.
        shard: NUMBER/COUNT: score one of this many parts of the pools.
    """
    names, places = _names_and_places(model, output)
    asked = asked_format(format, reference, template)
    whole = parquet.read(solutions, SOLUTIONS).to_pylist()
    rows = Shard.parse(shard).of(whole, pool_of)
    at_once = _batch(engine, batch_tokens)
    if engine is EngineName.VLLM and asked is not None and not asked.is_of_vllm:
        raise InputError(
            "--engine",
            expected=f"{EngineName.TRANSFORMERS} with the format {format}, whose head vLLM does not serve",
            found=engine,
        )
    read = [] if asked is None else [format_file(format), *([template] if template else [])]
    jobs = []
    with ExitStack() as stack:
        # Open all journals before loading a model: a second job on the same tables is refused at once.
        for name, place, table in zip(names, places, output, strict=True):
            parameters = {
                "model": name,
                "format": format,
                "engine": engine,
                "batch_tokens": at_once,
                "shard": shard,
                "dtype": dtype_name(dtype_of(dtype, default_device())),
                "learned_questions": count_learned(name, place, (row["question"] for row in whole)),
            }
            origin = _origin(place, asked, reference, parameters, [solutions, *read])
            journal = stack.enter_context(open_journal(table, origin))
            jobs.append((name, table, origin, journal))
        scored_ones = [Solution.of(row) for row in rows]
        keys = [{column: row[column] for column in SOLUTIONS.key} for row in rows]
        models = _loaded(engine, places, dtype, at_once, asked, reference)
        for name, table, origin, journal in jobs:
            loaded = next(models)
            scored = _score(loaded, scored_ones, journal)
            said = {"model": name, "unit": loaded.unit, "scale": loaded.scale}
            # Free its memory before the next one is loaded.
            del loaded
            filled = [{**key, **said, **columns} for key, columns in zip(keys, scored, strict=True)]
            parquet.write(table, REWARDS, filled, origin)


def _batch(engine: EngineName, batch_tokens: int | None) -> int | None:
    """The approximate number of tokens in a batch; None with vLLM, which divides the work itself.

    Raises:
        InputError: the engine cannot run discriminative models, or a number is given for vLLM.
    """
    if not engine.reads:
        raise InputError(
            "--engine",
            expected="one that runs discriminative models, transformers or vllm",
            found=engine,
        )
    if engine is EngineName.VLLM and batch_tokens is not None:
        raise InputError(
            "--batch-tokens",
            expected=f"none with the engine {engine}, which divides the work itself",
            found=str(batch_tokens),
        )
    return None if engine is EngineName.VLLM else batch_tokens or default_batch()


def _loaded(
    engine: EngineName,
    places: Sequence[str],
    dtype: Dtype,
    at_once: int | None,
    asked: Format | None,
    reference: str | None,
) -> Iterator[RewardModel]:
    """Load models one after the other; each is valid until the next one is requested."""
    if engine is EngineName.VLLM:
        require_vllm()
        from multirm.reward_models.pooled import load_pooled_in_turn

        yield from load_pooled_in_turn(places, dtype, asked)
    elif asked is None:
        yield from load_discriminative_in_turn(places, dtype, at_once)
    else:
        for each in places:
            yield load_discriminative(each, dtype, at_once, asked, reference)


def _origin(
    model: str,
    asked: Format | None,
    reference: str | None,
    parameters: Mapping[str, Any],
    inputs: Sequence[Path],
) -> Origin:
    """The origin of a model's rewards, with its weights and, if it has one, those of its reference model."""
    names, folders = sources_with_reference(model, asked, reference)
    return origin_of(__name__, {**parameters, "weights": names}, [*inputs, *folders])


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
    model: RewardModel, solutions: Sequence[Solution], journal: Journal
) -> list[dict[str, Any]]:
    """The columns of `REWARDS` from a model, for each solution; those in the journal are not scored again."""
    done = {int(position) for position in journal.items}
    with Progress("scored", "solutions", len(solutions) - len(done)) as progress:
        for batch in model.score_in_batches(solutions, done):
            # A batch is journaled as a whole or not at all.
            journal.add({str(position): asdict(rewards) for position, rewards in batch.items()})
            progress.add(len(batch), sum(rewards.n_tokens_read for rewards in batch.values()))
    scored = [journal.items[str(position)] for position in range(len(solutions))]
    if n_over := sum(columns["truncated"] for columns in scored):
        logger.warning("%d solutions are over the model's length and have no rewards", n_over)
    return scored
