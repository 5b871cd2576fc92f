"""A model is split over all GPUs or refused, and computes on the cores that its job was given."""

import pytest
from transformers import LlamaConfig

from multirm.engines.devices import split_over, threads_of_model
from multirm.errors import InputError


def config(heads: int, groups: int) -> LlamaConfig:
    return LlamaConfig(hidden_size=heads * 8, num_attention_heads=heads, num_key_value_heads=groups)


@pytest.mark.parametrize(
    ("heads", "groups", "gpus"), [(40, 8, 1), (40, 8, 8), (12, 2, 4), (28, 4, 4), (64, 8, 16)]
)
def test_a_model_is_split_over_all_gpus(heads: int, groups: int, gpus: int) -> None:
    assert split_over(gpus, "toy", config(heads, groups)) == gpus


@pytest.mark.parametrize(
    ("heads", "groups", "gpus", "remedy"), [(40, 8, 3, 2), (40, 8, 5, 4), (28, 4, 8, 4)]
)
def test_heads_that_cannot_be_dealt_out_are_refused(
    heads: int, groups: int, gpus: int, remedy: int
) -> None:
    with pytest.raises(InputError) as refused:
        split_over(gpus, "toy", config(heads, groups))
    assert f"toy: expected GPUs that share {heads} heads" in str(refused.value)
    assert f"found {gpus} visible; give the job {remedy}, or" in str(refused.value)


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_a_core_is_left_to_what_drives_the_model(cores: int, threads: int) -> None:
    assert threads_of_model(cores) == threads
