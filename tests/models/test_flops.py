"""Operations of a decoder: against a plain loop over tokens, and against what torch counts."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    GPT2Config,
    LlamaConfig,
    MambaConfig,
    MixtralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
    T5Config,
)

from multirm.models.flops import DecoderFlops

SMALL = {"vocab_size": 300, "hidden_size": 48, "intermediate_size": 112, "num_hidden_layers": 3}
CONFIGS = [
    LlamaConfig(**SMALL, num_attention_heads=6, num_key_value_heads=2),
    Qwen3Config(**SMALL, num_attention_heads=4, num_key_value_heads=4, head_dim=24),
    GPT2Config(vocab_size=300, n_embd=48, n_layer=3, n_head=4),
]


def decoder_of(config: PreTrainedConfig) -> DecoderFlops:
    found = DecoderFlops.of(config)
    assert found is not None
    return found


@pytest.mark.parametrize(("n", "before"), [(0, 0), (1, 0), (7, 0), (3, 5)])
def test_each_token_costs_its_weights_and_what_it_attends_to(n: int, before: int) -> None:
    decoder = DecoderFlops(weights=1000, attention=10, output=77)
    each = [2 * 1000 + 2 * 2 * 10 * (before + place + 1) for place in range(n)]
    assert decoder.reading(n, before) == sum(each)
    assert decoder.generating(n, before) == sum(each) + n * 2 * 77


def test_reading_in_two_parts_costs_the_same() -> None:
    decoder = decoder_of(CONFIGS[0])
    assert decoder.reading(40) == decoder.reading(15) + decoder.reading(25, 15)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_weights_are_those_of_linear_layers(config: PreTrainedConfig) -> None:
    decoder, model = decoder_of(config), AutoModelForCausalLM.from_config(config)
    layers = [name for name, _ in model.named_parameters() if ".layers." in name or ".h." in name]
    weights = [each for name, each in model.named_parameters() if name in layers and each.ndim == 2]
    assert decoder.weights == sum(each.numel() for each in weights)
    assert decoder.output == 300 * 48


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config.model_type)
def test_torch_counts_the_same_within_a_thousandth(config: PreTrainedConfig) -> None:
    # Token by token, so that torch, which knows no causal attention, counts attention only to what came before. It
    # also counts the multiplication of positions by frequencies.
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    decoder, n_read, n_generated = decoder_of(config), 21, 9
    read = counted(model, n_read, 0)
    assert decoder.reading(n_read) == pytest.approx(read, rel=1e-3)
    generated = counted(model, n_read, n_generated) - read
    assert decoder.generating(n_generated, n_read) == pytest.approx(generated, rel=1e-3)


@torch.no_grad()
def counted(model: PreTrainedModel, n_read: int, n_generated: int) -> int:
    """The operations that torch counts if some tokens are read, and then some generated."""
    ids = torch.arange(n_read + n_generated)[None] % 300
    cache = None
    with FlopCounterMode(display=False) as counter:
        for place in range(n_read + n_generated):
            part = model if place >= n_read else model.get_decoder()
            output = part(ids[:, place : place + 1], past_key_values=cache, use_cache=True)
            cache = output.past_key_values
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "config",
    [
        MixtralConfig(**SMALL, num_attention_heads=6, num_local_experts=4),
        # A server may run what no causal language model here does.
        T5Config(vocab_size=300, d_model=48, num_layers=2, num_heads=4),
        MambaConfig(vocab_size=300, hidden_size=48, num_hidden_layers=2),
        # Its keys have a part for positions, and a size of their own.
        DeepseekV3Config(**SMALL, num_attention_heads=4, first_k_dense_replace=3),
    ],
    ids=lambda config: config.model_type,
)
def test_of_other_models_it_is_unknown(config: PreTrainedConfig) -> None:
    assert DecoderFlops.of(config) is None


def test_the_configuration_stays_as_it_was() -> None:
    config = LlamaConfig(**SMALL, num_attention_heads=6, attn_implementation="sdpa")
    DecoderFlops.of(config)
    assert config._attn_implementation == "sdpa"
