"""Score solutions with dORM or dPRM: for each step, the probability that it is correct."""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedModel

from multirm import tables
from multirm.batching import batches
from multirm.encoding import EncodedSolution, encode_solution, step_candidates
from multirm.files import local
from multirm.models import load_model, load_tokenizer, logits_at
from multirm.progress import Progress

logger = logging.getLogger(__name__)


def score_discriminative(
    model: str, name: str, solutions: Path, output: Path, batch_tokens: int = 16384
) -> None:
    """Give every step of every solution a reward. Solutions over the model's length get none and are marked.

    Args:
        model: folder of a merged model or of an adapter, or a hub name.
        name: the reward model's, for the table.
        solutions: table of solutions.
        output: table of rewards, in the order of the solutions.
        batch_tokens: most tokens in a batch, padding included; it changes speed and memory, not rewards.
    """
    table = tables.read(solutions, tables.SOLUTIONS)
    rows = table.to_pylist()
    tokenizer = load_tokenizer(model)
    candidates = step_candidates(tokenizer)
    network = load_model(model)
    limit = network.config.max_position_embeddings
    encoded = [encode_solution(tokenizer, row["question"], row["steps"]) for row in rows]
    fitting = [index for index, solution in enumerate(encoded) if len(solution.ids) <= limit]
    if len(fitting) < len(encoded):
        logger.warning("%d solutions are over %d tokens", len(encoded) - len(fitting), limit)

    rewards: list[list[float | None]] = [[None] * len(row["steps"]) for row in rows]
    scored = step_rewards(network, candidates, [encoded[i] for i in fitting], batch_tokens)
    for index, solution_rewards in zip(fitting, scored, strict=True):
        rewards[index] = [*solution_rewards]

    key = tables.SOLUTIONS.key
    tables.write(
        output,
        tables.REWARDS,
        [
            {
                **{column: row[column] for column in key},
                "model": name,
                "rewards": rewards[index],
                "n_tokens": len(encoded[index].ids),
                "truncated": len(encoded[index].ids) > limit,
            }
            for index, row in enumerate(rows)
        ],
        parameters={
            "model": name,
            "batch_tokens": batch_tokens,
            "dtype": str(network.dtype).removeprefix("torch."),
        },
        inputs=[solutions, *local([model])],
    )


def step_rewards(
    model: PreTrainedModel,
    candidates: tuple[int, int],
    solutions: Sequence[EncodedSolution],
    batch_tokens: int,
) -> list[list[float]]:
    """The rewards of each solution's steps: P(`+`) / (P(`-`) + P(`+`)) at the last token of each.

    Args:
        model: a causal language model, in evaluation mode.
        candidates: ids of `-` and `+`.
        solutions: none longer than the model admits.
        batch_tokens: most tokens in a batch, padding included.
    """
    rewards: list[list[float]] = [[] for _ in solutions]
    progress = Progress(len(solutions))
    done = 0
    for batch in batches([len(solution.ids) for solution in solutions], batch_tokens):
        scored = _score_batch(model, candidates, [solutions[index] for index in batch])
        for index, solution_rewards in zip(batch, scored, strict=True):
            rewards[index] = solution_rewards
        done += len(batch)
        if progress.is_due(done):
            rate = progress.per_second(done)
            logger.info("scored %d of %d solutions, %.1f/s", done, len(solutions), rate)
    return rewards


@torch.inference_mode()
def _score_batch(
    model: PreTrainedModel, candidates: tuple[int, int], solutions: Sequence[EncodedSolution]
) -> list[list[float]]:
    width = max(len(solution.ids) for solution in solutions)
    input_ids = torch.zeros(len(solutions), width, dtype=torch.long)
    places = torch.zeros(len(solutions), width, dtype=torch.bool)
    for row, solution in enumerate(solutions):
        input_ids[row, : len(solution.ids)] = torch.tensor(solution.ids)
        places[row, solution.step_ends] = True
    logits = logits_at(model, input_ids.to(model.device), places.to(model.device), candidates)
    probabilities = logits.float().softmax(dim=-1)[:, 1].cpu()
    counts = [len(solution.step_ends) for solution in solutions]
    return [rewards.tolist() for rewards in torch.split(probabilities, counts)]
