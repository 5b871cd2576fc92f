"""A model whose weights are shared out over the processes that train it (FSDP): each keeps a part of every layer.

What a layer computes with is put together when its turn comes and dropped after it, so that a model may be
larger than a device.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from multirm.models.adapters import require_whole_model
from multirm.models.folders import fetch_model
from multirm.models.load import load_model
from multirm.models.parallelism import Parallelism


def load_backbone(backbone: str, parallelism: Parallelism) -> PreTrainedModel:
    """What is to be trained: on the device, or in main memory where devices are to have only parts of it.

    Raises:
        InputError: what `load_model` refuses, and an adapter.
    """
    require_whole_model(backbone, backbone, fetch_model(backbone))
    share = parallelism is Parallelism.FSDP
    return load_model(backbone, device=torch.device("cpu") if share else None)


class Sharded(nn.Module):
    """What stands for a sharded module in the Trainer, which leaves alone what is wrapped."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


def shard(model: nn.Module, layers: Iterable[nn.Module]) -> None:
    """Share the weights of `model` out, those of each of `layers` by themselves and the others together.

    In place. Each process's share goes to its own device; the parts that it lacks come from the others,
    which must all run the same passes from now on.

    Args:
        model: whatever is called whole.
        layers: modules in it that are called one after the other.
    """
    policy = MixedPrecisionPolicy()
    if torch.cuda.is_available():
        # As autocast does for models that each process has whole; gradients are summed as precisely.
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for layer in layers:
        fully_shard(layer, mp_policy=policy)
    fully_shard(model, mp_policy=policy)


def trained_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights that are trained, whole, by their names; all processes must ask for them together."""
    return {
        name: (w.full_tensor() if isinstance(w, DTensor) else w).detach().contiguous()
        for name, w in model.named_parameters()
        if w.requires_grad
    }


def set_trained_weights(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put into `model` what `trained_weights` gave of it."""
    with torch.no_grad():
        for name, held in model.named_parameters():
            if held.requires_grad:
                given = weights[name].to(held.device)
                if isinstance(held, DTensor):
                    given = distribute_tensor(given, held.device_mesh, held.placements)
                held.copy_(given)
