"""Fine-tune a backbone: what training the reward models of all kinds shares."""

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

# A setting of glibc's mallopt, and the size in bytes from which on it takes each block from the system.
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**20

# Those of the layers alone: no more of the output layer is computed than the loss needs.
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
        name: the reward model's, for the tables.
        backbone: model folder or hub name.
        tokenizer: the backbone's, kept with the adapter.
        questions: those that the examples are about.
        made_by: the module that the origin names as its maker.
        inputs: the files that the examples were made of.
        extra_parameters: of the origin, beside the kind, the name, the backbone and the recipe.
        output: folder for the adapter.
        curve: file for the table of losses.
        counts: file for the table of examples used and left out.

    Raises:
        InputError: no examples, a backbone that cannot be trained, or another process that trains the same.
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
    """Load the model to train: onto the device, or into main memory if it is to be sharded.

    Raises:
        InputError: what `load_model` refuses, and an adapter.
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
    """Train whatever requires a gradient in `model`, in place; the learning curve, as rows of `CURVES`.

    Args:
        name: the reward model's, for the curve.
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
    """How many examples are read at once; has layers computed twice where they would not fit otherwise."""
    share = share_batch(recipe.batch_size, recipe.device_batch_size)
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    read = reading(Decoder.of(model.config), device, share, longest, recipe.device_batch_size)
    if read.is_checkpointed:
        spare_memory(model)
    if is_main_process():
        logger.info(
            "%s: a process reads %d examples at once, of %d tokens at most, in %.1f GB%s",
            name,
            read.at_once,
            longest,
            read.memory / 1e9,
            ", computing layers twice" if read.is_checkpointed else "",
        )
    return read.at_once


def spare_memory(model: PreTrainedModel) -> None:
    """Keep only each layer's input for the gradient; the rest of the layer is computed again.

    The C library would keep most of the memory that this frees: with blocks in use between them, those that
    are free are too small for the next layer's. So large ones come from the system and go back to it.
    """
    model.gradient_checkpointing_enable({"use_reentrant": False})
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt and not torch.cuda.is_available():
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


def _seed_dropout(seed: int, process: int) -> None:
    """Seed dropout, differently in each process."""
    torch.manual_seed(item_seed(seed, "train", process) if process else run_seed(seed))
    # A data loader used to draw one number first: without it, every model would come out different.
    torch.empty((), dtype=torch.int64).random_()
