"""Fine-tune a backbone; shared by the training of all kinds of reward model."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch.optim import AdamW
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.integrations.liger import apply_liger_kernel
from transformers.utils import is_liger_kernel_available

from multirm.models.activations import Decoder, Device, default_budget, reading
from multirm.models.load import default_device, dtype_name, dtype_of, sources_of
from multirm.models.packing import attend_in_packs
from multirm.models.training_method import Method
from multirm.running.memory import usable_memory
from multirm.running.provenance import check_replaceable, origin_of
from multirm.running.randomness import item_seed
from multirm.tables import parquet
from multirm.tables.training import CURVES, EXAMPLES, VALIDATION
from multirm.training.checkpoints import open_checkpoint
from multirm.training.examples import Tally
from multirm.training.fine_tuning_steps import fine_tuning_steps, run_seed
from multirm.training.loop import Learner, train
from multirm.training.networks import Network, Trained
from multirm.training.objectives import Objective
from multirm.training.processes import is_main_process, processes, share_batch
from multirm.training.recipe import Recipe
from multirm.training.sharding import shard, trained_weights
from multirm.training.starting_points import is_sharded
from multirm.training.steps import E
from multirm.training.validation import Validation, Watch

logger = logging.getLogger(__name__)

# Only the kernels for layers: the output layer is computed only as far as the loss needs it.
LIGER_KERNELS = {"cross_entropy": False, "fused_linear_cross_entropy": False}


def train_reward_model(
    objective: Objective[E],
    examples: Sequence[E],
    tally: Tally,
    recipe: Recipe,
    *,
    network: Network,
    name: str,
    tokenizer: PreTrainedTokenizerBase,
    questions: Iterable[str],
    made_by: str,
    inputs: Iterable[Path],
    extra_parameters: Mapping[str, Any] = MappingProxyType({}),
    output: Path,
    curve: Path | None,
    counts: Path | None,
    validation: Validation | None = None,
    metrics: Path | None = None,
) -> None:
    """Train an adapter or all weights, and write them with their learning curve and the counts of their examples.

    Args:
        network: what is trained.
        name: name of the reward model in the tables.
        tokenizer: the backbone's tokenizer, saved with the model.
        questions: the questions of the examples.
        made_by: the module to name in the origin.
        inputs: the files that the examples were made from.
        extra_parameters: parameters for the origin, besides name, backbone and recipe.
        output: folder for what is trained.
        curve: file for the table of losses; None for no table.
        counts: file for the table of examples used and left out; None for no table.
        validation: what to evaluate during training, if anything.
        metrics: file for the table of evaluations; None for no table.

    Raises:
        InputError: there are no examples, the backbone cannot be trained, another process is training the same
            model, or the folder has something else in it.
    """
    tally.require_examples(name, recipe.max_length)
    check_replaceable(output, network.made)
    model = network.start(recipe)
    origin = None
    if is_main_process():
        names, folders = sources_of(network.backbone)
        parameters = {"name": name, "backbone": names}
        parameters |= {**_settings(recipe, network.method), **extra_parameters}
        origin = origin_of(made_by, parameters, [*inputs, *folders])
    with open_checkpoint(output, origin) as checkpoint:
        run = fine_tune(name, model, objective, examples, recipe, checkpoint, validation)
        trained = Trained(model, trained_weights(model), tokenizer, questions)
        if origin:
            network.save(trained, output, origin)
            tables = [
                (curve, CURVES, run.points),
                (counts, EXAMPLES, tally.rows(name)),
                (metrics, VALIDATION, [{"model": name, **row} for row in run.evaluations]),
            ]
            asked = [(path, schema, rows) for path, schema, rows in tables if path is not None]
            if asked:
                parquet.write_together(asked, origin)


def _settings(recipe: Recipe, method: Method) -> dict[str, Any]:
    """The settings that have an effect on the weights; those of adapters only if one is trained."""
    precision = dtype_name(dtype_of(recipe.dtype, default_device()))
    settings = {**asdict(recipe), "schedule": recipe.schedule, "dtype": precision}
    # A run that was killed for its memory resumes with less.
    without_effect = ["activation_memory"]
    if method is Method.FULL:
        without_effect += ["rank", "alpha", "dropout"]
    return {name: value for name, value in settings.items() if name not in without_effect}


class Run(NamedTuple):
    """What a training run leaves behind besides weights.

    Attributes:
        points: the learning curve, rows of `CURVES`.
        evaluations: rows of `VALIDATION` without the model; empty without validation.
    """

    points: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]


def fine_tune(
    name: str,
    model: PreTrainedModel,
    objective: Objective[E],
    examples: Sequence[E],
    recipe: Recipe,
    checkpoint: Path,
    validation: Validation | None = None,
) -> Run:
    """Train the weights of `model` that require a gradient, in place.

    Args:
        name: name of the reward model in the curve.
        model: a causal language model, plain or wrapped by peft.
        checkpoint: as in `loop.train`.
        validation: what to evaluate during training. It needs a loss of two candidates.
    """
    on_gpu = torch.cuda.is_available()
    if on_gpu and is_liger_kernel_available():
        apply_liger_kernel(model, LIGER_KERNELS)
    attend_in_packs(model)
    read = [*examples, *(validation.examples if validation else ())]
    at_once = _fit_in_memory(name, model, max(example.n_tokens for example in read), recipe)
    precision = dtype_of(recipe.dtype, default_device())
    learner = Learner(model, objective.loss, precision is torch.bfloat16)
    if is_sharded(recipe.parallelism):
        shard(learner, model.get_decoder().layers, learner.in_bf16)
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
    watch = Watch(validation, len(steps), at_once, checkpoint.parent) if validation else None
    points = train(name, learner, optimizer, steps, checkpoint, watch)
    return Run(points, watch.rows if watch else [])


def _fit_in_memory(name: str, model: PreTrainedModel, longest: int, recipe: Recipe) -> int:
    """The number of examples per forward pass; turns on gradient checkpointing if memory requires it."""
    share = share_batch(recipe.batch_size, recipe.device_batch_size)
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    given = recipe.activation_memory
    usable = usable_memory() / processes().num_processes
    budget = 1e9 * given if given else default_budget(device, usable)
    decoder = Decoder.of(model.config)
    read = reading(decoder, device, share, longest, recipe.device_batch_size, budget, recipe.dtype)
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
    """Turn on gradient checkpointing: keep only each layer's input, and compute the rest again for the gradient."""
    model.gradient_checkpointing_enable({"use_reentrant": False})


def _seed_dropout(seed: int, process: int) -> None:
    """Seed dropout, differently in each process."""
    torch.manual_seed(item_seed(seed, "train", process) if process else run_seed(seed))
    # A data loader used to draw one number first: without this, every model would change.
    torch.empty((), dtype=torch.int64).random_()
