"""Where a training goes on after it was killed: checkpoints beside what is being trained, until that stands."""

import fcntl
import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer
from transformers.trainer import OPTIMIZER_NAME, TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from multirm.errors import InputError
from multirm.running.files import room_for, whole
from multirm.running.provenance import Origin, to_text
from multirm.training.processes import is_main_process, processes
from multirm.training.sharding import set_trained_weights, trained_weights

logger = logging.getLogger(__name__)

ORIGIN = "origin.json"
WEIGHTS = "trained.safetensors"


@contextmanager
def open_checkpoints(output: Path, origin: Origin | None) -> Iterator[Path]:
    """The folder for the checkpoints of a training that makes the folder `output`.

    It is `.NAME.checkpoints` beside the output, and goes when the block ends without an error. What it
    holds of a training of another origin goes before. All processes of a training must call it together.

    Args:
        output: what is trained.
        origin: of the training; None in all processes but the main one, which does the writing.

    Raises:
        InputError: another training makes the same.
    """
    folder = output.with_name(f".{output.name}.checkpoints")
    with _alone(folder) if origin else nullcontext():
        if origin:
            _prepare(folder, to_text("checkpoints", origin))
        processes().wait_for_everyone()
        with room_for(folder):
            yield folder
        processes().wait_for_everyone()
        if origin:
            shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others from training into `folder`, by a lock on a file beside it that ends with this process."""
    path = folder.with_name(f"{folder.name}.lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        try:
            yield
        finally:
            path.unlink()


def _locked(path: Path) -> IO[bytes]:
    while True:
        file = path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and path.samefile(f"/dev/fd/{file.fileno()}"):
                return file
            # Whoever had it locked removed it in between: it is the next one's no more.
            file.close()
        except BlockingIOError as error:
            file.close()
            raise InputError(
                path,
                expected="no other process that trains the same model",
                found="one that is at work",
                remedy="wait for it, or stop it",
            ) from error
        except OSError:
            logger.warning("%s: a file system without locks; train it once at a time", path)
            return file


def _prepare(folder: Path, origin: str) -> None:
    path = folder / ORIGIN
    if folder.exists() and (not path.is_file() or path.read_text("utf-8") != origin):
        logger.warning("%s: of other inputs, settings or code, begun anew", folder)
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
    """Write the weights that are trained; the others are the backbone's and lie there.

    All processes must call it together.
    """
    weights = trained_weights(model)
    if is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        save_file(weights, folder / WEIGHTS)


def load_trained(model: nn.Module, folder: Path) -> None:
    """Put into `model` what `save_trained` wrote of it."""
    set_trained_weights(model, load_file(folder / WEIGHTS))


def save_optimizer(model: nn.Module, optimizer: Optimizer, folder: Path) -> None:
    """Write what an optimizer remembers of the weights it trains, whole, by their names.

    All processes must call it together.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state = get_optimizer_state_dict(model, optimizer, options=options)
    if is_main_process():
        torch.save(state, folder / OPTIMIZER_NAME)


def load_optimizer(model: nn.Module, optimizer: Optimizer, folder: Path) -> None:
    """Let an optimizer remember what `save_optimizer` wrote."""
    state = torch.load(folder / OPTIMIZER_NAME, map_location="cpu", weights_only=True)
    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, optimizer, state, options=options)
