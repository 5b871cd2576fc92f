"""Read solutions that grow step by step with a discriminative reward model: every token is computed once.

Keys and values of what was read are cached, and its rewards are remembered. A text that begins like an earlier one,
token by token, is read from where it differs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch

from multirm.models.packing import n_shared
from multirm.models.prefix_cache import PrefixCache, room_for_cache
from multirm.models.prefix_reading import read_texts
from multirm.models.token_tree import ReadTexts
from multirm.reward_models.base import Solution
from multirm.reward_models.discriminative import DiscriminativeModel
from multirm.reward_models.layouts import EncodedText
from multirm.reward_models.prefixes import PrefixModel
from multirm.reward_models.step_readers import (
    StepReader,
    StepRewards,
    key_of_text,
    rewards_of_steps,
    without_cost,
)

_Key = tuple[str | int, ...]


@dataclass(frozen=True)
class _Text:
    """A text up to the last place at which a reward is read: what follows has no effect.

    Attributes:
        ids: token ids.
        places: as of `EncodedText`.
        wanted: the places whose rewards are not known yet.
    """

    ids: list[int]
    places: Sequence[int | None]
    wanted: list[int]


class CachedReader(StepReader):
    """Reads the new tokens of solutions only; see `StepReader`.

    Rewards equal those that the model's `score` gives, up to rounding (1e-5 in float32). Tokens are computed
    again only if what was read since then does not fit into the cache.

    Args:
        model: a loaded model with a single network.
        max_bytes: size of the cache; `room_for_cache` by default.
    """

    def __init__(
        self, model: DiscriminativeModel | PrefixModel, max_bytes: int | None = None
    ) -> None:
        self._model = model
        room = room_for_cache(model.network.device) if max_bytes is None else max_bytes
        self._cache = PrefixCache(room)
        self._known = ReadTexts()
        self.unit, self.scale = model.unit, model.scale

    def read(self, solutions: Sequence[Solution]) -> list[StepRewards]:
        """See `StepReader`. Solutions that are longer than the context have null rewards."""
        keys = [key_of_text(solution) for solution in solutions]
        texts = {
            key: self._model.texts(solution) for key, solution in zip(keys, solutions, strict=True)
        }
        found = {
            key: StepRewards((), 0, 0, 0, 0, 0.0, truncated=True)
            for key, own in texts.items()
            if not self._fits(own)
        }
        fitting = {key: own for key, own in texts.items() if key not in found}
        for batch in self._batches(fitting):
            found |= self._read(batch)
        results = []
        for key, solution in zip(keys, solutions, strict=True):
            own, n_steps = found[key], len(solution.steps)
            rewards = own.rewards or (None,) * n_steps
            results.append(own._replace(rewards=rewards_of_steps(rewards, self.unit, n_steps)))
            found[key] = without_cost(own)
        return results

    def know(self, solutions: Sequence[Solution]) -> None:
        """See `StepReader`."""
        for solution in solutions:
            for text in self._model.texts(solution):
                self._known.add(self._text(text).ids)

    def _fits(self, texts: Sequence[EncodedText]) -> bool:
        limit = self._model.max_tokens
        return limit is None or all(len(text.ids) <= limit for text in texts)

    def _batches(
        self, texts: Mapping[_Key, Sequence[EncodedText]]
    ) -> Iterator[dict[_Key, list[_Text]]]:
        """Divide solutions into batches of about `batch_tokens` tokens to compute; a longer one has its own."""
        batch: dict[_Key, list[_Text]] = {}
        n_batch = 0
        for key, encoded in texts.items():
            own = [self._text(text) for text in encoded]
            n_own = sum(self._n_to_compute(text) for text in own)
            if batch and n_batch + n_own > self._model.batch_tokens:
                yield batch
                batch, n_batch = {}, 0
                own = [self._text(text) for text in encoded]
                n_own = sum(self._n_to_compute(text) for text in own)
            batch[key] = own
            n_batch += n_own
        if batch:
            yield batch

    def _text(self, text: EncodedText) -> _Text:
        read = [place for place in text.places if place is not None]
        ids = text.ids[: max(read, default=-1) + 1]
        known = self._known.rewards(ids)
        return _Text(ids, text.places, [place for place in read if place not in known])

    def _n_to_compute(self, text: _Text) -> int:
        """An upper bound: texts that are read together may begin alike."""
        return len(text.ids) - self._cache.n_known(text.ids) if text.wanted else 0

    def _read(self, batch: Mapping[_Key, Sequence[_Text]]) -> dict[_Key, StepRewards]:
        """The rewards of solutions, all of their texts in turn."""
        texts = [text for own in batch.values() for text in own]
        computed = iter(self._compute(texts))
        return {
            key: self._rewards(own, list(islice(computed, len(own)))) for key, own in batch.items()
        }

    @torch.inference_mode()
    def _compute(self, texts: Sequence[_Text]) -> list[int]:
        """Learn the wanted rewards of texts.

        Returns:
            how many tokens were computed for each.
        """
        unread = [number for number, text in enumerate(texts) if text.wanted]
        n_computed = [0] * len(texts)
        if not unread:
            return n_computed
        reading = read_texts(
            self._model.network,
            self._cache,
            [texts[number].ids for number in unread],
            [texts[number].wanted for number in unread],
        )
        self._cache.trim()
        rewards = iter(self._model.head(self._model.network, reading.hidden).cpu().tolist())
        for number, n_own in zip(unread, reading.n_computed, strict=True):
            n_computed[number] = n_own
            text = texts[number]
            self._known.learn(text.ids, {place: next(rewards) for place in text.wanted})
        return n_computed

    def _rewards(self, texts: Sequence[_Text], n_computed: Sequence[int]) -> StepRewards:
        rewards: list[float | None] = []
        n_new = n_other = 0
        flops = None if self._model.flops is None else 0.0
        for text, n_own in zip(texts, n_computed, strict=True):
            known = self._known.rewards(text.ids)
            rewards += [None if place is None else known[place] for place in text.places]
            n_new += self._known.add(text.ids)
            # The texts of a solution begin like the last one.
            n_other += len(text.ids)
            if text is not texts[-1]:
                n_other -= n_shared(text.ids, texts[-1].ids)
            if flops is not None and self._model.flops is not None:
                flops += self._model.flops.reading(n_own, len(text.ids) - n_own)
        n_all = sum(n_computed)
        return StepRewards(
            tuple(rewards), n_new, n_all, max(0, n_other - n_all), 0, flops, truncated=False
        )
