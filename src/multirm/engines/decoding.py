"""A batch of texts during decoding: one more token per row and step."""

from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

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

    @classmethod
    def begun(cls, keys: Tensor, values: Tensor, rows: int) -> Self:
        """A layer of `rows` equal rows, from keys and values of one row; they are not copied yet."""
        layer = cls()
        layer.lazy_initialization(keys, values)
        layer.keys = keys.expand(rows, -1, -1, -1)
        layer.values = values.expand(rows, -1, -1, -1)
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


class Opening:
    """What a model keeps of the first tokens of several texts, to be computed once for all of them.

    Attributes:
        n_tokens: the number of tokens.
    """

    def __init__(self, model: PreTrainedModel, ids: Sequence[int]) -> None:
        """Read `ids`, of which there must be at least one."""
        self.n_tokens = len(ids)
        cache = _empty_cache(model)
        model.get_decoder()(
            input_ids=torch.tensor([list(ids)], device=model.device),
            past_key_values=cache,
            use_cache=True,
        )
        self._states = [(layer.keys, layer.values) for layer in cache.layers]

    @staticmethod
    def is_possible(model: PreTrainedModel) -> bool:
        """Whether all layers keep keys and values of all tokens, and padding after some of them changes nothing."""
        return all(type(layer) is GrowingLayer for layer in _empty_cache(model).layers)

    def layers(self, rows: int) -> list[GrowingLayer]:
        """The layers of a cache in which each of `rows` texts has been read so far."""
        return [GrowingLayer.begun(keys, values, rows) for keys, values in self._states]


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
        pad: int,
        opening: Opening | None = None,
        known: PrefixCache | None = None,
    ) -> None:
        """Prefill with `texts`, padded on the left; none may be empty.

        Args:
            opening: the first tokens of all texts, each of which must be longer; padding follows them.
            known: what was computed before, in addition to which only new tokens are computed. The model must be one
                that `can_read_on` accepts. There is no `opening` then.
        """
        self._model = model
        self._cache = _empty_cache(model)
        if known is not None:
            self._continue(texts, known)
            return
        n_read = 0
        if opening:
            n_read = opening.n_tokens
            self._cache.layers = opening.layers(len(texts))
        rests = [text[n_read:] for text in texts]
        self.n_computed = [len(rest) for rest in rests]
        longest = max(map(len, rests))
        ids = torch.tensor([[pad] * (longest - len(rest)) + list(rest) for rest in rests])
        mask = torch.tensor(
            [[1] * n_read + [0] * (longest - len(rest)) + [1] * len(rest) for rest in rests]
        )
        self._mask = mask.to(model.device)
        positions = (self._mask.cumsum(dim=-1) - 1).clamp(min=0)
        self._forward(ids.to(model.device), positions[:, n_read:])

    def _continue(self, texts: Sequence[Sequence[int]], known: PrefixCache) -> None:
        """Read what is new of texts, and copy their keys and values into one batch."""
        last = [[len(text) - 1] for text in texts]
        reading = read_texts(self._model, known, texts, last)
        self.n_computed = reading.n_computed
        self.logits = output_layer(self._model)(reading.hidden)
        lengths = [len(text) for text in texts]
        longest = max(lengths)
        self._cache.layers = _assembled([known.path(text) for text in texts], longest)
        mask = torch.tensor([[0] * (longest - length) + [1] * length for length in lengths])
        self._mask = mask.to(self._model.device)
        self._last = torch.tensor(last, device=self._model.device)

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

    def repeat(self, n: int) -> None:
        """Repeat each row `n` times; the copies are neighbours."""
        if n == 1:
            return
        self._cache.batch_repeat_interleave(n)
        self._mask = self._mask.repeat_interleave(n, dim=0)
        self._last = self._last.repeat_interleave(n, dim=0)
        self.logits = self.logits.repeat_interleave(n, dim=0)

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


def _assembled(paths: Sequence[Sequence[CachedBranch]], longest: int) -> list[GrowingLayer]:
    """The layers of a cache with a row for each path, padded on the left to `longest` tokens."""
    known = [[branch.states for branch in path if branch.states is not None] for path in paths]
    n_layers, _, _, groups, width = known[0][0].shape
    # Not empty: attention multiplies padding by 0, which must not be infinite.
    room = known[0][0].new_zeros(n_layers, 2, len(paths), groups, _room_for(longest), width)
    for row, parts in enumerate(known):
        start = longest - sum(states.shape[2] for states in parts)
        for states in parts:
            end = start + states.shape[2]
            room[:, :, row, :, start:end] = states.transpose(2, 3)
            start = end
    return [GrowingLayer.in_room(keys, values, longest) for keys, values in room]
