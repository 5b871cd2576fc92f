"""Read texts of which a cache knows the beginning: only new tokens are computed, each of them once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from multirm.errors import InputError
from multirm.models.load import output_layer
from multirm.models.packing import (
    Segment,
    attending_in_packs,
    computed_at,
    read_spans,
    require_packable,
    span_after,
)
from multirm.models.prefix_cache import CachedBranch, PrefixCache


@dataclass(frozen=True)
class Reading:
    """What was read of texts.

    Attributes:
        hidden: float [places, hidden size], last hidden states at the wanted places, text by text.
        n_computed: for each text, the number of tokens that were computed for it. Of texts that are read together, the
            earlier ones come first.
    """

    hidden: Tensor
    n_computed: list[int]


def can_read_on(model: PreTrainedModel) -> bool:
    """Whether `read_texts` can read with a causal language model, and its logits follow from its hidden states.

    Layers must be of attention alone, each with keys and values of its own, all of one shape.
    """
    try:
        require_packable(model)
        output_layer(model)
        cache = PrefixCache(0)
        read_texts(model, cache, [[0, 0]], [[1]])
    except (InputError, RuntimeError, TypeError):
        # Softcaps, attention sinks and shapes are known only from the inside; StableLM does not tell its attention
        # what to attend to.
        return False
    [branch] = cache.path([0, 0])
    layers = model.config.get_text_config().num_hidden_layers
    return branch.states is not None and len(branch.states) == layers


@torch.inference_mode()
def read_texts(
    model: PreTrainedModel,
    cache: PrefixCache,
    texts: Sequence[Sequence[int]],
    places: Sequence[Sequence[int]],
) -> Reading:
    """Read texts as one batch; their keys and values are in the cache afterwards.

    Hidden states are not cached: at a place among the known tokens, that token is computed again, alone.

    Args:
        model: a decoder in evaluation mode that `attend_in_packs` accepts.
        texts: non-empty ones.
        places: for each text, the indices of tokens whose hidden states are wanted, at least one of all texts together.
    """
    for text in texts:
        cache.path(text)
    # Another text may have split the branches of earlier ones.
    paths = [cache.path(text) for text in texts]
    batch = _Batch(model)
    n_computed = []
    wanted = []
    for text, path, at in zip(texts, paths, places, strict=True):
        n_before = len(batch.ids)
        starts = batch.add(path)
        wanted += [batch.index(path, starts, place, text[place]) for place in at]
        n_computed.append(len(batch.ids) - n_before)
    hidden, kept = batch.read(wanted)
    for branch, number in batch.numbers.items():
        start, end, _ = batch.segments[number]
        cache.fill(branch, _states(kept, start, end))
    return Reading(hidden, n_computed)


class _Batch:
    """The segments of a pack that are to be computed, and the states that they continue."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.ids: list[int] = []
        self.segments: list[Segment] = []
        self.numbers: dict[CachedBranch, int] = {}
        self._model = model
        self._positions: list[int] = []
        self._before: list[list[Tensor]] = []

    def add(self, path: Sequence[CachedBranch]) -> list[int]:
        """Add the branches of a text that have no states.

        Returns:
            the index of the first token of each branch in the text.
        """
        starts, start, parent = [], 0, -1
        known: list[Tensor] = []
        for branch in path:
            starts.append(start)
            if branch.states is not None:
                known.append(branch.states)
            elif branch in self.numbers:
                parent = self.numbers[branch]
            else:
                parent = self._append(branch.run, start, parent, known)
                self.numbers[branch] = parent
            start += len(branch.run)
        return starts

    def index(
        self, path: Sequence[CachedBranch], starts: Sequence[int], place: int, token: int
    ) -> int:
        """The index in the pack of a text's token."""
        number = max(n for n, start in enumerate(starts) if start <= place)
        branch, within = path[number], place - starts[number]
        if branch.states is None:
            return self.segments[self.numbers[branch]].start + within
        known = [each.states for each in path[:number] if each.states is not None]
        if within:
            known.append(branch.states[:, :, :within])
        return self.segments[self._append([token], place, -1, known)].start

    def _append(self, ids: Sequence[int], position: int, parent: int, known: list[Tensor]) -> int:
        start = len(self.ids)
        self.ids += ids
        self._positions += range(position, position + len(ids))
        self.segments.append(Segment(start, len(self.ids), parent))
        self._before.append(known)
        return len(self.segments) - 1

    def read(self, wanted: Sequence[int]) -> tuple[Tensor, dict[int, tuple[Tensor, Tensor]]]:
        """The last hidden states at some indices, and the keys and values of all tokens, by layer."""
        model, device = self._model, self._model.device
        spans = [
            span_after(before, self.segments, number, model.dtype, device)
            for number, before in enumerate(self._before)
        ]
        kept: dict[int, tuple[Tensor, Tensor]] = {}
        places = torch.tensor(wanted, device=device)
        ids = torch.tensor([self.ids], device=device)
        positions = torch.tensor([self._positions], device=device)
        with attending_in_packs(model), computed_at(model, places, len(self.ids)):
            hidden = read_spans(model, ids, positions, spans, kept)
        return hidden[places], kept


def _states(kept: dict[int, tuple[Tensor, Tensor]], start: int, end: int) -> Tensor:
    """The states of some tokens of a pack, in memory of their own; see `CachedBranch`."""
    layers = [kept[layer] for layer in sorted(kept)]
    found = torch.stack([states[start:end] for layer in layers for states in layer])
    return found.view(len(layers), 2, *found.shape[1:])
