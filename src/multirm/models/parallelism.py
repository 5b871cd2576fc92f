"""What the processes of one training run share."""

from enum import StrEnum


class Parallelism(StrEnum):
    """What the processes of one training share out among them."""

    DDP = "ddp"
    """Batches: each process has the whole model."""
    FSDP = "fsdp"
    """Batches, and the model's weights."""
