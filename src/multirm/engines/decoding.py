"""A batch of texts during decoding: one more token per row and step."""

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer


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
    room = states.new_empty(rows, heads, (length + added) * 3 // 2 + 16, width)
    room[:, :, :length] = states
    return room


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
    ) -> None:
        """Prefill with `texts`, padded on the left; none may be empty.

        Args:
            opening: the first tokens of all texts, each of which must be longer; padding follows them.
        """
        self._model = model
        self._cache = _empty_cache(model)
        n_read = 0
        if opening:
            n_read = opening.n_tokens
            self._cache.layers = opening.layers(len(texts))
        rests = [text[n_read:] for text in texts]
        longest = max(map(len, rests))
        ids = torch.tensor([[pad] * (longest - len(rest)) + list(rest) for rest in rests])
        mask = torch.tensor(
            [[1] * n_read + [0] * (longest - len(rest)) + [1] * len(rest) for rest in rests]
        )
        self._mask = mask.to(model.device)
        positions = (self._mask.cumsum(dim=-1) - 1).clamp(min=0)
        self._forward(ids.to(model.device), positions[:, n_read:])

    def repeat(self, n: int) -> None:
        """Repeat each row `n` times; the copies are neighbours."""
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
