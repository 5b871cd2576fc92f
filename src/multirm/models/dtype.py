"""The precision in which a model is computed."""

from enum import StrEnum


class Dtype(StrEnum):
    """The precision in which a model is computed: `auto` is bf16 on a GPU and fp32 on a CPU."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
