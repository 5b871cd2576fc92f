"""A batch of texts during decoding: one more token per row and step."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from multirm.models.batching import TOKENS_AT_ONCE
from multirm.models.load import output_layer
from multirm.models.prefix_cache import CachedBranch, PrefixCache
from multirm.models.prefix_reading import read_texts


class GrowingLayer(DynamicLayer):
    """Keys and values with spare room: `DynamicLayer` copies all of them for every token."""

    _room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return self.keys, self.values
        length, added = self.keys.shape[-2], key_states.shape[-2]
        if self._room is None or self._room[0].shape[-2] < length + added:
            self._room = (_roomy(self.keys, added), _roomy(self.values, added))
        keys, values = self._room
        keys[:, :, length : length + added] = key_states
        values[:, :, length : length + added] = value_states
        self.keys, self.values = keys[:, :, : length + added], values[:, :, : length + added]
        return self.keys, self.values

    @classmethod
    def in_room(cls, keys: Tensor, values: Tensor, length: int) -> Self:
        """A layer whose first `length` tokens are filled in, and which grows in the rest."""
        layer = cls()
        layer.lazy_initialization(keys, values)
        layer._room = (keys, values)
        layer.keys, layer.values = keys[:, :, :length], values[:, :, :length]
        return layer

    def batch_repeat_interleave(self, repeats: int) -> None:
        self._room = None
        super().batch_repeat_interleave(repeats)

    def batch_select_indices(self, indices: Tensor) -> None:
        self._room = None
        super().batch_select_indices(indices)


def _roomy(states: Tensor, added: int) -> Tensor:
    """`states` (rows, heads, length, width) at the start of a tensor that is half as long again."""
    rows, heads, length, width = states.shape
    room = states.new_empty(rows, heads, _room_for(length + added), width)
    room[:, :, :length] = states
    return room


def _room_for(length: int) -> int:
    return length * 3 // 2 + 16


def _empty_cache(model: PreTrainedModel) -> DynamicCache:
    cache = DynamicCache(config=model.config)
    cache.layers = [
        GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]
    return cache


class Decoding:
    """The state of a batch between two steps.

    Attributes:
        logits: (rows, vocabulary), of the next token of each row.
        n_computed: for each text, how many of its tokens were computed.
        _last: (rows, 1), the position of the last token of each row.
    """

    logits: Tensor
    _last: Tensor

    def __init__(
        self,
        model: PreTrainedModel,
        texts: Sequence[Sequence[int]],
        n: int,
        pad: int,
        known: PrefixCache | None = None,
    ) -> None:
        """Prefill with `texts`, none of which may be empty.

        Args:
            n: rows of each text, next to one another.
            known: what was computed before, in addition to which only new tokens are computed, without padding. The
                model must be one that `can_read_on` accepts. If None, texts are padded on the left.
        """
        self._model = model
        self._cache = _empty_cache(model)
        if known is not None:
            self._continue(texts, n, known)
            return
        self.n_computed = [len(text) for text in texts]
        longest = max(self.n_computed)
        ids = torch.tensor([[pad] * (longest - len(text)) + list(text) for text in texts])
        self._mask = _mask_of(self.n_computed).to(model.device)
        positions = (self._mask.cumsum(dim=-1) - 1).clamp(min=0)
        self._forward(ids.to(model.device), positions)
        if n > 1:
            self._cache.batch_repeat_interleave(n)
            self._repeat(n)

    def _continue(self, texts: Sequence[Sequence[int]], n: int, known: PrefixCache) -> None:
        """Read what is new of texts, and copy their keys and values into one batch."""
        device = self._model.device
        readings = [
            read_texts(self._model, known, group, [[len(text) - 1] for text in group])
            for group in _read_at_once(texts, known, TOKENS_AT_ONCE[device.type])
        ]
        self.n_computed = [count for reading in readings for count in reading.n_computed]
        self.logits = output_layer(self._model)(torch.cat([each.hidden for each in readings]))
        lengths = [len(text) for text in texts]
        self._cache.layers = _assembled([known.path(text) for text in texts], n, max(lengths))
        self._mask = _mask_of(lengths).to(device)
        self._last = torch.tensor(lengths, device=device)[:, None] - 1
        self._repeat(n)

    def _repeat(self, n: int) -> None:
        """Repeat what is known of each row, but for its keys and values; the copies are neighbours."""
        self._mask = self._mask.repeat_interleave(n, dim=0)
        self._last = self._last.repeat_interleave(n, dim=0)
        self.logits = self.logits.repeat_interleave(n, dim=0)

    def keep(self, texts: Mapping[int, Sequence[int]], known: PrefixCache) -> None:
        """Keep keys and values of what was read of some rows.

        Args:
            texts: the first tokens of rows, all of which were read, by the rows' indices.
            known: takes what it does not know yet. It must be what the batch began with.
        """
        starts = self._mask.argmax(dim=-1).tolist()
        for row, text in texts.items():
            start = starts[row]
            for branch in known.path(text):
                end = start + len(branch.run)
                if branch.states is None:
                    known.fill(branch, self._states(row, start, end))
                start = end

    def _states(self, row: int, start: int, end: int) -> Tensor:
        """Keys and values of a row as `CachedBranch` has them."""
        layers = self._cache.layers
        kept = [states[row, :, start:end] for each in layers for states in (each.keys, each.values)]
        states = torch.stack(kept).transpose(1, 2).contiguous()
        return states.view(len(layers), 2, *states.shape[1:])

    def select(self, rows: Tensor) -> None:
        """Keep only these rows."""
        self._cache.batch_select_indices(rows)
        self._mask = self._mask[rows]
        self._last = self._last[rows]
        self.logits = self.logits[rows]

    def step(self, ids: Tensor) -> None:
        """Append one token to each row; `ids` has shape (rows,)."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        self._forward(ids[:, None], self._last + 1)

    def _forward(self, ids: Tensor, positions: Tensor) -> None:
        self.logits = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        self._last = positions[:, -1:]


