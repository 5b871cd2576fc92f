"""Shard a model over the processes that train it (FSDP): each keeps a part of every layer.

A layer's weights are gathered when needed and freed afterwards, so a model may be larger than a device's memory.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from multirm.training.processes import is_main_process


def shard(model: nn.Module, layers: Iterable[nn.Module], in_bf16: bool) -> None:
    """Shard `model` in place: each of `layers` by itself, and the other weights together.

    Each process keeps its part on its own device and gathers the others', so from now on all processes must run
    the same passes.

    Args:
        model: the module whose forward pass is called.
        layers: modules in it, called one after the other.
        in_bf16: whether passes are in bf16; gradients are reduced in fp32.
    """
    policy = MixedPrecisionPolicy()
    if in_bf16:
        # The precision of autocast, which unsharded models use.
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """The trained weights, unsharded, by name. All processes must call it together.

    Weights that were sharded are put together one by one in the main process's main memory: all of them may be larger
    than a device's. The other processes do not get them.
    """
    found = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad:
            continue
        if not isinstance(weight, DTensor):
            found[name] = weight.detach().contiguous()
            continue
        whole = weight.full_tensor()
        if is_main_process():
            found[name] = whole.detach().cpu().contiguous()
    return found


def set_trained_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Set the weights of `model` to what `trained_weights` returned."""
    with torch.no_grad():
        for name, held in model.named_parameters():
            if held.requires_grad:
                given = weights[name].to(held.device)
                if isinstance(held, DTensor):
                    given = distribute_tensor(given, held.device_mesh, held.placements)
                held.copy_(given)
