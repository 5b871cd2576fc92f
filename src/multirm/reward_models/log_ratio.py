"""Implicit process reward models: rewards are log-ratios of a model's and a reference model's probabilities.

The reward of a step is beta times the sum over its tokens of log P(token) under the model minus log P(token) under the
reference model (Yuan et al. 2024, "Free Process Rewards without Process Labels", arXiv 2412.01981). A step's tokens
include those that separate it from the next one, or that end the reply.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from multirm.engines.limits import context_length
from multirm.models.flops import DecoderFlops
from multirm.models.load import output_logits
from multirm.models.packing import attend_in_packs, pack_tree, read_pack_at
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.layouts import EncodedText
from multirm.reward_models.packs import read_in_packs
from multirm.tables.rewards import Scale, Unit

# Positions whose logits over the whole vocabulary are in memory at once: 0.3 GB with the largest vocabularies.
_AT_ONCE = 512


class LogRatioModel(RewardModel):
    """A model and its reference model, ready to score. Both are in memory at once.

    Args:
        network, reference: causal language models with one vocabulary, in evaluation mode. They are changed to accept
            only packed input.
        encode: gives a solution's token ids, the last token of each step, and of the prompt.
        beta: factor of the log-ratio.
        batch_tokens: approximate number of tokens in a batch.

    Raises:
        InputError: a network does not support packed input.
    """

    unit, scale = Unit.STEP, Scale.SCORE

    def __init__(
        self,
        network: PreTrainedModel,
        reference: PreTrainedModel,
        encode: Callable[[Solution], EncodedText],
        beta: float,
        batch_tokens: int,
    ) -> None:
        self._networks = (network, reference)
        for each in self._networks:
            attend_in_packs(each)
        self._encode, self._beta, self._batch_tokens = encode, beta, batch_tokens
        self._flops = [DecoderFlops.of(each.config) for each in self._networks]
        lengths = [context_length(each.config) for each in self._networks]
        self.max_tokens = min((each for each in lengths if each is not None), default=None)
        """The length of the shorter context; None if no configuration tells."""

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions, pack by pack; see `packs.read_in_packs`.

        Yields:
            rewards by the positions of their solutions: one per step.
        """
        return read_in_packs(
            solutions, self._encode, self._read, self.max_tokens, self._batch_tokens, done
        )

    def texts(self, solution: Solution) -> list[EncodedText]:
        """The one text that both networks read of a solution."""
        return [self._encode(solution)]

    def _read(self, texts: Sequence[EncodedText]) -> list[Rewards]:
        own, others = (log_probabilities(network, texts) for network in self._networks)
        return [
            self._rewards(text, one - other)
            for text, one, other in zip(texts, own, others, strict=True)
        ]

    def _rewards(self, text: EncodedText, ratios: np.ndarray) -> Rewards:
        """The rewards of a text from the log-ratios of the tokens after its prompt."""
        sums = np.concatenate([[0.0], ratios.cumsum()]) * self._beta
        ends = [text.prompt_end, *text.places]
        rewards = tuple(
            None
            if before is None or end is None
            else float(sums[end + 1 - _after_prompt(text)] - sums[before + 1 - _after_prompt(text)])
            for before, end in pairwise(ends)
        )
        return Rewards(rewards, len(text.ids), 0, self._operations(text), truncated=False)

    def _operations(self, text: EncodedText) -> float | None:
        n_read, n_compared = len(text.ids), len(text.ids) - _after_prompt(text)
        found = 0.0
        for each in self._flops:
            if each is None:
                return None
            found += each.reading(n_read) + 2 * each.output * n_compared
        return found


def _after_prompt(text: EncodedText) -> int:
    """The index of the first token after the prompt."""
    return (text.prompt_end or 0) + 1


@torch.inference_mode()
def log_probabilities(network: PreTrainedModel, texts: Sequence[EncodedText]) -> list[np.ndarray]:
    """The natural-log probabilities of each text's tokens after its prompt; common prefixes are encoded once.

    Args:
        network: a causal language model in evaluation mode, prepared by `attend_in_packs`.
        texts: none longer than the context; all are one batch.

    Returns:
        for each text float64 [tokens after the prompt].
    """
    pack = pack_tree([text.ids for text in texts])
    # A token's probability is read at the token before it.
    before = [
        place[_after_prompt(text) - 1 : len(text.ids) - 1]
        for place, text in zip(pack.places, texts, strict=True)
    ]
    targets = torch.tensor([token for text in texts for token in text.ids[_after_prompt(text) :]])
    given = [*pack.tensors, torch.from_numpy(np.concatenate(before))]
    hidden = read_pack_at(network, *(tensor.to(network.device) for tensor in given))
    found: list[Tensor] = []
    for states, wanted in zip(
        torch.split(hidden, _AT_ONCE), torch.split(targets, _AT_ONCE), strict=True
    ):
        logits = output_logits(network, states).float()
        columns = wanted.to(logits.device)[:, None]
        found.append((logits.gather(1, columns)[:, 0] - logits.logsumexp(dim=-1)).double().cpu())
    joined = torch.cat(found)
    return [each.numpy() for each in torch.split(joined, [len(places) for places in before])]
