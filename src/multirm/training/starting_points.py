"""The model that training starts from, with the weights to train: an adapter's, or all of them."""

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from multirm.models.adapters import is_adapter, require_whole_model
from multirm.models.dtype import Dtype
from multirm.models.folders import fetch_model
from multirm.models.load import base_of, default_device, dtype_of, load_model
from multirm.models.parallelism import Parallelism
from multirm.models.training_method import Method
from multirm.training.lora import add_adapter, continue_adapter, refuse_more_than_lora
from multirm.training.processes import processes
from multirm.training.recipe import Recipe


def starting_model(backbone: str, recipe: Recipe, method: Method) -> PreTrainedModel:
    """Load the model to start from, with the weights to train.

    An adapter is trained on as it is, so that it stays a single adapter of its base; merging it first would need a copy
    of the base for each. If all weights are trained, it is merged, in fp32.

    Raises:
        InputError: `load_model` refuses it, or it is an adapter that cannot be merged or trained on.
    """
    if method is Method.FULL:
        # In fp32 also on a GPU, where passes are in bf16: small updates of bf16 weights would be rounded away.
        model = load_model(backbone, torch.float32, _device(recipe.parallelism))
        if isinstance(model, PeftModel):
            refuse_more_than_lora(fetch_model(backbone))
        return model.requires_grad_(True)
    folder = fetch_model(backbone)
    if not is_adapter(folder):
        network = load_backbone(backbone, recipe.parallelism, recipe.dtype)
        return add_adapter(network, recipe.rank, recipe.alpha, recipe.dropout, recipe.seed)
    network = load_backbone(base_of(folder), recipe.parallelism, recipe.dtype)
    return continue_adapter(network, folder, recipe.rank, recipe.alpha, recipe.dropout)


def load_backbone(
    backbone: str, parallelism: Parallelism, dtype: Dtype = Dtype.AUTO
) -> PreTrainedModel:
    """Load the whole model to train an adapter on onto the device, or into main memory if it will be sharded.

    Raises:
        InputError: `load_model` refuses it, or it is an adapter.
    """
    require_whole_model(backbone, backbone, fetch_model(backbone))
    return load_model(backbone, dtype_of(dtype, default_device()), _device(parallelism))


def _device(parallelism: Parallelism) -> torch.device | None:
    return torch.device("cpu") if is_sharded(parallelism) else None


def is_sharded(parallelism: Parallelism) -> bool:
    """Whether the model is sharded over several processes."""
    return parallelism is Parallelism.FSDP and processes().num_processes > 1
