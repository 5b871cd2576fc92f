"""Grouped attention is attention: the same numbers as from transformers, which repeats keys and values."""

import pytest
import torch
from torch import nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from multirm.engines.attention import grouped_attention


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
