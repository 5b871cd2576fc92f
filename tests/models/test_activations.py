"""The number of examples per forward pass fits the budget, divides the share, and is at least one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import GPT2Config, LlamaConfig

from multirm.models.activations import Decoder, Device, default_budget, reading

SMOL = Decoder(30, 576, 1536)
MINI = Decoder(3, 128, 384)


def test_small_models_read_their_share_at_once_without_checkpointing() -> None:
    read = reading(MINI, "cpu", 16, 512)
    assert (read.at_once, read.is_checkpointed) == (16, False)


def test_on_a_cpu_fewer_examples_are_preferred_to_checkpointing() -> None:
    assert reading(SMOL, "cpu", 16, 100).at_once > 1
    assert not reading(SMOL, "cpu", 16, 100).is_checkpointed
    assert (
        reading(SMOL, "cpu", 16, 650).at_once,
        reading(SMOL, "cpu", 16, 650).is_checkpointed,
    ) == (
        1,
        False,
    )
    assert reading(SMOL, "cpu", 16, 8192).is_checkpointed


def test_on_a_gpu_checkpointing_is_always_used() -> None:
    assert reading(MINI, "cuda", 16, 10).is_checkpointed
    large = Decoder(48, 5120, 13824)
    assert reading(large, "cuda", 16, 650).at_once == 16
    assert reading(large, "cuda", 16, 8192).at_once < 4


@given(
    st.integers(1, 40),
    st.integers(1, 20_000),
    st.sampled_from(["cpu", "cuda"]),
    st.sampled_from([MINI, SMOL, Decoder.guessed(8e9)]),
)
def test_the_budget_holds_unless_a_single_example_is_over_it(
    share: int, longest: int, device: Device, decoder: Decoder
) -> None:
    read = reading(decoder, device, share, longest)
    assert share % read.at_once == 0
    assert read.memory <= {"cpu": 3e9, "cuda": 16e9}[device] or read.at_once == 1
    smaller = reading(decoder, device, share, longest, budget=0.5e9)
    assert smaller.memory <= 0.5e9 or smaller.at_once == 1
    assert smaller.at_once <= read.at_once
    settled = reading(decoder, device, share, longest, at_once=3)
    assert settled.at_once == 3


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            LlamaConfig(
                num_hidden_layers=2, hidden_size=64, intermediate_size=96, num_attention_heads=2
            ),
            Decoder(2, 64, 96),
        ),
        (GPT2Config(n_layer=5, n_embd=48, n_head=2), Decoder(5, 48, 192)),
    ],
)
def test_shapes_are_read_from_configurations(config: Any, expected: Decoder) -> None:
    assert Decoder.of(config) == expected


@pytest.mark.parametrize(
    ("parameters", "layers", "hidden", "feed_forward"),
    [
        (1.35e8, 30, 576, 1536),
        (1.5e9, 28, 1536, 8960),
        (8.0e9, 32, 4096, 14336),
        (14.8e9, 48, 5120, 13824),
    ],
)
def test_an_estimate_is_close_to_the_shape(
    parameters: float, layers: int, hidden: int, feed_forward: int
) -> None:
    real = reading(Decoder(layers, hidden, feed_forward), "cuda", 1, 1000).memory
    assert 0.85 < reading(Decoder.guessed(parameters), "cuda", 1, 1000).memory / real < 1.9


def test_the_default_is_bounded_by_the_machine() -> None:
    assert default_budget("cpu") == default_budget("cpu", 24e9) == 3e9
    assert default_budget("cpu", 4e9) == 2e9
    assert default_budget("cuda", 4e9) == 16e9
