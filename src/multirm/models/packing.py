"""Pack several texts into one row without padding; common prefixes are encoded only once.

A *pack* consists of segments. A segment's tokens attend to earlier tokens in it, and to all of the segments that it
continues: segments form trees, and each text is a path from a root. So texts in a row never attend to one another,
and there are no padding tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, PreTrainedModel

from multirm.errors import InputError

_NAME = "packed"
_ROOT = -1

# Tokens up to which texts are attended to as a whole in training on a CPU.
_SHORT = 640

# Each segment costs every layer a call and a copy of the keys before it; sharing fewer tokens does not pay.
WORTH_SHARING = 32

Ranges = tuple[tuple[int, int], ...]


class Segment(NamedTuple):
    """The range of a segment in the pack, and the number of the segment that it continues, or -1."""

    start: int
    end: int
    parent: int


@dataclass(frozen=True)
class Pack:
    """Packed texts.

    Attributes:
        input_ids: int64 [1, tokens].
        positions: int64 [1, tokens], the position of each token in its text.
        segments: int64 [segments, 3], the fields of `Segment`; consecutive, parents first.
        places: for each text, the index in the row of each of its tokens.
    """

    input_ids: Tensor
    positions: Tensor
    segments: Tensor
    places: list[np.ndarray]

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The arguments of `read_pack`."""
        return self.input_ids, self.positions, self.segments


def pack(texts: Sequence[Sequence[int]]) -> Pack:
    """Pack non-empty texts one after the other, without sharing prefixes."""
    packing = _Packing()
    for number, text in enumerate(texts):
        packing.add(text, 0, _ROOT, [number])
    return packing.finished()


def pack_tree(texts: Sequence[list[int]]) -> Pack:
    """Pack non-empty texts, sharing common prefixes where that pays."""
    packing = _Packing()
    order = sorted(range(len(texts)), key=lambda number: texts[number])
    waiting = [([list(same) for _, same in groupby(order, key=lambda k: texts[k])], 0, _ROOT)]
    while waiting:
        # Sorted texts, equal ones in one list; the segment that they continue ends at token `start`.
        group, start, parent = waiting.pop()
        first, last = texts[group[0][0]], texts[group[-1][0]]
        if len(group) == 1:
            packing.add(first, start, parent, group[0])
            continue
        shared = n_shared(first, last)
        ended = []
        if (shared - start) * (len(group) - 1) >= WORTH_SHARING:
            # The first text may end where the shared prefix does.
            ended = group.pop(0) if len(first) == shared else []
            parent = packing.add(first[:shared], start, parent, ended)
            start = shared
        elif len(first) == shared:
            packing.add(first, start, parent, group.pop(0))
        branches = groupby(group, key=lambda same: texts[same[0]][shared])
        waiting += [(list(branch), start, parent) for _, branch in branches]
    return packing.finished()


def group_in_packs(
    groups: Iterable[Sequence[int]], texts: Sequence[list[int]], budget: int
) -> Iterator[list[int]]:
    """Divide groups of texts with common prefixes into lists for `pack_tree`, of about `budget` tokens per pack.

    Groups stay in order and are split only if they do not fit into one pack. A text over the budget gets a pack of
    its own.

    Args:
        groups: indices of `texts`.
        budget: tokens per pack if all common prefixes were shared; those not worth sharing come on top.
    """
    chosen: list[int] = []
    used = 0
    for group in groups:
        order = sorted(group, key=lambda index: texts[index])
        starts = [0, *(n_shared(texts[a], texts[b]) for a, b in pairwise(order))]
        added = [len(texts[index]) - start for index, start in zip(order, starts, strict=True)]
        if chosen and used + sum(added) > budget:
            yield chosen
            chosen, used = [], 0
        for index, tokens in zip(order, added, strict=True):
            if chosen and used + tokens > budget:
                yield chosen
                chosen, used = [], 0
                tokens = len(texts[index])
            chosen.append(index)
            used += tokens
    if chosen:
        yield chosen


