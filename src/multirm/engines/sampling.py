"""Inverse transform sampling of tokens: one uniform number per position determines a sample.

A row's token depends on its own logits and its own uniform number, never on its neighbours in a batch.
"""

import torch
from torch import Tensor

from multirm.engines.base import Sampling


def draw(logits: Tensor, uniforms: Tensor, sampling: Sampling) -> Tensor:
    """One token id per row.

    Args:
        logits: (rows, vocabulary).
        uniforms: (rows,), in [0, 1), double precision; unused if sampling is greedy.

    Returns:
        (rows,) ids, each with its probability after temperature, top-k, top-p and min-p, in this order.
    """
    if sampling.temperature == 0:
        return logits.argmax(dim=-1)
    probabilities, ids = shortlist(logits, sampling)
    cumulative = probabilities.cumsum(dim=-1, dtype=torch.float64)
    targets = uniforms[:, None] * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, targets, right=True)
    places = places.clamp(max=cumulative.shape[-1] - 1)
    return places[:, 0] if ids is None else ids.gather(-1, places)[:, 0]


def shortlist(logits: Tensor, sampling: Sampling) -> tuple[Tensor, Tensor | None]:
    """The unnormalised probabilities after temperature, top-k, top-p and min-p.

    Args:
        logits: (rows, vocabulary).

    Returns:
        Probabilities (rows, candidates), 0 for what was left out, and the candidates' ids, or None where
        the candidates are the whole vocabulary in its order.
    """
    scaled, ids = logits.float() / sampling.temperature, None
    if 0 < sampling.top_k < logits.shape[-1]:
        scaled, ids = scaled.topk(sampling.top_k, dim=-1)
    elif sampling.top_p < 1:
        scaled, ids = scaled.sort(dim=-1, descending=True)
    probabilities = scaled.softmax(dim=-1)
    if sampling.top_p < 1:
        likelier = probabilities.cumsum(dim=-1) - probabilities
        probabilities = probabilities.masked_fill(likelier >= sampling.top_p, 0.0)
    if sampling.min_p > 0:
        threshold = sampling.min_p * probabilities.amax(dim=-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < threshold, 0.0)
    return probabilities, ids
