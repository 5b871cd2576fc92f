"""A linear layer and its LoRA adapter as one function, which keeps less for the gradient than peft's many do.

    y = x Wᵀ + b + (alpha / rank) dropout(x) Aᵀ Bᵀ     (LoRA, arXiv 2106.09685)

Only A and B are trained. Values and gradients are those of peft's layers; dropout draws other masks, at a sixth of the
time on a CPU.
"""

from typing import Any

import numpy as np
import torch
from peft import PeftModel
from peft.tuners.lora import Linear
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import linear

_ADAPTER = "default"
# On a CPU, dropout compares random integers of so many bits with the rate.
_BITS = 16
_BITS_OF = {2: torch.int16, 4: torch.int32, 8: torch.int64}


class LowRankLinear(Linear):
    """peft's layer with a shorter way through it; its weights and names are peft's."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """As peft's layer; `x` is float [..., inputs]."""
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        dropout = self.lora_dropout[_ADAPTER]
        rows: Tensor = _Function.apply(  # type: ignore[no-untyped-call]
            x.reshape(-1, x.shape[-1]),
            self.base_layer.weight,
            self.base_layer.bias,
            self.lora_A[_ADAPTER].weight,
            self.lora_B[_ADAPTER].weight,
            self.scaling[_ADAPTER],
            dropout.p if self.training and isinstance(dropout, nn.Dropout) else 0.0,
        )
        return rows.view(*x.shape[:-1], rows.shape[-1])


def shorten(model: PeftModel) -> PeftModel:
    """Let the adapted layers of `model` be computed as one function each; others are left as they are.

    Args:
        model: with a single adapter, of low-rank products alone.
    """
    for layer in model.modules():
        if type(layer) is Linear and type(layer.base_layer) is nn.Linear:
            layer.__class__ = LowRankLinear
    return model


class _Function(torch.autograd.Function):
    """In the precision of autocast, or of W without it; the gradients of A and B are in their own."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        down: Tensor,
        up: Tensor,
        scaling: float,
        dropout: float,
    ) -> Tensor:
        """Compute the layer.

        Args:
            x: float [rows, inputs].
            weight, bias: float [outputs, inputs] and [outputs], without gradients.
            down, up: A, float [rank, inputs], and B, float [outputs, rank].
            scaling: alpha / rank.
            dropout: probability that a value of x is left out of the second product, in [0, 1).

        Returns:
            [rows, outputs], and not a view, because some models change it in place.
        """
        device = x.device.type
        is_mixed = torch.is_autocast_enabled(device)
        precision = torch.get_autocast_dtype(device) if is_mixed else weight.dtype
        with torch.autocast(device, enabled=False):
            rows = x.to(precision)
            kept = _drawn(rows, 1 - dropout) if dropout else None
            ctx.scaling = scaling / (1 - dropout)
            inner = (_of(rows, kept) @ down.to(rows.dtype).T).mul_(ctx.scaling)
            bias = None if bias is None else bias.to(precision)
            y = linear(rows, weight.to(precision), bias).addmm_(inner, up.to(rows.dtype).T)
        ctx.save_for_backward(rows, kept, weight, down, up, inner)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, kept, weight, down, up, inner = ctx.saved_tensors
        (of_y,) = gradients
        of_inner = (of_y @ up.to(of_y.dtype)).mul_(ctx.scaling)
        of_up = (of_y.T @ inner).to(up.dtype)
        of_down = (of_inner.T @ _of(rows, kept)).to(down.dtype)
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = _of(of_inner @ down.to(of_y.dtype), kept).addmm_(of_y, weight.to(of_y.dtype))
        return of_x, None, None, of_down, of_up, None, None


def _of(rows: Tensor, kept: Tensor | None) -> Tensor:
    """The values of `rows` where `kept`, else 0; by their bits, because a product in bf16 takes ten times as long."""
    if kept is None:
        return rows
    return (rows.view(_BITS_OF[rows.element_size()]) & kept).view(rows.dtype)


def _drawn(like: Tensor, share: float) -> Tensor:
    """A random mask of the shape of `like`, on its device: int8, -1 (all bits) with the probability `share`, else 0.

    It is drawn from PyTorch's generators, so that a restored state repeats it.
    """
    if like.device.type != "cpu":
        return -torch.empty_like(like, dtype=torch.int8).bernoulli_(share)
    seed = int(torch.randint(2**63 - 1, ()))
    draws = np.random.Generator(np.random.SFC64(seed)).integers(
        2**_BITS, size=tuple(like.shape), dtype=np.uint16
    )
    return torch.from_numpy(-(draws < round(share * 2**_BITS)).view(np.int8))