class _Packing:
    """Builds a pack."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.segments: list[Segment] = []
        self.places: dict[int, np.ndarray] = {}

    def add(self, text: Sequence[int], start: int, parent: int, ending: Sequence[int]) -> int:
        """Append a segment with `text` after its first `start` tokens; the texts numbered `ending` end with it.

        Returns:
            the number of the new segment.
        """
        begin = len(self.ids)
        self.ids += text[start:]
        self.positions += range(start, len(text))
        self.segments.append(Segment(begin, len(self.ids), parent))
        number = len(self.segments) - 1
        if ending:
            ranges = list(_ranges(self.segments, number))
            place = np.concatenate([np.arange(*bounds) for bounds in ranges])
            self.places.update(dict.fromkeys(ending, place))
        return number

    def finished(self) -> Pack:
        return Pack(
            torch.tensor([self.ids]),
            torch.tensor([self.positions]),
            torch.tensor(self.segments),
            [self.places[number] for number in range(len(self.places))],
        )


def n_shared(first: Sequence[int], last: Sequence[int]) -> int:
    """The length of the common prefix of two texts, in tokens."""
    for k, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return k
    return min(len(first), len(last))


def _ranges(segments: Sequence[Segment], number: int) -> Ranges:
    """The ranges of a segment and of those that it continues, from the root on; adjacent ranges are joined."""
    ranges: list[tuple[int, int]] = []
    while number != _ROOT:
        segment = segments[number]
        if ranges and ranges[0][0] == segment.end:
            ranges[0] = (segment.start, ranges[0][1])
        else:
            ranges.insert(0, (segment.start, segment.end))
        number = segment.parent
    return tuple(ranges)


def read_pack(
    model: PreTrainedModel, input_ids: Tensor, positions: Tensor, segments: Tensor
) -> Tensor:
    """The last hidden states of a pack, float [tokens, hidden size].

    Args:
        model: a causal language model, plain or wrapped by peft, that `attend_in_packs` has prepared.
        input_ids, positions, segments: as in `Pack`.
    """
    listed = [Segment(*row) for row in segments.tolist()]
    spans = [_span(listed, number, model.dtype, input_ids.device) for number in range(len(listed))]
    return read_spans(model, input_ids, positions, spans)


def read_spans(
    model: PreTrainedModel,
    input_ids: Tensor,
    positions: Tensor,
    spans: Sequence[Span],
    kept: dict[int, tuple[Tensor, Tensor]] | None = None,
) -> Tensor:
    """As `read_pack`, given what the tokens of each segment attend to.

    Args:
        kept: takes the keys and values of all tokens, [tokens, groups, head size], by the index of their layer.
    """
    output = _causal(model).get_decoder()(
        input_ids=input_ids, position_ids=positions, use_cache=False, spans=spans, kept=kept
    )
    return output.last_hidden_state[0]


def read_pack_at(
    model: PreTrainedModel,
    input_ids: Tensor,
    positions: Tensor,
    segments: Tensor,
    places: Tensor,
) -> Tensor:
    """The last hidden states of a pack at some positions, float [positions, hidden size]; without gradients.

    After the last attention, tokens are independent, so the last feed-forward layer (a large part of a small
    model) is computed only at these positions.

    Args:
        places: int64, indices in the row.
    """
    with computed_at(model, places, input_ids.shape[1]):
        return read_pack(model, input_ids, positions, segments)[places]


@contextmanager
def computed_at(model: PreTrainedModel, places: Tensor, n_tokens: int) -> Iterator[None]:
    """Compute the last feed-forward layer only at some of a pack's tokens; the others' hidden states are undefined.

    Args:
        places: int64, indices in the row.
        n_tokens: the length of the row.
    """
    layers = getattr(_causal(model).get_decoder(), "layers", None)
    feed_forward = getattr(layers[-1], "mlp", None) if layers else None
    if feed_forward is None or not hasattr(feed_forward, "down_proj"):
        # A mixture of experts, or a family with other names.
        yield
        return

    def chosen(module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (given[0][:, places], *given[1:])

    def spread(module: nn.Module, given: tuple[Tensor, ...], output: Any) -> Any:
        full = output.new_zeros(1, n_tokens, output.shape[-1])
        full[:, places] = output
        return full

    before = feed_forward.register_forward_pre_hook(chosen)
    after = feed_forward.register_forward_hook(spread)
    try:
        yield
    finally:
        before.remove()
        after.remove()


def attend_in_packs(model: PreTrainedModel) -> None:
    """Make `model` read packs, and only packs, from now on.

    Raises:
        InputError: as `require_packable`.
    """
    require_packable(model)
    AttentionInterface.register(_NAME, packed_attention)
    _causal(model).set_attn_implementation(_NAME)


def require_packable(model: PreTrainedModel) -> None:
    """Refuse a model that cannot read packs, as far as its configuration tells.

    Raises:
        InputError: the model mixes tokens by more than attention, or its position embeddings depend on the
            length of the row.
    """
    causal = _causal(model)
    text = causal.config.get_text_config()
    kinds = set(getattr(text, "layer_types", None) or ())
    unknown = sorted(kinds - {"full_attention", "sliding_attention"})
    ropes = _rope_types(getattr(text, "rope_parameters", None))
    unknown += [f"{rope} positions" for rope in sorted(ropes & {"dynamic", "longrope"})]
    if unknown or not causal._can_set_attn_implementation():
        raise InputError(
            model.name_or_path,
            expected="a decoder of attention alone, over all tokens or a sliding window",
            found=", ".join(unknown) or "one whose attention cannot be set",
            remedy="choose a backbone of another family",
        )


@contextmanager
def attending_in_packs(model: PreTrainedModel) -> Iterator[None]:
    """Make a model that can read packs read packs for a while."""
    AttentionInterface.register(_NAME, packed_attention)
    config = _causal(model).config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = _NAME
    try:
        yield
    finally:
        config._attn_implementation = before


def _rope_types(parameters: Any) -> set[str]:
    """The types of rotary position embeddings in a configuration, which may have one for each type of layer."""
    if not isinstance(parameters, Mapping):
        return set()
    nested = [_rope_types(value) for value in parameters.values()]
    return {str(parameters.get("rope_type", "default"))}.union(*nested)


def _causal(model: PreTrainedModel) -> PreTrainedModel:
    return model.get_base_model() if isinstance(model, PeftModel) else model


@dataclass(frozen=True)
class Span:
    """A segment, and what its tokens attend to.

    Attributes:
        start, end: range of the segment.
        ranges: ranges of the tokens that its last token attends to, in order; the last one ends with the segment.
        mask: float [segment, attended tokens], added to the scores; None if the segment attends to itself alone, or is
            a single token.
        before: what it attends to before these ranges, and which is not in the pack: keys and values, each
            [layers, 2, tokens, groups, head size].
    """

    start: int
    end: int
    ranges: Ranges
    mask: Tensor | None
    before: Sequence[Tensor] = ()


def _span(
    segments: Sequence[Segment], number: int, dtype: torch.dtype, device: torch.device
) -> Span:
    return span_after((), segments, number, dtype, device)


def span_after(
    before: Sequence[Tensor],
    segments: Sequence[Segment],
    number: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Span:
    """What a segment attends to, if the first of those that it continues follows `before`; see `Span`."""
    start, end, _ = segments[number]
    ranges = _ranges(segments, number)
    seen = sum(states.shape[2] for states in before) + sum(stop - first for first, stop in ranges)
    is_alone = end - start in (1, seen)
    mask = None if is_alone else _mask(end - start, seen, None, dtype, device)
    return Span(start, end, ranges, mask, before)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    spans: Sequence[Span],
    kept: dict[int, tuple[Tensor, Tensor]] | None = None,
    sliding_window: int | None = None,
    **settings: Any,
) -> tuple[Tensor, None]:
    """Attention within each segment's text, with the signature that transformers calls.

    Args:
        query: (1, heads, tokens, head size).
        key: (1, groups, tokens, head size); `value` likewise.
        kept: as for `read_spans`.
        sliding_window: number of tokens that a token attends to, itself included; None for all.

    Returns:
        (1, tokens, heads, head size), and None for the attention weights, which are not kept.

    Raises:
        InputError: the model needs another kind of attention.
    """
    others = [
        name for name in ("softcap", "s_aux", "position_bias") if settings.get(name) is not None
    ]
    others += ["a mask of its own"] * (attention_mask is not None)
    # In Gemma's embedding models, and in other checkpoints by a setting.
    others += ["bidirectional attention"] * (getattr(module, "is_causal", True) is False)
    if others:
        raise InputError(
            f"attention of {type(module).__name__}",
            expected="causal scaled dot-product attention",
            found=", ".join(others),
            remedy="choose a backbone of another family",
        )
    per_group = query.shape[1] // key.shape[1]
    # In the model's memory order, token by token, so that ranges can be copied as blocks.
    query, key, value = (states.transpose(1, 2) for states in (query, key, value))
    layer: Any = getattr(module, "layer_idx", None)
    if kept is not None:
        kept[layer] = (key[0], value[0])
    attended = []
    for span in spans:
        before = [states[layer] for states in span.before]
        keys = _gather(key, span.ranges, [states[None, 0] for states in before])
        values = _gather(value, span.ranges, [states[None, 1] for states in before])
        n_queries, n_keys = span.end - span.start, keys.shape[1]
        mask = span.mask
        if sliding_window and n_keys > sliding_window:
            mask = _mask(n_queries, n_keys, sliding_window, query.dtype, query.device)
        if _is_multiplied_whole(query, n_keys) and not dropout:
            if mask is None:
                mask = _mask(n_queries, n_keys, None, query.dtype, query.device)
            given = query[0, span.start : span.end], keys[0], values[0], mask, scaling
            states = checkpoint(
                _whole_attention, *given, use_reentrant=False, preserve_rng_state=False
            )
            attended.append(states[None])
            continue
        if mask is not None and per_group > 1:
            # The fast kernels support either a mask or groups.
            keys, values = (x.repeat_interleave(per_group, dim=2) for x in (keys, values))
        states = scaled_dot_product_attention(
            query[:, span.start : span.end].transpose(1, 2),
            keys.transpose(1, 2),
            values.transpose(1, 2),
            attn_mask=mask if mask is None else mask.to(query.dtype),
            dropout_p=dropout,
            is_causal=mask is None and n_queries == n_keys,
            scale=scaling,
            enable_gqa=mask is None and per_group > 1,
        )
        attended.append(states.transpose(1, 2))
    return torch.cat(attended, dim=1), None


def _is_multiplied_whole(query: Tensor, n_keys: int) -> bool:
    """Whether attention with a gradient is computed by `_whole_attention`.

    For texts of some hundred tokens, PyTorch's kernel for CPUs takes up to three times as long for it.
    """
    return query.requires_grad and query.device.type == "cpu" and n_keys <= _SHORT


def _whole_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None
) -> Tensor:
    """Attention by products of whole matrices.

    Args:
        query: [queries, heads, head size].
        key: [keys, groups, head size].
        value: [keys, groups, size of its own].
        mask: as of `Span`.

    Returns:
        [queries, heads, size of a value]
    """
    n_queries, heads, size = query.shape
    n_keys, groups, _ = key.shape
    scaling = size**-0.5 if scaling is None else scaling
    # The heads of a group below one another, because they have the same keys.
    grouped = (query * scaling).reshape(n_queries, groups, -1, size).permute(1, 2, 0, 3)
    scores = grouped.flatten(1, 2) @ key.permute(1, 2, 0)
    masked = scores.view(groups, -1, n_queries, n_keys) + mask.to(scores.dtype)
    shares = masked.softmax(dim=-1).view(groups, -1, n_keys)
    states = (shares @ value.transpose(0, 1)).view(heads, n_queries, -1)
    return states.transpose(0, 1)


def _gather(states: Tensor, ranges: Ranges, before: Sequence[Tensor]) -> Tensor:
    parts = [*before, *(states[:, start:end] for start, end in ranges)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _mask(
    n_queries: int, n_keys: int, window: int | None, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """0 where the last `n_queries` of `n_keys` tokens attend to a key, minus infinity elsewhere: [queries, keys]."""
    queries = torch.arange(n_keys - n_queries, n_keys, device=device)[:, None]
    keys = torch.arange(n_keys, device=device)
    hidden = keys > queries
    if window is not None:
        hidden |= keys <= queries - window
    mask = torch.zeros(n_queries, n_keys, dtype=dtype, device=device)
    return mask.masked_fill_(hidden, -torch.inf)