def _mask_of(lengths: Sequence[int]) -> Tensor:
    """Which tokens of texts that are padded on the left are theirs: int64 (texts, longest), 1 or 0."""
    longest = max(lengths)
    return torch.tensor([[0] * (longest - length) + [1] * length for length in lengths])


def _read_at_once(
    texts: Sequence[Sequence[int]], known: PrefixCache, budget: int
) -> Iterator[list[Sequence[int]]]:
    """Divide texts, in order, into groups of at most `budget` tokens that are not known; a longer one has its own.

    A group must be read before the next one is asked for.
    """
    group: list[Sequence[int]] = []
    n_new = 0
    for text in texts:
        n_own = len(text) - known.n_known(text)
        if group and n_new + n_own > budget:
            yield group
            group, n_new = [], 0
            n_own = len(text) - known.n_known(text)
        group.append(text)
        n_new += n_own
    yield group


def _assembled(paths: Sequence[Sequence[CachedBranch]], n: int, longest: int) -> list[GrowingLayer]:
    """The layers of a cache with `n` rows for each path, padded on the left to `longest` tokens."""
    known = [[branch.states for branch in path if branch.states is not None] for path in paths]
    n_layers, _, _, groups, width = known[0][0].shape
    room = known[0][0].new_empty(n_layers, 2, len(paths), n, groups, _room_for(longest), width)
    for number, parts in enumerate(known):
        start = longest - sum(states.shape[2] for states in parts)
        # Attention multiplies padding by 0, so it must not be infinite.
        room[:, :, number, ..., :start, :] = 0
        for states in parts:
            end = start + states.shape[2]
            room[:, :, number, ..., start:end, :] = states.transpose(2, 3)[:, :, None]
            start = end
    return [GrowingLayer.in_room(keys, values, longest) for keys, values in room.flatten(2, 3)]
