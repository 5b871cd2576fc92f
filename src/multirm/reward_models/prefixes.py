"""Rewards of steps that are read behind the end of a conversation: each step ends a text of its own.

The texts of a solution begin alike. In a pack, what they share is read once, and the tokens that end each of them are
a side branch.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from transformers import PreTrainedModel

from multirm.engines.limits import context_length
from multirm.models.flops import DecoderFlops
from multirm.models.packing import attend_in_packs, n_shared
from multirm.reward_models.base import RewardModel, Rewards, Solution
from multirm.reward_models.heads import Head
from multirm.reward_models.layouts import EncodedText
from multirm.reward_models.packs import read_in_packs
from multirm.reward_models.reading import rewards_at
from multirm.tables.rewards import Scale, Unit


@dataclass(frozen=True)
class _Prefixes(EncodedText):
    """A whole solution, and the texts of its first steps."""

    texts: tuple[EncodedText, ...] = ()

    @property
    def n_tokens(self) -> int:
        """The tokens that are read: those of the solution, and those that end each of the other texts."""
        ends = (len(text.ids) - n_shared(text.ids, self.ids) for text in self.texts)
        return len(self.ids) + sum(ends)


class PrefixModel(RewardModel):
    """A reward model of whole texts, asked about the first steps of a solution, one more each time.

    Args:
        network: a decoder in evaluation mode. It is changed to accept only packed input.
        encode: gives the ids of a text, and the place of its reward.
        head: computes rewards from the network's last hidden states.
        scale: what kind of number a reward is.
        batch_tokens: approximate number of tokens in a batch.

    Raises:
        InputError: the network does not support packed input.
    """

    unit = Unit.STEP

    def __init__(
        self,
        network: PreTrainedModel,
        encode: Callable[[Solution], EncodedText],
        head: Head,
        scale: Scale,
        batch_tokens: int,
    ) -> None:
        attend_in_packs(network)
        self.network, self.head, self._encode_text = network, head, encode
        self.batch_tokens, self.scale = batch_tokens, scale
        self.flops = DecoderFlops.of(network.config)
        self.max_tokens = context_length(network.config)

    def score_in_batches(
        self, solutions: Sequence[Solution], done: Container[int] = ()
    ) -> Iterator[dict[int, Rewards]]:
        """Score solutions, pack by pack; see `packs.read_in_packs`. Yields rewards by step."""
        return read_in_packs(
            solutions, self._encode, self._read, self.max_tokens, self.batch_tokens, done
        )

    def texts(self, solution: Solution) -> list[EncodedText]:
        """The texts that are read of a solution: one for its first step, its first two, and so on."""
        counts = range(1, len(solution.steps) + 1)
        return [
            self._encode_text(replace(solution, steps=solution.steps[:count])) for count in counts
        ]

    def _encode(self, solution: Solution) -> _Prefixes:
        texts = self.texts(solution)
        whole = texts[-1] if texts else self._encode_text(solution)
        places = [text.places[0] for text in texts]
        return _Prefixes(whole.ids, places, whole.is_changed, texts=tuple(texts))

    def _read(self, solutions: Sequence[EncodedText]) -> list[Rewards]:
        known = [each for each in solutions if isinstance(each, _Prefixes)]
        found = iter(
            rewards_at(self.network, self.head, [text for each in known for text in each.texts])
        )
        rewards = []
        for each in known:
            own = tuple(reward for [reward] in islice(found, len(each.texts)))
            n_read = each.n_tokens
            flops = None if self.flops is None else self.flops.reading(n_read)
            rewards.append(Rewards(own, n_read, 0, flops, truncated=False))
        return rewards
