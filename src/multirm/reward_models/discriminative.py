"""Discriminative reward models: the network's probability that each step is correct.

Get rewards of a question and its steps:

    model = load_discriminative("results/models/dPRM-mini/adapter")
    [found] = model.score([Solution("What is 2 + 3?", ("2 + 3 = 5.", "The answer is 5."))])
    found.rewards
"""

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from multirm.engines.limits import context_length
from multirm.models.dtype import Dtype
from multirm.models.flops import DecoderFlops
from multirm.models.load import (
    default_device,
    dtype_of,
    load_in_turn,
    load_model,
    load_tokenizer,
    output_logits,
)
from multirm.models.packing import attend_in_packs, group_in_packs, pack_tree, read_pack_at
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.formats import MULTI_RM, Format
from multirm.text.encoding import EncodedSolution, encode_solution, single_token

BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}
"""Approximate number of tokens in a batch by type of device; more do not fit into a CPU's caches."""


def load_discriminative(
    model: str | Path, dtype: Dtype = Dtype.AUTO, batch_tokens: int | None = None
) -> "DiscriminativeModel":
    """Load a dORM or dPRM on the first GPU, or on the CPU if there is none.

    Args:
        model: folder of an adapter or of a whole model, or a hub name.
        dtype: precision of the model: auto is bfloat16 on a GPU and float32 on a CPU.
        batch_tokens: as of `DiscriminativeModel`.

    Raises:
        InputError: `models.load.load_model` or `DiscriminativeModel` refuses the model.
    """
    network = load_model(str(model), dtype_of(dtype, default_device()))
    return DiscriminativeModel(network, load_tokenizer(str(model)), batch_tokens)


def load_discriminative_in_turn(
    models: Sequence[str], dtype: Dtype = Dtype.AUTO, batch_tokens: int | None = None
) -> Iterator["DiscriminativeModel"]:
    """Load models as `load_discriminative` does, one after the other; consecutive adapters share a loaded base.

    A model is valid only until the next one is requested.
    """
    networks = load_in_turn(models, dtype_of(dtype, default_device()))
    for name in models:
        # Keep no reference to a network while the next one is loaded: memory may be too small for two.
        yield DiscriminativeModel(next(networks), load_tokenizer(name), batch_tokens)


class DiscriminativeModel(RewardModel):
    """A network that was trained as dORM or dPRM, ready to score.

    A solution's rewards do not depend on the other solutions, up to rounding (1e-5 in float32). The reward of a step
    depends only on the question and the steps up to it, so the rewards of a solution's first steps are the first of
    its rewards.

    Common prefixes of the solutions of one call are encoded once. Nothing is cached between calls: a solution with one
    more step is encoded again as a whole.

    Args:
        network: a causal language model in evaluation mode, with or without an adapter. It is changed to accept
            only packed input.
        tokenizer: the network's tokenizer.
        batch_tokens: approximate number of tokens in a batch. It affects speed and memory, not rewards;
            `BATCH_TOKENS` by default.
        asked: the layout of the text, and how rewards are computed.

    Raises:
        InputError: the tokenizer lacks a token of the format, or the network does not support packed input.
    """

    def __init__(
        self,
        network: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        batch_tokens: int | None = None,
        asked: Format = MULTI_RM,
    ) -> None:
        incorrect, correct = asked.tokens
        self._candidates = single_token(tokenizer, incorrect), single_token(tokenizer, correct)
        attend_in_packs(network)
        self._network, self._tokenizer, self._layout = network, tokenizer, asked.layout
        self._batch_tokens = batch_tokens or BATCH_TOKENS[network.device.type]
        self.unit, self.scale = asked.unit, asked.scale
        self._flops = DecoderFlops.of(network.config)
        self.max_tokens = context_length(network.config)
        """The length of the network's context; None if its configuration does not tell."""

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions, pack by pack; see `RewardModel.score_in_batches`.

        Solutions longer than the context come first, with null rewards and `truncated`: none is cut.

        Yields:
            rewards by the positions of their solutions: P(correct) of each step, from 0 to 1.
        """
        encoded = [
            encode_solution(self._tokenizer, solution.question, solution.steps, self._layout)
            for solution in solutions
        ]
        texts = [solution.ids for solution in encoded]
        limit = self.max_tokens or max(map(len, texts), default=0)
        over = [position for position, text in enumerate(texts) if len(text) > limit]
        if missing := [position for position in over if position not in done]:
            yield {
                position: self._rewards([None] * len(solutions[position].steps), 0, truncated=True)
                for position in missing
            }
        pools: dict[str, list[int]] = {}
        for position, solution in enumerate(solutions):
            if len(texts[position]) <= limit:
                pools.setdefault(solution.question, []).append(position)
        # Packs do not depend on `done`, so that rewards are the same to the last bit.
        for positions in group_in_packs(pools.values(), texts, self._batch_tokens):
            if positions[0] not in done:
                chosen = [encoded[position] for position in positions]
                rewards = step_rewards(self._network, self._candidates, chosen)
                yield {
                    position: self._rewards(found, len(texts[position]), truncated=False)
                    for position, found in zip(positions, rewards, strict=True)
                }

    def _rewards(self, found: Sequence[float | None], n_read: int, truncated: bool) -> Rewards:
        flops = None if self._flops is None else self._flops.reading(n_read)
        return Rewards(tuple(found), n_read, 0, flops, truncated)


@torch.inference_mode()
def step_rewards(
    network: PreTrainedModel, candidates: tuple[int, int], solutions: Sequence[EncodedSolution]
) -> list[list[float]]:
    """The rewards of each solution's steps: P(correct) / (P(incorrect) + P(correct)) at the last token of each.

    Common prefixes of solutions, above all the question, are encoded once.

    Args:
        network: a causal language model in evaluation mode, prepared by `attend_in_packs`.
        candidates: ids of the tokens for incorrect and for correct.
        solutions: none longer than the context; all are one batch.

    Returns:
        for each solution a probability per step.
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
