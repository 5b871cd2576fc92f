"""What discriminative and generative training share: one loss, one Trainer set-up, and the tables a run leaves.

Started by `torch.distributed.run --nproc-per-node K`, the same code trains on K devices: the batch size is
that of all processes together, every batch holds the same examples whatever K is, and only the main
process writes.
"""

import ctypes
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Sampler
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.integrations.liger import apply_liger_kernel
from transformers.trainer import SCHEDULER_NAME
from transformers.utils import is_liger_kernel_available

from multirm.models.activations import LOGITS_AT_ONCE, TOKENS_OF_LOGITS, Decoder, reading
from multirm.models.load import output_logits
from multirm.models.packing import attend_in_packs, read_pack
from multirm.models.parallelism import Parallelism
from multirm.running.progress import Progress
from multirm.running.randomness import item_seed
from multirm.training.checkpoints import (
    last_checkpoint,
    load_optimizer,
    load_trained,
    save_optimizer,
    save_trained,
)
from multirm.training.examples import UNLABELLED, Example, LengthGrouped, collate, filled_up
from multirm.training.processes import is_main_process, processes, share_batch
from multirm.training.recipe import Recipe
from multirm.training.sharding import Sharded, shard

logger = logging.getLogger(__name__)

LOGGED_POINTS = 100
CHECKPOINTS = 20
CURVE = ("step", "epoch", "loss", "learning_rate")

# A setting of glibc's mallopt, and the blocks, in bytes, from which on it borrows each from the system.
M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**20

# Only the layers': of the output layer no more is computed than the loss needs (`LabelledLoss`).
LIGER_KERNELS = {"cross_entropy": False, "fused_linear_cross_entropy": False}


