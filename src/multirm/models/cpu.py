"""Settings of PyTorch with which a CPU computes a model faster, and no less exactly."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import PreTrainedModel

logger = logging.getLogger(__name__)

# Hidden size from which oneDNN saves more than its preparation of each new shape of matrices costs.
_WIDE = 512
_ROUNDING = 1e-5

_PROCESSOR = Path("/proc/cpuinfo")
_BF16 = {"avx512_bf16", "amx_bf16", "bf16"}


def prepare_cpu(model: PreTrainedModel) -> None:
    """Prepare this process for a model on the CPU that is about to be used.

    Products of fp32 matrices come from oneDNN if the model is large enough, and if that is exact: PyTorch's default,
    MKL, leaves out the wide instructions of processors that are not Intel's, and takes twice the time there.

    With a GPU, nothing is changed: models are only on their way to it, and it would round its own products, too.
    """
    if model.device.type != "cpu" or torch.cuda.is_available():
        return
    torch.set_float32_matmul_precision("highest")
    if model.config.get_text_config().hidden_size >= _WIDE:
        # PyTorch takes oneDNN for fp32 only where it may round to bf16, which oneDNN does on some processors.
        torch.set_float32_matmul_precision("medium")
        if not _are_exact():
            torch.set_float32_matmul_precision("highest")
    if model.dtype is torch.bfloat16 and not _has_bf16():
        logger.warning("this processor has no instructions for bf16; float32 is faster on it")


@contextmanager
def products_of_any_shape(device: torch.device) -> Iterator[None]:
    """Take products on a CPU from PyTorch's default meanwhile.

    oneDNN prepares for each new shape. In attention while decoding, each token has another, and a product takes less
    time than that.
    """
    precision = torch.get_float32_matmul_precision()
    if device.type == "cpu":
        torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


def is_exact(model: PreTrainedModel) -> bool:
    """Whether a model's products are those of fp32, and not rounded to fewer digits on the way."""
    if model.dtype is not torch.float32:
        return False
    if model.device.type == "cpu":
        return _are_exact()
    return torch.get_float32_matmul_precision() == "highest"


def _are_exact() -> bool:
    """Whether products of fp32 matrices, large enough for any fast way, keep what bf16 would round away."""
    values = torch.linspace(1, 2, 256 * 256).reshape(256, 256)
    exact = values.double() @ values.double().T
    return bool(((values @ values.T - exact).abs() <= _ROUNDING * exact).all())


def _has_bf16() -> bool:
    """Whether the processor has instructions for bf16; true where the system does not say."""
    try:
        lines = _PROCESSOR.read_text("utf-8", "replace").splitlines()
    except OSError:
        return True
    flags = [line for line in lines if line.lower().startswith(("flags", "features"))]
    return not flags or bool(_BF16 & {*flags[0].split()})
