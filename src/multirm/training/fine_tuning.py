"""Fine-tune a backbone; shared by the training of all kinds of reward model."""

import ctypes
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch.optim import AdamW
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations.liger import apply_liger_kernel
from transformers.utils import is_liger_kernel_available

from multirm.models.activations import Decoder, Device, reading
from multirm.models.adapters import require_whole_model
from multirm.models.folders import fetch_model
from multirm.models.load import load_model, sources_of
from multirm.models.packing import attend_in_packs
from multirm.models.parallelism import Parallelism
from multirm.running.files import local
from multirm.running.provenance import origin_of
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.reward_models import Kind
from multirm.tables.training import CURVES, EXAMPLES
from multirm.training.checkpoints import open_checkpoint
from multirm.training.examples import Tally
from multirm.training.fine_tuning_steps import fine_tuning_steps, run_seed
from multirm.training.loop import Learner, train
from multirm.training.lora import add_adapter, save_adapter
from multirm.training.objectives import Objective
from multirm.training.processes import is_main_process, processes, share_batch
from multirm.training.recipe import Recipe
from multirm.training.sharding import shard, trained_weights
from multirm.training.steps import E

logger = logging.getLogger(__name__)

# A parameter of glibc's mallopt, and its value: larger blocks, in bytes, are mapped one by one from the system.
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**20

# Only the kernels for layers: the output layer is computed only as far as the loss needs it.
LIGER_KERNELS = {"cross_entropy": False, "fused_linear_cross_entropy": False}


def train_adapter(
    objective: Objective[E],
    examples: Sequence[E],
    tally: Tally,
    recipe: Recipe,
    *,
    kind: Kind,
    name: str,
    backbone: str,
    tokenizer: PreTrainedTokenizerBase,
    questions: Iterable[str],
    made_by: str,
    inputs: Iterable[Path],
    extra_parameters: Mapping[str, Any] = MappingProxyType({}),
    output: Path,
    curve: Path,
    counts: Path,
) -> None:
    """Train a LoRA adapter on a backbone, and write it with its learning curve and the counts of its examples.

    Args:
        name: name of the reward model in the tables.
        backbone: model folder or hub name.
        tokenizer: the backbone's tokenizer, saved with the adapter.
        questions: the questions of the examples.
        made_by: the module to name in the origin.
        inputs: the files that the examples were made from.
        extra_parameters: parameters for the origin, besides kind, name, backbone and recipe.
        output: folder for the adapter.
        curve: file for the table of losses.
        counts: file for the table of examples used and left out.

    Raises:
        InputError: there are no examples, the backbone cannot be trained, or another process is training the same
            model.
    """
    tally.require_examples(name, recipe.max_length)
    network = load_backbone(backbone, recipe.parallelism)
    model = add_adapter(network, recipe.rank, recipe.alpha, recipe.dropout, recipe.seed)
    origin = None
    if is_main_process():
        parameters = {
            "kind": str(kind),
            "name": name,
            "backbone": sources_of(backbone)[0],
            **asdict(recipe),
            "schedule": recipe.schedule,
            **extra_parameters,
        }
        origin = origin_of(made_by, parameters, [*inputs, *local([backbone])])
    with open_checkpoint(output, origin) as checkpoint:
        points = fine_tune(name, model, objective, examples, recipe, checkpoint)
        weights = trained_weights(model)
        if origin:
            save_adapter(model, weights, tokenizer, output, origin, questions)
            tables = [(curve, CURVES, points), (counts, EXAMPLES, tally.rows(name))]
            parquet.write_together(tables, origin)


def load_backbone(backbone: str, parallelism: Parallelism) -> PreTrainedModel:
    """Load the model to train onto the device, or into main memory if it will be sharded.

    Raises:
        InputError: `load_model` refuses it, or it is an adapter.
    """
    require_whole_model(backbone, backbone, fetch_model(backbone))
    return load_model(backbone, device=torch.device("cpu") if _is_sharded(parallelism) else None)


def _is_sharded(parallelism: Parallelism) -> bool:
    return parallelism is Parallelism.FSDP and processes().num_processes > 1


def fine_tune(
    name: str,
    model: PreTrainedModel,
    objective: Objective[E],
    examples: Sequence[E],
    recipe: Recipe,
    checkpoint: Path,
) -> list[dict[str, Any]]:
    """Train the weights of `model` that require a gradient, in place; return the learning curve, rows of `CURVES`.

    Args:
        name: name of the reward model in the curve.
        model: a causal language model, plain or wrapped by peft.
        checkpoint: as in `loop.train`.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu and is_liger_kernel_available():
        apply_liger_kernel(model, LIGER_KERNELS)
    attend_in_packs(model)
    at_once = _fit_in_memory(name, model, max(example.n_tokens for example in examples), recipe)
    learner = Learner(model, objective.loss)
    if _is_sharded(recipe.parallelism):
        shard(learner, model.get_decoder().layers)
    trained = [weight for weight in learner.parameters() if weight.requires_grad]
    optimizer = AdamW(trained, weight_decay=recipe.weight_decay, fused=True)
    if is_main_process():
        size = sum(weight.numel() for weight in trained)
        logger.info("%s: %d examples, %d weights to train", name, len(examples), size)
    place = processes()
    _seed_dropout(recipe.seed, place.process_index)
    steps = fine_tuning_steps(
        examples, objective.blank, recipe, at_once, place.process_index, place.num_processes
    )
    return train(name, learner, optimizer, steps, checkpoint)


def _fit_in_memory(name: str, model: PreTrainedModel, longest: int, recipe: Recipe) -> int:
    """The number of examples per forward pass; turns on gradient checkpointing if memory requires it."""
    share = share_batch(recipe.batch_size, recipe.device_batch_size)
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    read = reading(Decoder.of(model.config), device, share, longest, recipe.device_batch_size)
    if read.is_checkpointed:
        spare_memory(model)
    if is_main_process():
        logger.info(
            "%s: %d examples per forward pass and process, of at most %d tokens, in %.1f GB%s",
            name,
            read.at_once,
            longest,
            read.memory / 1e9,
            ", with gradient checkpointing" if read.is_checkpointed else "",
        )
    return read.at_once


def spare_memory(model: PreTrainedModel) -> None:
    """Turn on gradient checkpointing: keep only each layer's input, and compute the rest again for the gradient.

    On a CPU, the heap would become too fragmented to reuse the memory that this frees. So large blocks are taken from
    the system and returned to it.
    """
    model.gradient_checkpointing_enable({"use_reentrant": False})
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt and not torch.cuda.is_available():
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def _seed_dropout(seed: int, process: int) -> None:
    """Seed dropout, differently in each process."""
    torch.manual_seed(item_seed(seed, "train", process) if process else run_seed(seed))
    # A data loader used to draw one number first: without this, every model would change.
    torch.empty((), dtype=torch.int64).random_()
