"""The GPUs that a model is split over, and the CPU threads that it computes with."""

from typing import Any

from multirm.errors import InputError


def split_over(gpus: int, model: str, config: Any) -> int:
    """The number of GPUs that vLLM splits a model over: all visible ones.

    Args:
        gpus: number of visible GPUs, at least one.
        model: the model's folder or name, for messages.
        config: the model's configuration.

    Raises:
        InputError: attention heads cannot be divided evenly.
    """
    text = config.get_text_config()
    heads = int(text.num_attention_heads)
    groups = int(getattr(text, "num_key_value_heads", None) or heads)
    if _splits(gpus, heads, groups):
        return gpus
    possible = [n for n in range(1, gpus) if _splits(n, heads, groups)]
    raise InputError(
        model,
        expected=f"GPUs that share {heads} heads with {groups} of keys and values evenly",
        found=f"{gpus} visible",
        remedy=f"give the job {possible[-1]}, or set CUDA_VISIBLE_DEVICES",
    )


def _splits(gpus: int, heads: int, groups: int) -> bool:
    # Key-value heads are divided, or copied if there are fewer of them than GPUs.
    return heads % gpus == 0 and (groups % gpus == 0 or gpus % groups == 0)


def threads_of_model(cores: int) -> int:
    """The number of threads for a model on a CPU, given the job's number of cores.

    One core is for the process that schedules the work: the model's threads wait actively, so one that competes
    with it costs more than it brings.
    """
    return max(1, cores - 1)
