"""What discriminative and generative training share: one loss, one Trainer set-up, and the tables a run leaves.

Started by `accelerate launch --num_processes K`, the same code trains on K devices: the batch size is
that of all processes together, every batch holds the same examples whatever K is, and only the main
process writes.
"""

import logging
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Sampler
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from multirm.errors import InputError
from multirm.models import output_logits
from multirm.packing import attend_in_packs, read_pack
from multirm.randomness import item_seed
from multirm.training.examples import UNLABELLED, Example, LengthGrouped, collate

logger = logging.getLogger(__name__)

LOGGED_POINTS = 100


@dataclass(frozen=True)
class Recipe:
    """How a network is optimised. `batch_size` is over all processes; `warmup` is a share of the steps."""

    epochs: float
    learning_rate: float
    schedule: Literal["cosine", "linear"]
    batch_size: int
    weight_decay: float
    warmup: float
    seed: int


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
        hidden = read_pack(self.model, input_ids, positions, segments)
        logits = output_logits(self.model, hidden[labelled[0]], self.columns)
        loss = functional.cross_entropy(logits.float(), labels[labelled], reduction="sum")
        return {
            "loss": loss / (labelled.sum() if num_items_in_batch is None else num_items_in_batch)
        }


def processes() -> PartialState:
    """This process's place among those that train together; asking for the first time joins them."""
    return PartialState(cpu=not torch.cuda.is_available())


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return bool(processes().is_main_process)


def batch_per_process(batch_size: int) -> int:
    """The share of a batch that each process takes.

    Also joins this process to the others, and must therefore come before a model is loaded: it is what
    makes each process's own GPU its current one.

    Raises:
        InputError: the batch does not divide evenly.
    """
    count = processes().num_processes
    if batch_size % count:
        raise InputError(
            "batch_size",
            expected=f"a multiple of the {count} processes",
            found=str(batch_size),
            remedy="choose another batch_size or number of GPUs",
        )
    return int(batch_size // count)


def train(
    name: str,
    model: PreTrainedModel,
    columns: Sequence[int] | None,
    examples: Sequence[Example],
    recipe: Recipe,
) -> list[dict[str, Any]]:
    """Optimise what is trainable in `model` on `examples`; the learning curve, as rows of `tables.CURVES`.

    Args:
        name: the reward model's, for the curve.
        model: changed in place.
        columns: as in `LabelledLoss`.
    """
    per_process = batch_per_process(recipe.batch_size)
    steps = math.ceil(recipe.epochs * math.ceil(len(examples) / recipe.batch_size))
    curve = _Curve(name)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch,
            num_train_epochs=recipe.epochs,
            per_device_train_batch_size=per_process,
            learning_rate=recipe.learning_rate,
            lr_scheduler_type=recipe.schedule,
            weight_decay=recipe.weight_decay,
            # The first step of a warm-up has rate 0: were it the only one, nothing would be learned.
            warmup_steps=min(math.ceil(recipe.warmup * steps), steps - 1),
            use_cpu=not torch.cuda.is_available(),
            bf16=torch.cuda.is_available(),
            dataloader_pin_memory=torch.cuda.is_available(),
            # 31 bits, because numpy's global generator takes no more.
            seed=item_seed(recipe.seed, "train") % 2**31,
            logging_steps=max(1, steps // LOGGED_POINTS),
            logging_nan_inf_filter=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            remove_unused_columns=False,
            label_names=["labels"],
            ddp_find_unused_parameters=False,
        )
        # GPUs that are seen but were not launched on would multiply the batch (DataParallel).
        arguments._n_gpu = min(arguments.n_gpu, 1)
        trainer = _LengthGroupedTrainer(
            model=LabelledLoss(model, columns),
            args=arguments,
            train_dataset=examples,
            data_collator=collate,
            callbacks=[curve],
        )
        trainer.remove_callback(PrinterCallback)
        if is_main_process():
            logger.info("%s: %d examples, %d weights to train", name, len(examples), _size(model))
        trainer.train()
    return curve.points


class _LengthGroupedTrainer(Trainer):
    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        examples = self.train_dataset if train_dataset is None else train_dataset
        lengths = [len(example.ids) for example in examples]
        batch_size = self.args.per_device_train_batch_size * self.args.world_size
        return LengthGrouped(lengths, batch_size, self.args.seed)


class _Curve(TrainerCallback):
    """Keeps what the Trainer logs, and logs it as plain lines."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.points: list[dict[str, Any]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        if "loss" not in logs:
            return
        point = {
            "model": self.name,
            "step": state.global_step,
            "epoch": state.epoch,
            "loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
        }
        self.points.append(point)
        if is_main_process():
            logger.info(
                "%s: step %d of %d, loss %.4f",
                self.name,
                point["step"],
                state.max_steps,
                point["loss"],
            )


def _size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
