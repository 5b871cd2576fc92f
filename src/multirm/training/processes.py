"""The processes of a training run, one per device: a single one, or several started by torch.distributed.run."""

import torch
from accelerate import PartialState

from multirm.errors import InputError


def processes() -> PartialState:
    """This process's place among those that train together; the first call joins them."""
    return PartialState(cpu=not torch.cuda.is_available())


def is_main_process() -> bool:
    """Whether this is the process that writes outputs."""
    return bool(processes().is_main_process)


def share_batch(batch_size: int, device_batch_size: int | None) -> int:
    """The number of examples per forward pass if memory allows: `device_batch_size`, or the process's share of a batch.

    It also joins this process to the others, which selects each process's own GPU, and so must be called before a
    model is loaded.

    Raises:
        InputError: the batch does not divide evenly.
    """
    count = processes().num_processes
    at_once = device_batch_size or max(1, batch_size // count)
    if batch_size % (count * at_once):
        raise InputError(
            "batch_size",
            expected=f"a multiple of {count} processes × {at_once} examples at once",
            found=str(batch_size),
            remedy="choose another batch_size, device_batch_size or number of GPUs",
        )
    return at_once
