"""Checkpoints: a training run that was killed goes on from its last one."""

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
    """The file for the checkpoint of a training run that makes the folder `output`.

    It is in the folder `.NAME.checkpoints` beside the output, which is removed when the block ends without an
    error. A checkpoint of another origin is removed first. All processes of a run must call this together.

    Args:
        output: the folder of the trained model.
        origin: of the training run; None in all processes but the main one, which does the writing.

    Raises:
        InputError: another process trains the same model.
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
    """Lock a file beside `folder`, so that no other process trains into it; the lock ends with this process."""
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
            # The process that held the lock has removed the file since it was opened here.
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


def save_checkpoint(
    path: Path, model: nn.Module, optimizer: Optimizer, reached: Mapping[str, Any]
) -> None:
    """Write the trained weights, the optimizer's state and the random generators' in place of the last checkpoint.

    All processes must call it together.

    Args:
        reached: numbers, tensors, lists and mappings to be kept with them.
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
    """Restore what `save_checkpoint` wrote, and return its `reached`; None where there is no checkpoint.

    Raises:
        InputError: a file that is no checkpoint.
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
            remedy="delete it, and the training run starts from the beginning",
        ) from error
    set_trained_weights(model, held["weights"])
    options = StateDictOptions(full_state_dict=True)
    set_optimizer_state_dict(model, optimizer, held["optimizer"], options=options)
    process = processes().process_index
    # With more processes than before, the new ones keep the seeds of their own.
    if process < len(held["generators"]):
        _restore_generators(held["generators"][process])
    reached: dict[str, Any] = held["reached"]
    return reached


def _generator_states() -> dict[str, Tensor]:
    """The states of PyTorch's generators of this process, uint8."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_generators(states: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if torch.cuda.is_available() and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