class LabelledLoss(nn.Module):
    """Cross-entropy over some columns of a causal language model's logits, at the labelled positions alone.

    A module of its own, so that whatever wraps it (DistributedDataParallel) sees the whole forward pass.

    Args:
        model: a causal language model, with or without adapter.
        columns: the token ids that compete, in the order that the labels count them; the whole
            vocabulary where None.
    """

    def __init__(self, model: PreTrainedModel, columns: Sequence[int] | None = None) -> None:
        super().__init__()
        attend_in_packs(model)
        self.model = model
        self.columns = columns

    def forward(
        self,
        input_ids: Tensor,
        positions: Tensor,
        segments: Tensor,
        labels: Tensor,
        num_items_in_batch: Tensor | None = None,
        **_: Any,
    ) -> dict[str, Tensor]:
        """The sum of the losses over `num_items_in_batch`, the labelled positions of all processes."""
        labelled = labels != UNLABELLED
        hidden = read_pack(self.model, input_ids, positions, segments)[labelled[0]]
        targets = labels[labelled]
        # A whole vocabulary's logits, made again for the gradient, rather than all of them at once.
        n_columns = len(self.columns or ()) or self.model.config.get_text_config().vocab_size
        rows = max(1, min(TOKENS_OF_LOGITS, LOGITS_AT_ONCE // n_columns))
        losses = [
            checkpoint(self._loss, part, target, use_reentrant=False)
            for part, target in zip(
                torch.split(hidden, rows), torch.split(targets, rows), strict=True
            )
        ]
        counted = len(targets) if num_items_in_batch is None else num_items_in_batch
        return {"loss": torch.stack(losses).sum() / counted}

    def _loss(self, hidden: Tensor, targets: Tensor) -> Tensor:
        logits = output_logits(self.model, hidden, self.columns)
        return functional.cross_entropy(logits.float(), targets, reduction="sum")


def train(
    name: str,
    model: PreTrainedModel,
    columns: Sequence[int] | None,
    examples: Sequence[Example],
    recipe: Recipe,
    checkpoints: Path,
) -> list[dict[str, Any]]:
    """Optimise what is trainable in `model` on `examples`; the learning curve, as rows of `tables.CURVES`.

    Args:
        name: the reward model's, for the curve.
        model: changed in place.
        columns: as in `LabelledLoss`.
        checkpoints: a folder; where the newest checkpoint in it ends, the training goes on.
    """
    share, times = share_batch(recipe.batch_size, recipe.device_batch_size)
    steps = math.ceil(recipe.epochs * math.ceil(len(examples) / recipe.batch_size))
    on_gpu = torch.cuda.is_available()
    if on_gpu and is_liger_kernel_available():
        apply_liger_kernel(model, LIGER_KERNELS)
    longest = max(len(example.ids) for example in examples)
    read = reading(
        Decoder.of(model.config),
        "cuda" if on_gpu else "cpu",
        share,
        longest,
        recipe.device_batch_size,
    )
    if read.is_checkpointed:
        spare_memory(model)
    arguments = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=read.at_once,
        gradient_accumulation_steps=times * share // read.at_once,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        weight_decay=recipe.weight_decay,
        # The first step of a warm-up has rate 0: were it the only one, nothing would be learned.
        warmup_steps=min(math.ceil(recipe.warmup * steps), steps - 1),
        use_cpu=not on_gpu,
        bf16=on_gpu,
        dataloader_pin_memory=on_gpu,
        # 31 bits, because numpy's global generator takes no more.
        seed=item_seed(recipe.seed, "train") % 2**31,
        logging_steps=max(1, steps // LOGGED_POINTS),
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=max(1, steps // CHECKPOINTS),
        # One more than the newest, which may be cut short.
        save_total_limit=2,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        average_tokens_across_devices=True,
    )
    # GPUs that are seen but were not launched on would multiply the batch (DataParallel).
    arguments._n_gpu = min(arguments.n_gpu, 1)
    learner = LabelledLoss(model, columns)
    place = processes()
    if recipe.parallelism is Parallelism.FSDP and place.num_processes > 1:
        shard(learner, model.get_decoder().layers)
    trainer = _PackTrainer(
        model=learner,
        args=arguments,
        train_dataset=filled_up(examples, recipe.batch_size),
        data_collator=collate,
        callbacks=[_Lines(name)],
    )
    trainer.lengths = [len(example.ids) for example in examples]
    trainer.batch_size = recipe.batch_size
    trainer.remove_callback(PrinterCallback)
    if place.process_index:
        # What is dropped out of one example says nothing of what is in another.
        torch.manual_seed(item_seed(recipe.seed, "train", place.process_index))
    if is_main_process():
        logger.info("%s: %d examples, %d weights to train", name, len(examples), _size(model))
        logger.info(
            "%s: a process reads %d examples at once, of %d tokens at most, in %.1f GB%s",
            name,
            read.at_once,
            longest,
            read.memory / 1e9,
            ", computing layers twice" if read.is_checkpointed else "",
        )
    last = last_checkpoint(checkpoints)
    if last and is_main_process():
        logger.info("%s: going on from %s", name, last.name)
    trainer.train(resume_from_checkpoint=None if last is None else str(last))
    return [
        {"model": name, **{column: point[column] for column in CURVE}}
        for point in trainer.state.log_history
        if "loss" in point
    ]


def spare_memory(model: PreTrainedModel) -> None:
    """Let `model` keep no more of a layer for the gradient than what it was given; the rest is computed again.

    The C library would keep most of the memory that this frees: with blocks in use between them, those that
    are free are too small for the next layer's. So large ones come from the system and go back to it.
    """
    model.gradient_checkpointing_enable({"use_reentrant": False})
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt and not torch.cuda.is_available():
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


class _PackTrainer(Trainer):
    """Batches of examples of like lengths; checkpoints that hold what is trained, and not the backbone."""

    lengths: Sequence[int]
    batch_size: int

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        return LengthGrouped(self.lengths, self.batch_size, self.args.seed)

    def _wrap_model(
        self, model: nn.Module, training: bool = True, dataloader: Any = None
    ) -> nn.Module:
        if isinstance(model, FSDPModule):
            return Sharded(model)
        return super()._wrap_model(model, training, dataloader)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        save_trained(self.model, Path(output_dir or ""))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_trained(self.model, Path(resume_from_checkpoint))

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        save_optimizer(self.model, self.optimizer.optimizer, Path(output_dir))
        if is_main_process():
            torch.save(self.lr_scheduler.state_dict(), Path(output_dir) / SCHEDULER_NAME)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            load_optimizer(self.model, self.optimizer.optimizer, Path(checkpoint))
            schedule = torch.load(Path(checkpoint) / SCHEDULER_NAME, weights_only=True)
            self.lr_scheduler.load_state_dict(schedule)


class _Lines(TrainerCallback):
    """Logs what the Trainer does as plain lines, and how it gets on."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.progress: Progress | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if is_main_process():
            self.progress = Progress("trained", "steps", state.max_steps - state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.progress:
            self.progress.add(1)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" in logs and is_main_process():
            logger.info(
                "%s: step %d of %d, loss %.4f",
                self.name,
                state.global_step,
                state.max_steps,
                logs["loss"],
            )


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
