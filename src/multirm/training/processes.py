"""The processes that train together, one per device, one process by itself or several by torch.distributed.run."""

import torch
from accelerate import PartialState

from multirm.errors import InputError


def processes() -> PartialState:
    """This process's place among those that train together; asking for the first time joins them."""
    return PartialState(cpu=not torch.cuda.is_available())


def is_main_process() -> bool:
    """Whether this process is the one that writes."""
    return bool(processes().is_main_process)


def share_batch(batch_size: int, device_batch_size: int | None) -> int:
    """How many examples a process reads at once if its memory allows: its share of a batch unless told otherwise.

    Also joins this process to the others, and must therefore come before a model is loaded: it is what
    makes each process's own GPU its current one.

    Raises:
        InputError: the batch does not divide evenly.
    """
    count = processes().num_processes
    at_once = device_batch_size or max(1, batch_size // count)
    if batch_size % (count * at_once):
        raise InputError(
            "batch_size",
            expected=f"a multiple of {count} processes that read {at_once} at once",
            found=str(batch_size),
            remedy="choose another batch_size, device_batch_size or number of GPUs",
        )
    return at_once
