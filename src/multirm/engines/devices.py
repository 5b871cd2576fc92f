"""What an engine runs on: how many GPUs a model can be split over, and how many cores are left to it."""

from typing import Any

from multirm.errors import InputError


def split_over(gpus: int, model: str, config: Any) -> int:
    """Over how many GPUs vLLM splits a model: all that there are.

    Args:
        gpus: those that are visible, at least one.
        model: its folder or name, for the error.
        config: the model's, of transformers.

    Raises:
        InputError: the heads of its attention cannot be dealt out evenly.
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
    # Keys and values are dealt out, or copied where there are fewer of them than GPUs.
    return heads % gpus == 0 and (groups % gpus == 0 or gpus % groups == 0)


def threads_of_model(cores: int) -> int:
    """The threads that a model computes with on a CPU, of the cores that its job was given.

    One core is left to the process that hands the model its work and reads what it wrote: threads that
    wait for one another do it actively, and those that compete with it cost more than they bring.
    """
    return max(1, cores - 1)
