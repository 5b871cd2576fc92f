"""Checkpoints, from which a killed training run resumes."""

import fcntl
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any

import torch
from accelerate.utils import gather_object
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from multirm.errors import InputError
from multirm.running.files import room_for, whole
from multirm.running.provenance import Origin, to_text
from multirm.training.processes import is_main_process, processes
from multirm.training.sharding import set_trained_weights, trained_weights

logger = logging.getLogger(__name__)

ORIGIN = "origin.json"
CHECKPOINT = "checkpoint.pt"


@contextmanager
def open_checkpoint(output: Path, origin: Origin | None) -> Iterator[Path]:
    """Yield the path for the checkpoint of a training run that makes the folder `output`.

    It is in the folder `.NAME.checkpoints` beside the output, which is removed if the block succeeds. A checkpoint
    of another origin is removed first. All processes of a run must call this together.

    Args:
        output: the folder of the trained model.
        origin: origin of the training run; None except in the main process, which writes the checkpoint.

    Raises:
        InputError: another process is training the same model.
    """
    folder = output.with_name(f".{output.name}.checkpoints")
    with _alone(folder) if origin else nullcontext():
        if origin:
            _prepare(folder, to_text("checkpoints", origin))
        processes().wait_for_everyone()
        with room_for(folder):
            yield folder / CHECKPOINT
        processes().wait_for_everyone()
        if origin:
            shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock a file beside `folder`, so that no other process trains the same model; the lock dies with the process."""
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
            # The process that held the lock removed the file after it was opened here.
            file.close()
        except BlockingIOError as error:
            file.close()
            raise InputError(
                path,
                expected="no other process training the same model",
                found="one",
                remedy="wait for it, or stop it",
            ) from error
        except OSError:
            logger.warning("%s: the file system has no locks; train it in one job at a time", path)
            return file


def _prepare(folder: Path, origin: str) -> None:
    path = folder / ORIGIN
    if folder.exists() and (not path.is_file() or path.read_text("utf-8") != origin):
        logger.warning("%s: made with other inputs, settings or code; starting over", folder)
        shutil.rmtree(folder)
    if not path.exists():
        with whole(path) as part:
            part.write_text(origin, encoding="utf-8")


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, reached: Mapping[str, Any]
) -> None:
    """Replace the checkpoint: trained weights, states of the optimizer and the random generators, and `reached`.

    All processes must call it together.

    Args:
        reached: numbers, tensors, lists and mappings to save as well.
    """
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    held = {
        "weights": trained_weights(model),
        "optimizer": get_optimizer_state_dict(model, optimizer, options=options),
        "generators": gather_object([_generator_states()]),
        "reached": dict(reached),
    }
    if is_main_process():
        with whole(path) as part:
            torch.save(held, part)


def load_checkpoint(path: Path, model: nn.Module, optimizer: Optimizer) -> dict[str, Any] | None:
    """Restore what `save_checkpoint` wrote, and return its `reached`; None if there is no checkpoint.

    Raises:
        InputError: the file is not a checkpoint.
    """
    if not path.is_file():
        return None
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(
            path,
            expected="a checkpoint",
            found="a damaged file",
            remedy="delete it, and training starts from the beginning",
        ) from error
    set_trained_weights(model, held["weights"])
    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, optimizer, held["optimizer"], options=options)
    process = processes().process_index
    # If there are more processes than before, the new ones keep their own seeds.
    if process < len(held["generators"]):
        _restore_generators(held["generators"][process])
    reached: dict[str, Any] = held["reached"]
    return reached


def _generator_states() -> dict[str, Tensor]:
    """The states of this process's PyTorch generators, uint8."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_generators(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available() and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
