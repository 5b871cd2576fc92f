"""Grouped attention is attention: the same numbers as from transformers, which repeats keys and values."""

import pytest
import torch
from torch import nn
from transformers import Gemma2Config, Gemma2ForCausalLM, set_seed
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from multirm.engines.attention import attend_in_groups, grouped_attention


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("n_queries", [1, 5])
@pytest.mark.parametrize("masked", [True, False])
def test_as_with_repeated_keys_and_values(groups: int, n_queries: int, masked: bool) -> None:
    torch.manual_seed(0)
    module = nn.Module()
    module.num_key_value_groups = 4 // groups
    query = torch.randn(3, 4, n_queries, 8)
    key, value = torch.randn(2, 3, groups, 7, 8)
    mask = None
    if masked:
        mask = torch.ones(3, 1, n_queries, 7, dtype=torch.bool)
        mask[1, ..., :4] = False
    found, _ = grouped_attention(module, query, key, value, mask, scaling=0.3)
    expected, _ = sdpa_attention_forward(module, query, key, value, mask, scaling=0.3)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected)


def test_a_soft_cap_on_scores_is_kept() -> None:
    shape = {"vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 4}
    set_seed(0)
    model = Gemma2ForCausalLM(Gemma2Config(**shape, **heads, attn_logit_softcapping=0.01)).eval()
    ids = torch.arange(12)[None]
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight.mul_(50)
        by_default = model(ids).logits
        model.set_attn_implementation("eager")
        expected = model(ids).logits
        model.set_attn_implementation("sdpa")
        attend_in_groups(model)
        torch.testing.assert_close(model(ids).logits, expected)
    # Once transformers keeps it, too, this is no longer needed.
    assert (by_default - expected).abs().max() > 1e-3
