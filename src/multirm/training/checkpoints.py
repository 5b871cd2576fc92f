"""Where a training goes on after it was killed: checkpoints beside what is being trained, until that stands."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from multirm.files import whole
from multirm.journal import origin_of
from multirm.training.processes import is_main_process, processes

logger = logging.getLogger(__name__)

ORIGIN = "origin.json"
WEIGHTS = "trained.safetensors"


@contextmanager
def open_checkpoints(
    output: Path, parameters: Mapping[str, Any], inputs: list[Path]
) -> Iterator[Path]:
    """The folder for the checkpoints of a training that makes the folder `output`.

    It is `.NAME.checkpoints` beside the output, and goes when the block ends without an error. What it
    holds of a training with other parameters or inputs, or by another version, goes before.
    """
    folder = output.with_name(f".{output.name}.checkpoints")
    if is_main_process():
        _prepare(folder, origin_of(parameters, inputs))
    processes().wait_for_everyone()
    yield folder
    processes().wait_for_everyone()
    if is_main_process():
        shutil.rmtree(folder)


def _prepare(folder: Path, origin: str) -> None:
    path = folder / ORIGIN
    if folder.exists() and (not path.is_file() or path.read_text("utf-8") != origin):
        logger.warning("%s: of other inputs or settings, begun anew", folder)
        shutil.rmtree(folder)
    if not path.exists():
        with whole(path) as part:
            part.write_text(origin, encoding="utf-8")


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end, or None where there is none."""
    steps = sorted(
        (int(path.name.rpartition("-")[2]), path)
        for path in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")
    )
    for _, path in reversed(steps):
        try:
            # The Trainer writes its state last.
            json.loads((path / TRAINER_STATE_NAME).read_text("utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None


def save_trained(model: nn.Module, folder: Path) -> None:
    """Write the weights that are trained; the others are the backbone's and lie there."""
    trained = {
        name: weights.detach().contiguous()
        for name, weights in model.named_parameters()
        if weights.requires_grad
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(trained, folder / WEIGHTS)


def load_trained(model: nn.Module, folder: Path) -> None:
    """Put into `model` what `save_trained` wrote of it."""
    trained: Mapping[str, torch.Tensor] = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if weights.requires_grad:
                weights.copy_(trained[name])
