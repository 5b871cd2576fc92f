"""Sampling inside vLLM with an item's own random numbers, so that its samples are the same as in other engines.

vLLM's own generators fail on a CPU if a prompt is prefilled in chunks, and depend on how often a row was sampled.
Here, a token's random number depends only on the item and the token's position.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from multirm.engines.base import Sampling
from multirm.engines.sampling import draw

_ARGUMENT = "multirm"


def drawn_from(sampling: Sampling, seed: int) -> dict[str, Any]:
    """Sampling parameters of a vLLM request whose tokens are drawn with the random numbers of `seed`.

    All requests that run at the same time must have the same `sampling`.
    """
    return {"temperature": 0.0, "extra_args": {_ARGUMENT: (sampling, seed)}}


@dataclass(frozen=True)
class _Row:
    """A request in the batch; vLLM appends to `drawn` while it runs."""

    sampling: Sampling
    uniforms: np.ndarray
    drawn: Sequence[int]


class ItemDraws(LogitsProcessor):
    """Draws a token per row, and makes it the only choice of vLLM's greedy sampling.

    vLLM computes log-probabilities before this processor changes the logits.
    """

    def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: BatchUpdate | None) -> None:
        process_dict_updates(self._rows, batch_update, _row)

    def apply(self, logits: Tensor) -> Tensor:
        """Draw tokens from `logits` (rows, vocabulary), which are changed in place."""
        if not self._rows:
            return logits
        indices, rows = list(self._rows), list(self._rows.values())
        uniforms = torch.tensor([row.uniforms[len(row.drawn)] for row in rows], dtype=torch.float64)
        drawn = draw(logits[indices], uniforms.to(logits.device), rows[0].sampling)
        logits[indices, drawn] = math.inf
        return logits


def _row(params: SamplingParams, prompt: list[int] | None, drawn: list[int]) -> _Row | None:
    if params.extra_args is None or _ARGUMENT not in params.extra_args:
        return None
    sampling, seed = params.extra_args[_ARGUMENT]
    return _Row(sampling, np.random.default_rng(seed).random(params.max_tokens), drawn)
