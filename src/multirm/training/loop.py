"""The training loop: for any loss and weights, in one or several processes, resuming from the last checkpoint.

Started with `torch.distributed.run --nproc-per-node K`, the same code trains on K devices.
"""

import logging
import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Generic

import torch
from accelerate.utils import reduce
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from transformers import PreTrainedModel

from multirm.running.progress import Progress
from multirm.training.checkpoints import load_checkpoint, save_checkpoint
from multirm.training.processes import is_main_process, processes
from multirm.training.steps import E, Loss, Step
from multirm.training.validation import Watch

logger = logging.getLogger(__name__)

CHECKPOINTS = 20
MAX_GRADIENT_NORM = 1.0


class Learner(nn.Module, Generic[E]):
    """A model and its loss in one module, so that whatever wraps it (DDP, FSDP) sees the whole forward pass."""

    def __init__(self, model: PreTrainedModel, loss: Loss[E], in_bf16: bool = False) -> None:
        super().__init__()
        self.model = model
        self.loss = loss
        self.in_bf16 = in_bf16

    def forward(
        self,
        examples: Sequence[E],
        of: Callable[[PreTrainedModel, Sequence[E]], Tensor] | None = None,
    ) -> Tensor:
        """The summed loss of one forward pass over examples, a scalar; in bf16 if the learner is.

        Args:
            of: what to compute instead of the loss.
        """
        device = self.model.device.type
        # A sharded model has its own mixed-precision policy (`sharding.shard`).
        is_mixed = self.in_bf16 and not isinstance(self, FSDPModule)
        with torch.autocast(device, torch.bfloat16, enabled=is_mixed):
            return (of or self.loss)(self.model, examples)


def train(
    name: str,
    learner: Learner[E],
    optimizer: Optimizer,
    steps: Sequence[Step[E]],
    checkpoint: Path,
    watch: Watch | None = None,
) -> list[dict[str, Any]]:
    """Train in place, resuming from `checkpoint` if it exists; return the learning curve, rows of `CURVES`.

    All processes must call it together.

    Args:
        name: name of the trained model in the curve.
        learner: its weights that require a gradient are trained.
        optimizer: optimizer of these weights; its learning rate is set at each step.
        steps: all steps of the run, including those before the checkpoint.
        checkpoint: a file, replaced about twenty times during a run.
        watch: evaluates the model and may end the run early. It affects no other number.
    """
    place = processes()
    called: nn.Module = learner
    if place.num_processes > 1 and not isinstance(learner, FSDPModule):
        called = DistributedDataParallel(learner)
    losses: list[Tensor] = []
    points: list[dict[str, Any]] = []
    done = 0
    reached = load_checkpoint(checkpoint, learner, optimizer)
    if reached is not None:
        done, points, losses = reached["step"], reached["points"], reached["losses"]
        if watch:
            watch.rows = reached["validation"]
        if is_main_process():
            logger.info("%s: resuming from step %d", name, done)
    save_every = max(1, len(steps) // CHECKPOINTS)
    learner.train()
    if watch and not watch.rows:
        watch.measure(learner, 0, 0.0)
    with (
        Progress("trained", "steps", len(steps) - done) if is_main_process() else nullcontext()
    ) as progress:
        for number, step in enumerate(steps[done:], start=done + 1):
            if watch and watch.is_over:
                break
            losses.append(_update(called, optimizer, step))
            if step.is_logged:
                points.append(_point(name, number, step, losses))
                losses = []
                if is_main_process():
                    loss = points[-1]["loss"]
                    logger.info("%s: step %d of %d, loss %.4f", name, number, len(steps), loss)
            is_best = False
            if watch and watch.is_due(number):
                is_best = watch.measure(learner, number, step.epoch)
            if number % save_every == 0 or is_best:
                reached = {"step": number, "points": points, "losses": losses}
                if watch:
                    reached["validation"] = watch.rows
                save_checkpoint(checkpoint, learner, optimizer, reached)
            if watch and is_best:
                watch.forget_older()
            if progress:
                progress.add(1, step.n_tokens)
    if watch:
        watch.finish(learner)
    learner.eval()
    return points


def _point(name: str, number: int, step: Step[E], losses: Sequence[Tensor]) -> dict[str, Any]:
    """The row of `CURVES` for a step, with the mean loss since the last row."""
    return {
        "model": name,
        "step": number,
        "epoch": step.epoch,
        "loss": math.fsum(map(float, losses)) / len(losses),
        "learning_rate": step.learning_rate,
    }


def _update(learner: nn.Module, optimizer: Optimizer, step: Step[Any]) -> Tensor:
    """Take one step; return the mean loss over all processes before the update, a scalar."""
    n_processes = processes().num_processes
    losses = []
    for number, part in enumerate(step.parts, start=1):
        waits = number < len(step.parts)
        with (
            learner.no_sync()
            if waits and isinstance(learner, DistributedDataParallel)
            else nullcontext()
        ):
            loss = learner(part) / step.count
            # Gradients are averaged over processes, not summed.
            (loss * n_processes).backward()
        losses.append(loss.detach())
    torch.nn.utils.clip_grad_norm_(learner.parameters(), MAX_GRADIENT_NORM)
    for group in optimizer.param_groups:
        group["lr"] = step.learning_rate
    optimizer.step()
    optimizer.zero_grad()
    return reduce(torch.stack(losses).sum(), reduction="sum")
